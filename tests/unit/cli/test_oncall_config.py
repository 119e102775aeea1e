"""People, schedules and escalations in roundsman.yml, and what is said about those that cannot be meant."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from roundsman.alerts.escalation import Policy, Step
from roundsman.alerts.ical import Calendar
from roundsman.alerts.model import Status
from roundsman.alerts.oncall import Hours, Rotation
from roundsman.config import Alerts, parse
from roundsman.config_file import ConfigError

WHOLE = """\
alerts:
  people:
    alice: {urls: [json://alice], also_called: [Alice Smith], zone: Europe/Berlin}
    bob: {urls: [json://bob]}
    manager: {urls: [json://manager]}
  schedules:
    - name: database
      zone: Europe/Berlin
      layers:
        - {people: [alice, bob], every: week, on: monday, at: 09:00, start: 2026-11-05}
        - people: [bob]
          every: 12h
          start: 2026-11-02
          zone: Asia/Kolkata
          during: [{weekdays: [monday:friday, sunday], from: 18:00, until: 24:00}]
        - ical: /etc/roundsman/oncall.ics
  escalations:
    - name: database
      steps:
        - {notify: database, wait: 10m, severity: critical, priority: P2, mute_time_intervals: [office]}
        - {notify: [bob, team]}
      repeat: {times: 2, every: 1h, then: manager}
  receivers:
    - {name: team, urls: [json://team]}
    - {name: db, escalation: database}
    - {name: oncall, escalate: [{notify: alice, wait: 10m}, {notify: bob, wait: 15m}, {notify: manager}]}
  time_intervals: [{name: office, time_intervals: [{times: [{start_time: 09:00, end_time: 17:00}]}]}]
  route: {receiver: oncall, routes: [{receiver: db, matchers: [team="db"]}]}
"""


def alerts(text: str) -> Alerts:
    return parse(text, Path("/etc/roundsman/roundsman.yml")).alerts


def test_what_a_person_writes_is_what_is_decided_with() -> None:
    known = alerts(WHOLE)
    policies = known.policies()
    minutes = timedelta(minutes=1)
    assert policies["oncall"] == Policy(
        "oncall", [Step(("alice",), 10 * minutes), Step(("bob",), 15 * minutes), Step(("manager",), 5 * minutes)]
    )
    first = Step(("database",), 10 * minutes, Status.CRITICAL, 2, (), ("office",))
    second = Step(("bob", "team"), 5 * minutes)
    assert policies["db"] == Policy("database", [first, second], 2, 60 * minutes, ("manager",))
    assert set(policies) == {"oncall", "db"}
    schedule = known.schedules[0].schedule(known.people, {"/etc/roundsman/oncall.ics": "text"}.get)
    weekly, nightly, calendar = schedule.layers
    assert isinstance(weekly, Rotation)
    assert isinstance(nightly, Rotation)
    assert (weekly.people, weekly.length, weekly.at, weekly.weekday) == (
        ["alice", "bob"], timedelta(weeks=1), time(9), 0,
    )  # fmt: skip
    assert (nightly.zone, nightly.length) == (ZoneInfo("Asia/Kolkata"), timedelta(hours=12))
    assert nightly.hours == [Hours(frozenset({0, 1, 2, 3, 4, 6}), time(18), time())]
    assert isinstance(calendar, Calendar)
    assert (calendar.zone, calendar.people["alice"]) == (ZoneInfo("Europe/Berlin"), ["Alice Smith"])


def test_a_calendar_that_cannot_be_had_leaves_the_other_layers() -> None:
    known = alerts(WHOLE)
    assert len(known.schedules[0].schedule(known.people, lambda _source: None).layers) == 2


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("oncall.ics", "/etc/roundsman/oncall.ics"),
        ("../oncall.ics", "/etc/roundsman/../oncall.ics"),
        ("webcal://example.org/oncall.ics", "webcal://example.org/oncall.ics"),
    ],
)
def test_a_calendars_path_begins_at_the_file_that_names_it(written: str, read: str) -> None:
    asked: list[str] = []
    known = alerts(WHOLE.replace("ical: /etc/roundsman/oncall.ics", f"ical: {written}"))
    known.schedules[0].schedule(known.people, asked.append)
    assert asked == [read]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[alice, bob], every", "[alice, eve], every", "10: alerts.schedules.0.layers.0.people.1: there is no person"),
        ("09:00, start", "9:00, start", "10: alerts.schedules.0.layers.0.at: '9:00' is no time of day"),
        (", start: 2026-11-05", "", "10: alerts.schedules.0.layers.0: needs a start"),
        ("every: 12h", "every: 90min", "11: alerts.schedules.0.layers.1: every: whole hours"),
        ("sunday]", "someday]", "someday"),
        ("- ical: /etc", "- people: [bob]\n          ical: /etc", "has either people or ical"),
        ("- ical: /etc", "- at: 09:00\n          ical: /etc", "nothing goes with ical but zone"),
        ("[bob, team]", "[bob, nobody]", "21: alerts.escalations.0.steps.1.notify.1: there is no person, schedule or"),
        ("then: manager", "then: eve", "22: alerts.escalations.0.repeat.then"),
        ("notify: alice, wait", "notify: db, wait", "26: alerts.receivers.2.escalate.0.notify.0: db escalates itself"),
        ("mute_time_intervals: [office]", "mute_time_intervals: [lunch]", "there is no time interval 'lunch'"),
        ("escalation: database", "escalation: web", "25: alerts.receivers.1.escalation: there is no escalation 'web'"),
        ("escalation: database", "escalation: database, escalate: [{notify: bob}]", "one of the two"),
        ("manager: {urls", "team: {urls", "1: alerts: team is the name of two"),
        ("manager: {urls", "manager: {escalation: x, urls", "5: alerts.people.manager: a person has no escalation"),
        ("manager: {urls: [json://manager]}", "manager: {zone: UTC}", "5: alerts.people.manager: has nothing by which"),
        ("wait: 15m", "wait: 9d", "26: alerts.receivers.2.escalate.1.wait"),
        ("zone: Asia/Kolkata", "zone: Asia/Nowhere", "there is no time zone 'Asia/Nowhere'"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place(old: str, new: str, said: str) -> None:
    assert WHOLE.count(old) == 1
    with pytest.raises(ConfigError) as error:
        alerts(WHOLE.replace(old, new))
    assert said in str(error.value)
