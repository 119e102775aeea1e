from __future__ import annotations

import click

from .common import (
    config_option,
    console,
    hosts_meant,
    json_option,
    list_options,
    one_of,
    opened,
    print_json,
)
from .response import ack, assign, note, resolve, stats, unack
from .routes import route
from .silences import silence
from .trial import test
from .why import why


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
    from ..alerts.escalation import Escalation  # noqa: PLC0415
    from ..alerts.model import AlertState  # noqa: PLC0415
    from ..store import alerts as records  # noqa: PLC0415
    from ..store import escalations, outbox  # noqa: PLC0415
    from ..views.draw import draw_alert  # noqa: PLC0415
    from ..views.response import draw_escalation  # noqa: PLC0415

    with opened(config) as session, session.store.read() as tx:
        state = one_of(records.find(tx, alert), "alert", alert, "fingerprint")
        timeline = records.timeline_of(tx, state["fingerprint"])
        deliveries = outbox.deliveries_of(tx, state["fingerprint"])
        escalating = escalations.of_alert(tx, state["fingerprint"])
    if as_json:
        print_json({"alert": state, "timeline": timeline, "deliveries": deliveries, "escalations": escalating})
    else:
        draw_alert(console(), AlertState.from_dict(state), timeline, deliveries)
        policies = session.settings.alerts.policies()
        for receiver, plain in escalating.items():
            draw_escalation(console(), receiver, Escalation.from_dict(plain), policies.get(receiver))


for command in (ack, unack, resolve, assign, note, stats, route, silence, test, why):
    alerts.add_command(command)
