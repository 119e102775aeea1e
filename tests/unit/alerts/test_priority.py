"""How urgent an alert is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundsman.alerts.matchers import parse
from roundsman.alerts.priority import DEFAULT, Priority, PriorityRule, priority_of

TABLE = [
    ({"severity": "critical"}, "P2"),
    ({"severity": "critical", "criticality": "high"}, "P1"),
    ({"severity": "critical", "criticality": "low"}, "P3"),
    ({"severity": "critical", "criticality": "high", "environment": "staging"}, "P4"),
    ({"severity": "warning", "criticality": "high"}, "P3"),
    ({"severity": "warning"}, "P4"),
    ({"severity": "unknown"}, "P4"),
    ({"severity": "unknown", "environment": "dev2"}, "P5"),
    ({"severity": "warning", "environment": "production"}, "P4"),
]


@pytest.mark.parametrize(("labels", "priority"), TABLE)
def test_the_table_that_ships(labels: dict[str, str], priority: str) -> None:
    assert priority_of(labels)[0] == priority


def test_rules_of_ones_own_come_first() -> None:
    night = PriorityRule(parse('{check=~"backup.*"}'), Priority.P1)
    assert priority_of({"severity": "warning", "check": "backup:etc"}, [night]) == (Priority.P1, night)
    assert priority_of({"severity": "warning", "check": "disk"}, [night])[0] is Priority.P4


VALUES = st.sampled_from(["", "critical", "warning", "unknown", "high", "low", "dev", "production", "odd"])
LABELS = st.dictionaries(st.sampled_from(["severity", "criticality", "environment", "team"]), VALUES)


@given(LABELS)
def test_every_alert_has_a_priority_and_a_critical_one_is_never_less_urgent(labels: dict[str, str]) -> None:
    worse = {**labels, "severity": "critical"}
    assert priority_of(worse)[0].number <= priority_of({**labels, "severity": "warning"})[0].number
    assert priority_of(labels)[1] in DEFAULT
