"""`backup find`, `backup diff`: what snapshots hold over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ..exits import ExitCode
from .common import Failure, config_option, console, inventory_option, json_option, load_settings, print_json


@click.command()
@click.argument("host")
@click.argument("pattern")
@click.option("--source", help="Only snapshots of this source.")
@click.option("--since", metavar="TIME", help="Only snapshots since then: 2026-11-24, '2026-11-24 12:00' (UTC), 2d.")
@json_option
@inventory_option
@config_option
def find(
    host: str, pattern: str, source: str | None, since: str | None, as_json: bool, inventories: tuple[str, ...],
    config: str | None,
) -> None:  # fmt: skip
    """Say which snapshots of HOST hold files that match PATTERN, and when they changed."""
    from ..views.browse import draw_found  # noqa: PLC0415
    from .restore import moment_option  # noqa: PLC0415

    variables = {
        "roundsman_find_pattern": pattern,
        "roundsman_find_source": source or "",
        "roundsman_find_since": moment_option(since, "--since"),
    }
    found = _asked("find", host, inventories, config, variables)["found"]
    if as_json:
        print_json(found)
    else:
        draw_found(console(), found)


@click.command()
@click.argument("host")
@click.argument("snapshot")
@click.argument("other", required=False)
@click.option("--live", is_flag=True, help="Compare with what is on the host now.")
@json_option
@inventory_option
@config_option
def diff(
    host: str, snapshot: str, other: str | None, live: bool, as_json: bool, inventories: tuple[str, ...],
    config: str | None,
) -> None:  # fmt: skip
    """Say what differs between SNAPSHOT of HOST and OTHER, the one before it, or what is live."""
    from ..views.browse import draw_diff  # noqa: PLC0415

    if other and live:
        raise click.UsageError("either OTHER or --live")
    variables = {"roundsman_diff_snapshot": snapshot, "roundsman_diff_other": other or "", "roundsman_diff_live": live}
    found = _asked("diff", host, inventories, config, variables)["diff_of"]
    if as_json:
        print_json(found)
    else:
        draw_diff(console(), found)


def _asked(
    what: str, host: str, inventories: tuple[str, ...], config: str | None, variables: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The answer of one host, of which nothing is recorded."""
    from ..asking import AskError, Request, ask  # noqa: PLC0415
    from ..runner import COLLECTION  # noqa: PLC0415

    settings = load_settings(config)
    request = Request(f"{COLLECTION}.{what}", inventories or tuple(settings.inventories), host, variables=variables)
    try:
        answers = ask(settings, request, f"{COLLECTION}.backup_{what}")
    except AskError as error:
        raise Failure(f"{host}: {error}", ExitCode.RUN_FAILED) from None
    if len(answers) != 1:
        raise Failure(f"{what} takes one HOST; {host} means {len(answers)}", ExitCode.USAGE)
    return next(iter(answers.values()))
