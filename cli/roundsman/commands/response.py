"""`alerts ack`, `alerts unack`, `alerts resolve`: what people do about alerts."""

from __future__ import annotations

import getpass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from ..exits import ExitCode
from .common import Failure, config_option, one_of, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..alerts.model import HumanEvent

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

    _respond(alert, config, lambda now, default: Acknowledge(by, now, note, _end(duration, until, now, default)))


def _end(duration: str | None, until: str | None, now: datetime, default: timedelta) -> datetime:
    from ..times import ending  # noqa: PLC0415

    if duration and until:
        raise Failure("--for and --until say the same thing: give one of them", ExitCode.USAGE)
    text = duration or until
    try:
        return ending(text, now) if text else now + default
    except ValueError as error:
        raise Failure(f"{'--for' if duration else '--until'} {text} {error}", ExitCode.USAGE) from None


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


def _respond(alert: str, config: str | None, make: Callable[[datetime, timedelta], HumanEvent]) -> None:
    from .. import times  # noqa: PLC0415
    from ..alerting import respond  # noqa: PLC0415
    from ..alerts.model import AlertState  # noqa: PLC0415
    from ..store import alerts as records  # noqa: PLC0415

    with opened(config, delivers=True) as session:
        now = times.now()
        event = make(now, session.settings.alerts.acknowledged_for)
        with session.store.write() as tx:
            state = AlertState.from_dict(one_of(records.find(tx, alert), "alert", alert, "fingerprint"))
            decision = respond(tx, state, event, now)
        if decision.refused:
            raise Failure(f"{state.host}, {state.check}: {decision.sentence}", ExitCode.USAGE)
        click.echo(f"{state.host}, {state.check}: {decision.sentence}")
        session.deliver_once(state.fingerprint)
