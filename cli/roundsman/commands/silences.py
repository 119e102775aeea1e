"""`alerts silence`: add, list, edit, expire, preview."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from ..exits import ExitCode
from .common import Failure, config_option, console, json_option, one_of, opened, print_json
from .response import by_option, chosen_end

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..alerts.matchers import Matchers
    from ..alerts.model import AlertState
    from ..alerts.silencing import Silence
    from ..store import Transaction

for_option = click.option("--for", "duration", metavar="DURATION", help="How long, such as 90min.")
until_option = click.option("--until", metavar="WHEN", help="2026-12-31 (that day included, UTC), 30d, or RFC 3339.")
matchers_argument = click.argument("matchers", nargs=-1, metavar="[MATCHER]...")


@click.group()
def silence() -> None:
    """Keep quiet about alerts for a while. MATCHERs are Alertmanager's: host=web1, 'check=~"backup.*"'."""


@silence.command()
@matchers_argument
@click.option("--alert", metavar="ID", help="This alert only, until it resolves (at most 7 days).")
@for_option
@until_option
@click.option("--start", metavar="WHEN", help="When it begins.  [default: now]")
@click.option("--during", multiple=True, metavar="NAME", help="Only within this time interval of roundsman.yml.")
@click.option("--comment", required=True, help="Why: others will ask.")
@by_option
@json_option
@config_option
def add(
    matchers: tuple[str, ...], alert: str | None, duration: str | None, until: str | None, start: str | None,
    during: tuple[str, ...], comment: str, by: str, as_json: bool, config: str | None,
) -> None:  # fmt: skip
    """Silence alerts that match every MATCHER, and show which are open now. Every silence has an end."""
    from uuid import uuid4  # noqa: PLC0415

    from .. import times  # noqa: PLC0415
    from ..alerts.silencing import LONGEST_UNTIL_RESOLVED, Silence, SilenceError  # noqa: PLC0415
    from ..store import silences  # noqa: PLC0415
    from ..views.silences import draw_matched, draw_silence, shown  # noqa: PLC0415

    if bool(matchers) == bool(alert):
        raise Failure("what is to be silenced? Give MATCHERs, or --alert", ExitCode.USAGE)
    now = times.now()
    if not (duration or until or alert):
        raise Failure("a silence has an end: give --for or --until", ExitCode.USAGE)
    starts_at = chosen_end(None, start, now, timedelta(0), option="--start")
    ends_at = chosen_end(duration, until, starts_at, LONGEST_UNTIL_RESOLVED)
    with opened(config) as session:
        there = session.settings.alerts.rules.intervals()
        if unknown := [name for name in during if name not in there]:
            named = ", ".join(there) or "none"
            raise Failure(f"there is no time interval {unknown[0]} (there are: {named})", ExitCode.USAGE)
        with session.store.write() as tx:
            wanted, fingerprint = _meant(tx, matchers, alert)
            try:
                made = Silence(
                    str(uuid4()), wanted, by, comment, starts_at, ends_at, now, alert=fingerprint, during=during
                )
            except SilenceError as error:
                raise Failure(str(error), ExitCode.USAGE) from None
            silences.save(tx, made.to_dict())
            matched = _matched(tx, wanted)
    if as_json:
        print_json({"silence": shown(made, now), "alerts": [state.to_dict() for state in matched]})
        return
    draw_silence(console(), made, now)
    draw_matched(console(), matched)


@silence.command("list")
@click.option("--all", "everything", is_flag=True, help="Expired ones, too.")
@json_option
@config_option
def list_(everything: bool, as_json: bool, config: str | None) -> None:
    """List silences, the first to end first."""
    from .. import times  # noqa: PLC0415
    from ..alerts.silencing import Silence  # noqa: PLC0415
    from ..store import silences  # noqa: PLC0415
    from ..views.silences import draw_silence, shown  # noqa: PLC0415

    now = times.now()
    with opened(config) as session, session.store.read() as tx:
        found = [Silence.from_dict(row) for row in silences.listed(tx, now, expired=everything)]
    if as_json:
        print_json([shown(one, now) for one in found])
        return
    for one in found:
        draw_silence(console(), one, now)
    if not found:
        click.echo("no silences")


