"""How the alerts that fire stand with routes, silences and inhibition: what Alertmanager's API tells of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from roundsman.alerts.matchers import Labels
from roundsman.alerts.model import AlertState
from roundsman.alerts.routing import Route, paths
from roundsman.alerts.silencing import silenced_by_run
from roundsman.alerts.turn import Rules


@dataclass(frozen=True)
class Seen:
    """One alert that fires."""

    alert: AlertState
    labels: Labels
    routes: tuple[Route, ...]
    silenced_by: tuple[str, ...]  # ids of silences, and of runs
    inhibited_by: tuple[str, ...]  # fingerprints

    @property
    def suppressed(self) -> bool:
        return bool(self.silenced_by or self.inhibited_by)


def look(alerts: Iterable[AlertState], rules: Rules, now: datetime) -> list[Seen]:
    """All that fire; resolved alerts are left out."""
    firing = {alert.fingerprint: alert for alert in alerts if alert.is_open}
    labels = {name: rules.labels(alert) for name, alert in firing.items()}
    inhibitor = rules.inhibitor(labels)
    found = []
    for name, alert in firing.items():
        its_labels = labels[name]
        silences = rules.silencer.silencing(its_labels) if rules.silencer else []
        run = silenced_by_run(its_labels, rules.run_silences, now)
        cause = inhibitor.inhibited_by(name, its_labels)
        found.append(
            Seen(
                alert=alert,
                labels=its_labels,
                routes=tuple(paths(rules.route, its_labels)),
                silenced_by=(*(silence.id for silence in silences), *([run] if run else [])),
                inhibited_by=(cause.alert,) if cause else (),
            )
        )
    return found
