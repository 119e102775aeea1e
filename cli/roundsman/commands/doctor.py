from __future__ import annotations

import sys

import click

from .common import Failure, console, list_options, load_settings, print_json


@click.command()
@click.option("--become", is_flag=True, help="Try privilege escalation on every host, as backups need it.")
@click.option("-v", "--verbose", is_flag=True, help="Show what is well, too.")
@list_options
def doctor(
    become: bool, verbose: bool, as_json: bool, limit: str | None, inventories: tuple[str, ...], config: str | None
) -> None:
    """Test configuration, inventory, Ansible, and the way to every host. Changes nothing."""
    import os  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from ..doctor import check_controller, probe_all, target_of  # noqa: PLC0415
    from ..runner import InventoryError, check_inventories, inventory_of  # noqa: PLC0415
    from ..views.checkup import checkup, draw_checkup, failed_setup  # noqa: PLC0415

    controller = check_controller(os.environ, Path.home())
    reports = []
    try:
        settings = load_settings(config)
        chosen = inventories or tuple(settings.inventories)
        check_inventories(chosen)
        hosts = inventory_of(chosen, limit)
    except Failure as error:
        controller.append(failed_setup("configuration", error.message, "correct roundsman.yml"))
    except InventoryError as error:
        controller.append(failed_setup("inventory", str(error), "correct the inventory, or name another one with -i"))
    else:
        defaults = {"ansible_become": True} if become else {}
        targets = [target_of(name, variables, defaults) for name, variables in hosts.items()]
        timeout_s = settings.connect_timeout.total_seconds()
        reports = probe_all(targets, parallel=settings.forks, timeout_s=timeout_s)
    found = checkup(controller, reports)
    if as_json:
        print_json(found.to_dict())
    else:
        draw_checkup(console(), found, details=verbose)
    sys.exit(found.exit_code)
