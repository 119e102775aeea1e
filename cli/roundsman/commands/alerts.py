from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import click

from ..exits import ExitCode
from .common import (
    Failure,
    config_option,
    console,
    hosts_meant,
    json_option,
    list_options,
    one_of,
    opened,
    print_json,
)

if TYPE_CHECKING:
    from ..alerts.model import HumanEvent


@click.group()
def alerts() -> None:
    """Look at alerts and answer them."""


@alerts.command("list")
@click.option("--all", "everything", is_flag=True, help="Resolved ones, too.")
@list_options
def list_(everything: bool, limit: str | None, inventories: tuple[str, ...], as_json: bool, config: str | None) -> None:
    """List open alerts, worst first."""
    from ..alerts.model import AlertState  # noqa: PLC0415
    from ..store import alerts as records  # noqa: PLC0415
    from ..store import outbox  # noqa: PLC0415
    from ..views.draw import draw_alerts  # noqa: PLC0415

    with opened(config) as session:
        hosts = hosts_meant(session.settings, inventories, limit)
        with session.store.read() as tx:
            states = [AlertState.from_dict(state) for state in records.listed(tx, resolved=everything)]
            waiting = outbox.waiting(tx)
    if hosts is not None:
        states = [state for state in states if state.host in hosts]
    states.sort(key=lambda state: (not state.is_open, -state.severity.rank, state.host, state.check))
    if as_json:
        print_json([state.to_dict() for state in states])
        return
    draw_alerts(console(), states, waiting)


@alerts.command()
@click.argument("alert")
@json_option
@config_option
def show(alert: str, as_json: bool, config: str | None) -> None:
    """Show one alert: evidence, timeline, deliveries. ALERT is its id or the beginning of it."""
    from ..alerts.model import AlertState  # noqa: PLC0415
    from ..store import alerts as records  # noqa: PLC0415
    from ..store import outbox  # noqa: PLC0415
    from ..views.draw import draw_alert  # noqa: PLC0415

    with opened(config) as session, session.store.read() as tx:
        state = one_of(records.find(tx, alert), "alert", alert, "fingerprint")
        timeline = records.timeline_of(tx, state["fingerprint"])
        deliveries = outbox.deliveries_of(tx, state["fingerprint"])
    if as_json:
        print_json({"alert": state, "timeline": timeline, "deliveries": deliveries})
    else:
        draw_alert(console(), AlertState.from_dict(state), timeline, deliveries)


@alerts.command()
@click.argument("alert")
@click.option("--by", default=getpass.getuser, metavar="NAME", help="Who.  [default: you]")
@click.option("--note", default="", help="A word to the others.")
@config_option
def ack(alert: str, by: str, note: str, config: str | None) -> None:
    """Acknowledge an alert: somebody is on it. What gets worse is notified all the same."""
    _respond("Acknowledge", alert, by, note, config)


@alerts.command()
@click.argument("alert")
@click.option("--by", default=getpass.getuser, metavar="NAME", help="Who.  [default: you]")
@click.option("--note", default="", help="A word to the others.")
@config_option
def resolve(alert: str, by: str, note: str, config: str | None) -> None:
    """Resolve an alert by hand. The next result that says otherwise opens it again."""
    _respond("Resolve", alert, by, note, config)


def _respond(kind: str, alert: str, by: str, note: str, config: str | None) -> None:
    from .. import times  # noqa: PLC0415
    from ..alerting import respond  # noqa: PLC0415
    from ..alerts import model  # noqa: PLC0415
    from ..store import alerts as records  # noqa: PLC0415

    with opened(config, delivers=True) as session:
        now = times.now()
        make: Any = getattr(model, kind)
        event: HumanEvent = make(by=by, at=now, note=note)
        with session.store.write() as tx:
            state = model.AlertState.from_dict(one_of(records.find(tx, alert), "alert", alert, "fingerprint"))
            decision = respond(tx, state, event, now, session.routing)
        if decision.refused:
            raise Failure(f"{state.host}, {state.check}: {decision.sentence}", ExitCode.USAGE)
        click.echo(f"{state.host}, {state.check}: {decision.sentence}")
        session.deliver_once()
