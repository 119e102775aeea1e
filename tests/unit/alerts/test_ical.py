"""Calendars that others keep: recurrence, exceptions, zones, whole days, and whom a title means."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from roundsman.alerts.ical import Calendar, CalendarError, parse
from roundsman.alerts.oncall import Schedule, shifts, who

from .test_oncall import BERLIN, berlin, listed, rotation, utc

PEOPLE = {"alice": ["Alice Smith", "alice@example.org"], "bob": []}


def calendar(*events: str) -> Calendar:
    """Events as `title | lines of the event, without what each must have`."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//"]
    for number, (title, *rest) in enumerate(event.split(" | ") for event in events):
        lines += ["BEGIN:VEVENT", f"UID:{number}", "DTSTAMP:20260101T000000Z", f"SUMMARY:{title}", *rest, "END:VEVENT"]
    return Calendar("\r\n".join([*lines, "END:VCALENDAR", ""]), BERLIN, PEOPLE)


DAILY = "DTSTART;TZID=Europe/Berlin:20260327T090000 | DTEND;TZID=Europe/Berlin:20260328T090000 | RRULE:FREQ=DAILY"


def test_a_rule_keeps_to_its_zone_and_leaves_out_what_is_excepted() -> None:
    mine = calendar(f"alice | {DAILY} | EXDATE;TZID=Europe/Berlin:20260330T090000")
    found = shifts(Schedule("ops", [mine]), berlin("2026-03-27"), berlin("2026-04-01"))
    assert listed(found) == ["03-27 00:00 nobody", "03-27 09:00 alice", "03-30 09:00 nobody", "03-31 09:00 alice"]


def test_an_occurrence_that_was_moved_is_where_it_was_moved_to() -> None:
    moved = "alice | UID:0 | RECURRENCE-ID;TZID=Europe/Berlin:20260328T090000"
    text = calendar(f"alice | {DAILY};COUNT=2").text.replace(
        "END:VCALENDAR",
        "BEGIN:VEVENT\r\nSUMMARY:bob\r\nDTSTAMP:20260101T000000Z\r\n"
        + "\r\n".join(moved.split(" | ")[1:])
        + "\r\nDTSTART;TZID=Europe/Berlin:20260328T120000\r\nDTEND;TZID=Europe/Berlin:20260328T180000\r\n"
        "END:VEVENT\r\nEND:VCALENDAR",
    )
    found = shifts(Schedule("ops", [Calendar(text, BERLIN, PEOPLE)]), berlin("2026-03-27T09:00"), berlin("2026-03-29"))
    assert listed(found) == ["03-27 09:00 alice", "03-28 09:00 nobody", "03-28 12:00 bob", "03-28 18:00 nobody"]


@pytest.mark.parametrize(
    "times",
    ["DTSTART;VALUE=DATE:20260330 | DTEND;VALUE=DATE:20260331", "DTSTART:20260330T000000 | DURATION:P1D"],
)
def test_whole_days_and_times_without_a_zone_are_local(times: str) -> None:
    mine = Schedule("ops", [calendar(f"bob | {times}")])
    assert [who(mine, berlin(at)) for at in ("2026-03-29T23:59", "2026-03-30T00:00", "2026-03-30T23:59")] == [
        (), ("bob",), ("bob",),
    ]  # fmt: skip
    assert who(mine, berlin("2026-03-31T00:00")) == ()


NOON = "DTSTART:20260330T100000Z | DTEND:20260330T110000Z"


@pytest.mark.parametrize(
    ("title", "people"),
    [
        ("On call - ALICE SMITH (database)", ("alice",)),
        ("alice/bob", ("alice", "bob")),
        ("malice in bobland", ()),
        (f"Duty | ATTENDEE;CN=A:mailto:Alice@example.org | {NOON}", ("alice",)),
        (f"Duty | ATTENDEE:mailto:x@y.z | ATTENDEE:mailto:alice@example.org | {NOON}", ("alice",)),
        (f"alice | STATUS:CANCELLED | {NOON}", ()),
    ],
)
def test_whom_an_event_names(title: str, people: tuple[str, ...]) -> None:
    mine = calendar(title if " | " in title else f"{title} | {NOON}")
    assert who(Schedule("ops", [mine]), utc("2026-03-30T10:30")) == people


def test_events_that_name_nobody_known_are_told() -> None:
    mine = calendar(f"carol | {NOON}", f"bob | {NOON}", "dave | DTSTART:20270330T100000Z | DTEND:20270330T110000Z")
    assert mine.strangers(utc("2026-03-30"), utc("2026-03-31")) == ["carol"]


def test_a_calendar_stands_over_a_rotation_where_it_has_somebody() -> None:
    both = Schedule("ops", [rotation("carol"), calendar(f"alice | {NOON}")])
    found = shifts(both, berlin("2026-03-30T11:00"), berlin("2026-03-30T14:00"))
    assert listed(found) == ["03-30 11:00 carol", "03-30 12:00 alice", "03-30 13:00 carol"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no calendar"),
        ("<html>please log in</html>", "is no calendar"),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nRRULE:FREQ=SECONDLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", "every minute"),
    ],
)
def test_what_is_no_calendar_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(CalendarError, match=said):
        parse(text)
    with pytest.raises(CalendarError):
        Calendar(text, ZoneInfo("UTC")).spans(utc("2026-03-30"), utc("2026-03-31"))
