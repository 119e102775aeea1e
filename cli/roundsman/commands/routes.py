"""`alerts route`: what becomes of an alert with these labels."""

from __future__ import annotations

import click

from ..exits import ExitCode
from .common import Failure, config_option, console, json_option, load_settings, print_json


@click.command()
@click.option("--labels", "text", default="", metavar="NAME=VALUE,...", help="Labels of the alert.  [default: none]")
@click.option("--at", "when", metavar="TIME", help="RFC 3339, such as 2026-12-24T23:30:00+01:00.  [default: now]")
@json_option
@config_option
def route(text: str, when: str | None, as_json: bool, config: str | None) -> None:
    """Explain who would be told of an alert: every route that was tried, and why it took the alert or not."""
    from .. import times  # noqa: PLC0415
    from ..alerts.matchers import MatcherError, labels_from  # noqa: PLC0415
    from ..alerts.routing import trace  # noqa: PLC0415
    from ..views.routes import draw_steps, shown  # noqa: PLC0415

    try:
        labels = labels_from(text)
        at = times.instant(when) if when else times.now()
    except MatcherError as error:
        raise Failure(f"--labels: {error}", ExitCode.USAGE) from None
    except ValueError as error:
        raise Failure(f"--at {when} {error}", ExitCode.USAGE) from None
    alerts = load_settings(config).alerts
    tree = alerts.tree()
    if tree is None:
        raise Failure("nobody would be told: roundsman.yml has no alerts.receivers", ExitCode.USAGE)
    steps = trace(tree, labels)
    notes = alerts.alertmanager.notes() if alerts.alertmanager else []
    if as_json:
        print_json(shown(steps, labels, at, alerts.rules.intervals(), notes))
    else:
        draw_steps(console(), steps, labels, at, alerts.rules.intervals(), notes)
