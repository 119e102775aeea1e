"""`alerts ack|unack|resolve|assign|note|stats`: what people do about alerts, and how long they take."""

from __future__ import annotations

import getpass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from ..exits import ExitCode
from .common import Failure, config_option, console, json_option, one_of, opened, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..alerts.model import AlertState, HumanEvent
    from ..store import Transaction

alert_argument = click.argument("alert")
by_option = click.option("--by", default=getpass.getuser, metavar="NAME", help="Who.  [default: you]")
note_option = click.option("--note", default="", help="A word to the others.")


@click.command()
@alert_argument
@by_option
@note_option
@click.option("--for", "duration", metavar="DURATION", help="How long you need, such as 90min.  [default: 4h]")
@click.option("--until", metavar="WHEN", help="2026-12-31 (that day included, UTC), 30d, or RFC 3339.")
@config_option
def ack(alert: str, by: str, note: str, duration: str | None, until: str | None, config: str | None) -> None:
    """Acknowledge an alert: somebody is on it. What gets worse is notified all the same.

    When the time is over and the alert is not, everybody is told again. Who has acknowledged it may do so again, to
    take longer.
    """
    from ..alerts.model import Acknowledge  # noqa: PLC0415

    _respond(alert, config, lambda now, default: Acknowledge(by, now, note, chosen_end(duration, until, now, default)))


def chosen_end(
    duration: str | None, until: str | None, now: datetime, default: timedelta, *, option: str = "--until"
) -> datetime:
    """The moment that a person has given by a duration or a time; `option` is the name of the latter."""
    from ..times import ending  # noqa: PLC0415

    if duration and until:
        raise Failure(f"--for and {option} say the same thing: give one of them", ExitCode.USAGE)
    text = duration or until
    try:
        return ending(text, now) if text else now + default
    except ValueError as error:
        raise Failure(f"{'--for' if duration else option} {text} {error}", ExitCode.USAGE) from None


@click.command()
@alert_argument
@by_option
@note_option
@config_option
def unack(alert: str, by: str, note: str, config: str | None) -> None:
    """Give an alert back: nobody is on it any more."""
    from ..alerts.model import Unacknowledge  # noqa: PLC0415

    _respond(alert, config, lambda now, _default: Unacknowledge(by, now, note))


@click.command()
@alert_argument
@by_option
@note_option
@config_option
def resolve(alert: str, by: str, note: str, config: str | None) -> None:
    """Resolve an alert by hand. The next result that says otherwise opens it again."""
    from ..alerts.model import Resolve  # noqa: PLC0415

    _respond(alert, config, lambda now, _default: Resolve(by, now, note))


@click.command()
@alert_argument
@click.argument("who")
@by_option
@config_option
def assign(alert: str, who: str, by: str, config: str | None) -> None:
    """Say who deals with an alert. Nobody is told, and nothing is silenced: `ack` does that."""
    from .. import responding, times  # noqa: PLC0415

    with opened(config) as session, session.store.write() as tx:
        state = _meant(tx, alert)
        if not state.is_open:
            raise Failure(f"{state.host}, {state.check}: is resolved; there is nothing to deal with", ExitCode.USAGE)
        responding.assign(tx, state, who, by, times.now())
    click.echo(f"{state.host}, {state.check}: assigned to {who}")


@click.command()
@alert_argument
@click.argument("text")
@by_option
@config_option
def note(alert: str, text: str, by: str, config: str | None) -> None:
    """Write a note into an alert's timeline."""
    from .. import responding, times  # noqa: PLC0415

    with opened(config) as session, session.store.write() as tx:
        state = _meant(tx, alert)
        responding.note(tx, state, text, by, times.now())
    click.echo(f"{state.host}, {state.check}: noted")


@click.command()
@click.option("--since", default="30d", metavar="DURATION", show_default=True, help="Alerts that opened since then.")
@json_option
@config_option
def stats(since: str, as_json: bool, config: str | None) -> None:
    """How long it took to acknowledge and to end alerts, by severity, receiver and assignee."""
    from dataclasses import asdict  # noqa: PLC0415

    from .. import responding, times  # noqa: PLC0415
    from ..views.response import draw_statistics  # noqa: PLC0415

    now = times.now()
    try:
        begin = now - timedelta(seconds=times.seconds(since))
    except (ValueError, OverflowError):
        raise Failure(f"--since {since} is not a duration; write for example 30d", ExitCode.USAGE) from None
    with opened(config) as session, session.store.read() as tx:
        found = responding.statistics(tx, begin, now)
    if as_json:
        print_json({"since": times.stamp(begin), **asdict(found)})
    else:
        draw_statistics(console(), found, now)


def _meant(tx: Transaction, alert: str) -> AlertState:
    from ..alerts.model import AlertState  # noqa: PLC0415
    from ..store import alerts as records  # noqa: PLC0415

    return AlertState.from_dict(one_of(records.find(tx, alert), "alert", alert, "fingerprint"))


def _respond(alert: str, config: str | None, make: Callable[[datetime, timedelta], HumanEvent]) -> None:
    from .. import times  # noqa: PLC0415
    from ..alerting import respond  # noqa: PLC0415

    with opened(config, delivers=True) as session:
        now = times.now()
        event = make(now, session.settings.alerts.acknowledged_for)
        with session.store.write() as tx:
            state = _meant(tx, alert)
            decision = respond(tx, state, event, now)
        if decision.refused:
            raise Failure(f"{state.host}, {state.check}: {decision.sentence}", ExitCode.USAGE)
        click.echo(f"{state.host}, {state.check}: {decision.sentence}")
        session.deliver_once(state.fingerprint)
