"""What routes, silences and inhibitions see of an alert."""

from __future__ import annotations

from roundsman.alerts.matchers import Labels
from roundsman.alerts.model import AlertState


def labels_of(alert: AlertState, of_host: Labels | None = None) -> dict[str, str]:
    """What an alert says of itself, which outweighs the labels `of_host`: where it is, what it is about, how bad it is.

    No data changes no label: who was told that it is critical goes on to be told. What somebody posted is what its
    labels say, and where it is.
    """
    if alert.labels:
        return {**(of_host or {}), **({"host": alert.host} if alert.host else {}), **alert.labels}
    own = {
        "alertname": alert.check.partition(":")[0],
        "host": alert.host,
        "check": alert.check,
        "severity": (alert.known_status if alert.is_open else alert.severity).lower(),
    }
    return {**(of_host or {}), **{name: value for name, value in own.items() if value}}
