"""`alerts why`: the reasons behind what people heard, and did not hear."""

from __future__ import annotations

import click

from ..exits import ExitCode
from .common import Failure, config_option, console, json_option, one_of, opened, print_json


@click.command()
@click.argument("alert")
@json_option
@config_option
def why(alert: str, as_json: bool, config: str | None) -> None:
    """Explain who is told of an alert and who is not, and why. ALERT is its id or the beginning of it."""
    from .. import times  # noqa: PLC0415
    from ..alerts.groups import GroupState  # noqa: PLC0415
    from ..alerts.model import AlertState  # noqa: PLC0415
    from ..alerts.reasons import why as reasons_of  # noqa: PLC0415
    from ..store import alerts as records  # noqa: PLC0415
    from ..store import groups as known  # noqa: PLC0415
    from ..telling import rules_with  # noqa: PLC0415
    from ..views.reasons import draw_reasons, shown  # noqa: PLC0415

    now = times.now()
    with opened(config) as session, session.store.read() as tx:
        state = AlertState.from_dict(one_of(records.find(tx, alert), "alert", alert, "fingerprint"))
        tree = session.settings.alerts.tree()
        if tree is None:
            raise Failure("nobody is told: roundsman.yml has no alerts.receivers", ExitCode.USAGE)
        groups = {group.id: group for group in map(GroupState.from_dict, known.every(tx))}
        states = map(AlertState.from_dict, records.listed(tx))
        reasons = reasons_of(state, states, groups, rules_with(tx, session.settings, tree, now), now)
        timeline = records.timeline_of(tx, state.fingerprint)
    if as_json:
        print_json({**shown(reasons), "timeline": timeline})
    else:
        draw_reasons(console(), state, reasons, timeline)
