"""How urgent an alert is: P1 (wake somebody) to P5 (some day), by a short table of rules on its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from roundsman.alerts.matchers import Labels, Matchers, matches_all, parse, text_of


class Priority(StrEnum):
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"
    P5 = "P5"

    @property
    def number(self) -> int:
        return int(self.value[1:])


@dataclass(frozen=True)
class PriorityRule:
    """Alerts that match have this priority, unless a rule before it says otherwise."""

    matchers: Matchers
    priority: Priority

    def __str__(self) -> str:
        return f"{text_of(self.matchers)} is {self.priority}"


def _rule(matchers: str, priority: Priority) -> PriorityRule:
    return PriorityRule(parse(matchers), priority)


_NOT_PRODUCTION = 'environment=~"(dev|test|stag|qa|lab).*"'

# Severity by what the host is worth: `criticality` (high, low) and `environment` are labels of hosts.
DEFAULT: tuple[PriorityRule, ...] = (
    _rule(f'{{severity="critical", {_NOT_PRODUCTION}}}', Priority.P4),
    _rule(f"{{{_NOT_PRODUCTION}}}", Priority.P5),
    _rule('{severity="critical", criticality="high"}', Priority.P1),
    _rule('{severity="critical", criticality="low"}', Priority.P3),
    _rule('{severity="critical"}', Priority.P2),
    _rule('{criticality="high"}', Priority.P3),
    _rule('{criticality="low"}', Priority.P5),
    _rule("{}", Priority.P4),
)


def priority_of(labels: Labels, rules: Sequence[PriorityRule] = ()) -> tuple[Priority, PriorityRule]:
    """The first rule that matches decides: those given, then DEFAULT, whose last one takes every alert."""
    rule = next(rule for rule in (*rules, *DEFAULT) if matches_all(rule.matchers, labels))
    return rule.priority, rule
