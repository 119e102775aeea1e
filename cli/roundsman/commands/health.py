from __future__ import annotations

import sys
from typing import Any

import click

from ..exits import ExitCode
from .common import (
    Failure,
    config_option,
    console,
    inventory_option,
    json_option,
    load_settings,
    print_json,
    run_options,
    run_playbook,
)
from .group import CommandGroup


@click.command("health")
@run_options
def sweep(**options: Any) -> None:
    """Check every host's health; nothing else."""
    run_playbook("health", **options)


health = CommandGroup(sweep)


@health.command()
@click.argument("host")
@json_option
@inventory_option
@config_option
def explain(host: str, as_json: bool, inventories: tuple[str, ...], config: str | None) -> None:
    """Say where each check of HOST, and each of its keys, comes from. Contacts no host."""
    from ..runner import COLLECTION, InventoryError, check_inventories  # noqa: PLC0415
    from ..session import AskError, Request, ask  # noqa: PLC0415
    from ..views.explain import draw_explanation  # noqa: PLC0415

    settings = load_settings(config)
    chosen = inventories or tuple(settings.inventories)
    try:
        check_inventories(chosen)
        answers = ask(settings, Request(f"{COLLECTION}.explain", chosen, host), f"{COLLECTION}.health_explain")
    except (InventoryError, AskError) as error:
        raise Failure(str(error), ExitCode.USAGE) from None
    explained = [
        {"host": name, "checks": answer["checks"], "faults": answer["faults"]}
        for name, answer in sorted(answers.items())
    ]
    if as_json:
        print_json(explained)
    else:
        draw_explanation(console(), explained)
    if any(one["faults"] for one in explained):
        sys.exit(ExitCode.USAGE)
