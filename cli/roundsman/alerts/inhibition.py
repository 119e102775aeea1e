"""Alerts that another alert explains: by rules on labels, as in Alertmanager, and by what hosts depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from roundsman.alerts.matchers import Labels, Matchers, matches_all, text_of
from roundsman.alerts.names import REACHABLE
from roundsman.alerts.topology import Topology


@dataclass(frozen=True)
class Rule:
    """While an alert that matches `source` fires, alerts that match `target` and agree in `equal` are not notified.

    A label that both lack counts as equal.
    """

    source: Matchers
    target: Matchers
    equal: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Cause:
    """The alert that inhibits another, and why, as a sentence."""

    alert: str
    sentence: str


@dataclass
class _Sources:
    """Firing sources of one rule by the values of its `equal` labels.

    One that matches both sides inhibits no alert that also does, so that no alert inhibits itself.
    """

    one_sided: dict[tuple[str, ...], dict[str, None]] = field(default_factory=dict)
    two_sided: dict[tuple[str, ...], dict[str, None]] = field(default_factory=dict)


class Inhibitor:
    """Knows what fires; alerts are named by their fingerprints. Each question costs the same, however many fire."""

    def __init__(self, rules: Sequence[Rule], topology: Topology) -> None:
        self._rules = [(rule, _Sources()) for rule in rules]
        self._topology = topology
        self._firing: dict[str, Labels] = {}
        self._unreachable: dict[str, dict[str, None]] = {}

    def fires(self, alert: str, labels: Labels) -> None:
        """The alert is open, with these labels from now on."""
        self.ends(alert)
        self._firing[alert] = labels
        if labels.get("check") == REACHABLE and "host" in labels:
            self._unreachable.setdefault(labels["host"], {})[alert] = None
        for rule, sources in self._rules:
            if matches_all(rule.source, labels):
                side = sources.two_sided if matches_all(rule.target, labels) else sources.one_sided
                side.setdefault(_values(rule, labels), {})[alert] = None

    def ends(self, alert: str) -> None:
        """The alert is open no longer."""
        labels = self._firing.pop(alert, None)
        if labels is None:
            return
        self._unreachable.get(labels.get("host", ""), {}).pop(alert, None)
        for rule, sources in self._rules:
            for side in (sources.one_sided, sources.two_sided):
                side.get(_values(rule, labels), {}).pop(alert, None)

    def inhibited_by(self, alert: str, labels: Labels) -> Cause | None:
        """Why nobody needs to hear of the alert now; None when nothing that fires explains it."""
        return self._by_topology(alert, labels) or self._by_rule(labels)

    def _by_topology(self, alert: str, labels: Labels) -> Cause | None:
        host = labels.get("host", "")
        own = self._unreachable.get(host, {})
        if own and alert not in own:
            return Cause(next(iter(own)), f"{host} cannot be reached")
        for needed, chain in self._topology.above(host).items():
            if cause := next(iter(self._unreachable.get(needed, ())), None):
                return Cause(cause, f"{host} depends on {needed}, which cannot be reached ({' -> '.join(chain)})")
        return None

    def _by_rule(self, labels: Labels) -> Cause | None:
        for rule, sources in self._rules:
            if not matches_all(rule.target, labels):
                continue
            values = _values(rule, labels)
            sides = [sources.one_sided.get(values, {})]
            if not matches_all(rule.source, labels):
                sides.append(sources.two_sided.get(values, {}))
            cause = next((alert for side in sides for alert in side), None)
            if cause is not None:
                return Cause(cause, self._sentence(rule, cause))
        return None

    def _sentence(self, rule: Rule, cause: str) -> str:
        alike = f" and agrees in {', '.join(rule.equal)}" if rule.equal else ""
        name = f"the rule {rule.name}: " if rule.name else ""
        return f"{name}{_named(self._firing[cause])} fires, matches {text_of(rule.source)}{alike}"


def _values(rule: Rule, labels: Labels) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in rule.equal)


def _named(labels: Mapping[str, str]) -> str:
    said = [labels[name] for name in ("alertname", "host", "check") if name in labels]
    return " ".join(said) or "an alert without a name"
