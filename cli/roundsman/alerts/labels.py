"""What routes, silences and inhibitions see of an alert."""

from __future__ import annotations

from roundsman.alerts.model import AlertState


def labels_of(alert: AlertState) -> dict[str, str]:
    """What an alert says of itself: where it is, what it is about, and how bad it is."""
    return {
        "alertname": alert.check.partition(":")[0],
        "host": alert.host,
        "check": alert.check,
        "severity": alert.severity.lower(),
    }
