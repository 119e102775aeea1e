"""`oncall`: who is on call, who will be, and exceptions."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Any

import click

from ..exits import ExitCode
from .common import Failure, config_option, console, json_option, opened, print_json

if TYPE_CHECKING:
    from datetime import datetime

    from ..alerts.oncall import Override, Shift
    from ..oncall import Duty
    from ..session import Session


@click.group()
def oncall() -> None:
    """Who is on call: schedules are in roundsman.yml, exceptions in the store."""


@oncall.command()
@json_option
@config_option
def now(as_json: bool, config: str | None) -> None:
    """Who is on call at this moment, until when, and who is next."""
    from ..oncall import AHEAD  # noqa: PLC0415
    from ..views.oncall import draw_now  # noqa: PLC0415

    with opened(config) as session:
        duty = _duty(session)
    known = {name: duty.shifts(name, duty.now + AHEAD)[:2] for name in duty.schedules}
    if as_json:
        print_json([_now(name, *shifts) for name, shifts in known.items()])
    else:
        draw_now(console(), duty, known)


@oncall.command("next")
@click.argument("name", required=False)
@click.option("--for", "ahead", default="14d", metavar="DURATION", show_default=True, help="How far to look.")
@json_option
@config_option
def next_(name: str | None, ahead: str, as_json: bool, config: str | None) -> None:
    """Who will be on call. NAME is a schedule, or a person whose shifts are shown in that person's time zone.

    Ends with 1 when something is to be mended: nobody is on call at some time in the next 30 days, say.
    """
    from ..views.oncall import draw_next, draw_warnings  # noqa: PLC0415

    with opened(config) as session:
        duty = _duty(session)
    people = session.settings.alerts.people
    if name is not None and name not in duty.schedules and name not in people:
        there = ", ".join([*duty.schedules, *people]) or "none"
        raise Failure(f"there is no schedule or person {name} (there are: {there})", ExitCode.USAGE)
    end = _moment(ahead, "--for", duty)
    shifts = {one: duty.shifts(one, end) for one in duty.schedules if name in (None, one, *people)}
    zones = {one: duty.zone(one) for one in shifts}
    if name in people:
        shifts = {one: [shift for shift in found if name in shift.people] for one, found in shifts.items()}
        zones = dict.fromkeys(shifts, people[name].zone)
    warnings = list(duty.warnings())
    if as_json:
        drawn = {one: [_shift(shift) for shift in found] for one, found in shifts.items()}
        print_json({"schedules": drawn, "warnings": warnings})
    else:
        draw_next(console(), shifts, zones)
        draw_warnings(console(), warnings)
    sys.exit(ExitCode.WARNINGS if warnings else ExitCode.FINE)


@oncall.group()
def override() -> None:
    """Exceptions: somebody is on call instead of whoever would be."""


@override.command()
@click.argument("schedule")
@click.argument("person")
@click.option(
    "--from", "start", metavar="WHEN",
    help="2026-12-24, 2026-12-24T18:00 (both in the schedule's zone), RFC 3339, or 8h (from now).  [default: now]",
)
@click.option(
    "--until", "end", required=True, metavar="WHEN", help="Likewise; a day is included, 8h is from the beginning on."
)
@click.option("--why", required=True, metavar="TEXT", help="Why.")
@click.option("--by", default=getpass.getuser, metavar="NAME", help="Who says so.  [default: you]")
@config_option
def add(schedule: str, person: str, start: str | None, end: str, why: str, by: str, config: str | None) -> None:
    """Put PERSON on call in SCHEDULE for a time. Of several, the one that was made last counts."""
    from ..alerts.oncall import Override  # noqa: PLC0415
    from ..store import oncall as records  # noqa: PLC0415
    from ..times import stamp  # noqa: PLC0415

    with opened(config) as session:
        duty = _duty(session)
        if schedule not in duty.schedules:
            there = ", ".join(duty.schedules) or "none"
            raise Failure(f"there is no schedule {schedule} (there are: {there})", ExitCode.USAGE)
        if person not in session.settings.alerts.people:
            there = ", ".join(session.settings.alerts.people) or "none"
            raise Failure(f"there is no person {person} (there are: {there})", ExitCode.USAGE)
        begin = _moment(start, "--from", duty, schedule) if start else duty.now
        over = _moment(end, "--until", duty, schedule, after=begin)
        if over <= max(begin, duty.now):
            raise Failure(f"--until {end} is over before it begins", ExitCode.USAGE)
        with session.store.write() as tx:
            number = records.add(tx, Override(schedule, person, begin, over, why, by, duty.now))
    times = f"from {stamp(begin)} until {stamp(over)}"
    click.echo(f"override {number}: {person} is on call in {schedule} {times}")


@override.command("list")
@json_option
@config_option
def list_(as_json: bool, config: str | None) -> None:
    """List the overrides that are not over."""
    from ..views.oncall import draw_overrides  # noqa: PLC0415

    with opened(config) as session:
        duty = _duty(session)
    if as_json:
        print_json([_override(number, one) for number, one in duty.overrides.items()])
    else:
        draw_overrides(console(), duty)


@override.command()
@click.argument("number", type=int)
@config_option
def remove(number: int, config: str | None) -> None:
    """Remove an override; NUMBER is the one in `oncall override list`."""
    from ..store import oncall as records  # noqa: PLC0415

    with opened(config) as session, session.store.write() as tx:
        if not records.remove(tx, number):
            raise Failure(f"there is no override {number}", ExitCode.USAGE)
    click.echo(f"override {number} is removed")


def _duty(session: Session) -> Duty:
    from .. import times  # noqa: PLC0415
    from ..oncall import duty  # noqa: PLC0415
    from ..store import oncall as records  # noqa: PLC0415

    now = times.now()
    with session.store.read() as tx:
        overrides = records.since(tx, now)
    return duty(session.settings, overrides, now)


def _moment(text: str, option: str, duty: Duty, schedule: str | None = None, after: datetime | None = None) -> datetime:
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from ..oncall import moment  # noqa: PLC0415

    zone = duty.zone(schedule) if schedule else ZoneInfo("UTC")
    try:
        return moment(text, after or duty.now, zone, ends=option != "--from")
    except ValueError as error:
        raise Failure(f"{option} {text} {error}", ExitCode.USAGE) from None


def _now(name: str, shift: Shift, following: Shift | None = None) -> dict[str, Any]:
    return {"schedule": name, **_shift(shift), "next": _shift(following) if following else None}


def _shift(shift: Shift) -> dict[str, Any]:
    from ..times import stamp  # noqa: PLC0415

    return {"people": list(shift.people), "start": stamp(shift.start), "end": stamp(shift.end)}


def _override(number: int, one: Override) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415

    from ..times import stamp  # noqa: PLC0415

    times = {name: stamp(getattr(one, name)) for name in ("start", "end", "made_at")}
    return {"id": number, **asdict(one), **times}
