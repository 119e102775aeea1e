"""Who is on call, as a person asks for it, and exceptions as a person makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from roundsman.exits import ExitCode
from roundsman.oncall import moment

from .desk import Desk

ROTATION = """\
alerts:
  people:
    alice: {urls: [json://alice]}
    bob: {urls: [json://bob], zone: Asia/Kolkata}
  schedules:
    - name: ops
      zone: Europe/Berlin
      layers:
        - {people: [alice, bob], every: week, on: monday, at: 09:00, start: 2026-11-02}
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """It is Monday, 23 November 2026, 03:05 in Berlin."""
    desk = Desk(tmp_path, monkeypatch)
    desk.configure(ROTATION)
    return desk


def lines(output: str) -> list[str]:
    return [" ".join(line.split()) for line in output.splitlines() if line.strip()]


def test_who_is_on_call_until_when_and_who_is_next(desk: Desk) -> None:
    assert lines(desk.run("oncall", "now").output) == [
        "schedule on call until then", "ops alice Mon Nov 23 09:00 bob",
    ]  # fmt: skip
    (now,) = desk.json("oncall", "now")
    assert (now["schedule"], now["people"], now["end"]) == ("ops", ["alice"], "2026-11-23T08:00:00.000Z")
    assert now["next"] == {
        "people": ["bob"], "start": "2026-11-23T08:00:00.000Z", "end": "2026-11-30T08:00:00.000Z",
    }  # fmt: skip


def test_who_will_be(desk: Desk) -> None:
    done = desk.run("oncall", "next")
    assert lines(done.output) == [
        "from until ops",
        "Mon Nov 23 03:05 Mon Nov 23 09:00 alice",
        "Mon Nov 23 09:00 Mon Nov 30 09:00 bob",
        "Mon Nov 30 09:00 Mon Dec 07 03:05 alice",
        "Europe/Berlin",
    ]
    assert done.exit_code == ExitCode.FINE


def test_a_person_sees_the_own_shifts_by_the_own_clock(desk: Desk) -> None:
    assert lines(desk.run("oncall", "next", "bob").output) == [
        "from until ops", "Mon Nov 23 13:30 Mon Nov 30 13:30 bob", "Asia/Kolkata",
    ]  # fmt: skip
    assert desk.run("oncall", "next", "eve").exit_code == ExitCode.USAGE


def test_a_gap_within_the_month_is_a_warning(desk: Desk) -> None:
    desk.configure(ROTATION.replace("start: 2026-11-02", "start: 2026-11-02, during: [{from: 08:00, until: 20:00}]"))
    done = desk.run("oncall", "next", "--for", "1d")
    said = " ".join(done.output.split())
    assert "Mon Nov 23 03:05 Mon Nov 23 08:00 nobody" in said
    assert (
        "WARNING ops: nobody is on call from Mon 2026-11-23 03:05 until Mon 2026-11-23 08:00 (Europe/Berlin), and 30 "
        "times more within 30 days" in said
    )
    assert done.exit_code == ExitCode.WARNINGS
    checkup = desk.json_of("doctor", "-i", "localhost,")
    (finding,) = [one for one in checkup["controller"] if one["rung"] == "oncall"]
    assert (finding["status"], "nobody is on call" in finding["message"]) == ("warning", True)


def test_an_override_is_made_shown_and_removed(desk: Desk) -> None:
    made = desk.run(
        "oncall", "override", "add", "ops", "bob", "--from", "2026-11-23T04:00", "--until", "2h", "--why", "sleep",
        "--by", "anna",
    )  # fmt: skip
    assert "from 2026-11-23T03:00:00.000Z until 2026-11-23T05:00:00.000Z" in made.output
    assert lines(desk.run("oncall", "next", "--for", "5h").output)[1:4] == [
        "Mon Nov 23 03:05 Mon Nov 23 04:00 alice",
        "Mon Nov 23 04:00 Mon Nov 23 06:00 bob",
        "Mon Nov 23 06:00 Mon Nov 23 08:05 alice",
    ]
    (one,) = desk.json("oncall", "override", "list")
    assert (one["schedule"], one["person"], one["why"], one["by"]) == ("ops", "bob", "sleep", "anna")
    drawn = lines(desk.run("oncall", "override", "list").output)[1]
    assert drawn == f"{one['id']} ops bob Mon Nov 23 04:00 Mon Nov 23 06:00 sleep (anna)"
    assert desk.run("oncall", "override", "remove", str(one["id"])).exit_code == 0
    assert desk.run("oncall", "override", "remove", str(one["id"])).exit_code == ExitCode.USAGE
    assert desk.json("oncall", "override", "list") == []


def test_an_override_for_somebody_who_is_gone_hides_nobody_and_is_told(desk: Desk) -> None:
    desk.run("oncall", "override", "add", "ops", "bob", "--until", "2h", "--why", "sleep")
    desk.configure(ROTATION.replace("[alice, bob]", "[alice]").replace("    bob:", "    robert:"))
    assert desk.json("oncall", "now")[0]["people"] == ["alice"]
    done = desk.run("oncall", "next")
    assert "override 1 is about bob, and roundsman.yml has none of that name" in " ".join(done.output.split())
    desk.now += timedelta(hours=3)
    assert desk.run("oncall", "next").exit_code == ExitCode.FINE


@pytest.mark.parametrize(
    "arguments",
    [
        ["web", "bob", "--until", "2h"],
        ["ops", "eve", "--until", "2h"],
        ["ops", "bob", "--until", "2026-11-22"],
        ["ops", "bob", "--from", "tomorrow", "--until", "2h"],
        ["ops", "bob", "--from", "2026-11-25", "--until", "2026-11-24"],
    ],
)
def test_an_override_that_cannot_be_meant_is_refused(desk: Desk, arguments: list[str]) -> None:
    assert desk.run("oncall", "override", "add", *arguments, "--why", "x").exit_code == ExitCode.USAGE
    assert desk.json("oncall", "override", "list") == []


def test_without_schedules_it_says_so(desk: Desk) -> None:
    desk.configure("")
    assert "there are no schedules in roundsman.yml" in desk.run("oncall", "now").output
    assert desk.json("oncall", "now") == []


def test_a_calendar_counts_and_what_is_wrong_with_it_is_told(desk: Desk) -> None:
    file = desk.base / "oncall.ics"
    desk.configure(ROTATION + f"        - ical: {file}\n")
    done = desk.run("oncall", "next")
    assert "a calendar was never read, so its layer is empty" in " ".join(done.output.split())
    assert desk.json("oncall", "now")[0]["people"] == ["alice"]
    body = ["BEGIN:VCALENDAR"]
    for name in ("Bob", "Eve"):
        body += ["BEGIN:VEVENT", f"UID:{name}", "DTSTAMP:20260101T000000Z", "DTSTART:20261123T020000Z"]
        body += ["DURATION:PT2H", f"SUMMARY:{name}", "END:VEVENT"]
    file.write_bytes("\r\n".join([*body, "END:VCALENDAR", ""]).encode())
    desk.now += timedelta(minutes=2)
    assert desk.json("oncall", "now")[0]["people"] == ["bob"]
    done = desk.run("oncall", "next")
    assert "ops: nobody in alerts.people is meant by 'Eve' in its calendar" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("text", "ends", "expected"),
    [
        ("2026-12-24", False, "2026-12-23T23:00"),
        ("2026-12-24", True, "2026-12-24T23:00"),
        ("2026-12-24T18:00", True, "2026-12-24T17:00"),
        ("2026-12-24T18:00Z", False, "2026-12-24T18:00"),
        ("90min", True, "2026-11-23T03:30"),
        ("2026-03-29", True, "2026-03-29T22:00"),
    ],
)
def test_moments_as_people_write_them(text: str, ends: bool, expected: str) -> None:
    base = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    found = moment(text, base, ZoneInfo("Europe/Berlin"), ends=ends)
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)