@silence.command()
@click.argument("silences", nargs=-1, required=True, metavar="ID...")
@json_option
@config_option
def expire(silences: tuple[str, ...], as_json: bool, config: str | None) -> None:
    """End silences now. ID is a silence's id or the beginning of it."""
    _change(silences, config, as_json, lambda one, now: one.expired(now))


@silence.command()
@click.argument("silence", metavar="ID")
@for_option
@until_option
@click.option("--comment", help="Another reason.")
@json_option
@config_option
def edit(
    silence: str, duration: str | None, until: str | None, comment: str | None, as_json: bool, config: str | None
) -> None:
    """Give a silence that is not over another end or reason. ID is its id or the beginning of it."""
    from .. import times  # noqa: PLC0415

    if not (duration or until or comment):
        raise Failure("what is to change? Give --for, --until or --comment", ExitCode.USAGE)
    now = times.now()
    ends_at = chosen_end(duration, until, now, timedelta(0)) if duration or until else None
    _change((silence,), config, as_json, lambda one, now: one.edited(now, ends_at=ends_at, comment=comment))


@silence.command()
@click.argument("matchers", nargs=-1, required=True, metavar="MATCHER...")
@json_option
@config_option
def preview(matchers: tuple[str, ...], as_json: bool, config: str | None) -> None:
    """Show the open alerts that match every MATCHER, and silence none."""
    from ..views.silences import draw_matched  # noqa: PLC0415

    with opened(config) as session, session.store.read() as tx:
        matched = _matched(tx, _meant(tx, matchers, None)[0])
    if as_json:
        print_json([state.to_dict() for state in matched])
    else:
        draw_matched(console(), matched)


def _change(
    ids: Sequence[str], config: str | None, as_json: bool, change: Callable[[Silence, datetime], Silence]
) -> None:
    from .. import times  # noqa: PLC0415
    from ..alerts.silencing import Silence, SilenceError  # noqa: PLC0415
    from ..store import silences  # noqa: PLC0415
    from ..views.silences import draw_silence, shown  # noqa: PLC0415

    now = times.now()
    changed = []
    # All or none: what was refused half way would have to be looked for.
    with opened(config) as session, session.store.write() as tx:
        for text in ids:
            before = Silence.from_dict(one_of(silences.find(tx, text), "silence", text, "id"))
            try:
                changed.append(change(before, now))
            except SilenceError as error:
                raise Failure(f"silence {before.id[:8]}: {error}; nothing was changed", ExitCode.USAGE) from None
            silences.save(tx, changed[-1].to_dict())
    if as_json:
        print_json([shown(one, now) for one in changed])
        return
    for one in changed:
        draw_silence(console(), one, now)


def _meant(tx: Transaction, texts: Sequence[str], alert: str | None) -> tuple[Matchers, str | None]:
    """The matchers, and the fingerprint of the one alert if that is meant."""
    from ..alerts.matchers import MatcherError, parse_all  # noqa: PLC0415
    from ..alerts.model import AlertState  # noqa: PLC0415
    from ..alerts.silencing import of_alert  # noqa: PLC0415
    from ..store import alerts  # noqa: PLC0415

    if alert is None:
        try:
            return parse_all(texts), None
        except MatcherError as error:
            raise Failure(str(error), ExitCode.USAGE) from None
    state = one_of(alerts.find(tx, alert), "alert", alert, "fingerprint")
    if state["phase"] == "resolved":
        raise Failure(f"alert {alert} is resolved since {state['resolved_at']}; nothing to silence", ExitCode.USAGE)
    return of_alert(AlertState.from_dict(state)), state["fingerprint"]


def _matched(tx: Transaction, matchers: Matchers) -> list[AlertState]:
    from ..alerts.labels import labels_of  # noqa: PLC0415
    from ..alerts.matchers import matches_all  # noqa: PLC0415
    from ..alerts.model import AlertState  # noqa: PLC0415
    from ..store import alerts, hosts  # noqa: PLC0415

    of_hosts = {row["host"]: row["labels"] for row in hosts.every(tx)}
    states = [AlertState.from_dict(state) for state in alerts.listed(tx)]
    return [state for state in states if matches_all(matchers, labels_of(state, of_hosts.get(state.host)))]
