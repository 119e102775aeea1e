from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from .common import Failure, console, list_options, load_settings, print_json

if TYPE_CHECKING:
    from ..config import Settings
    from ..doctor import Finding


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
    from ..runner import InventoryError, check_inventories, read_inventory  # noqa: PLC0415
    from ..views.checkup import checkup, draw_checkup, failed_setup  # noqa: PLC0415

    controller = check_controller(os.environ, Path.home())
    reports = []
    try:
        settings = load_settings(config)
        chosen = inventories or tuple(settings.inventories)
        check_inventories(chosen)
        hosts, doubts = read_inventory(chosen, limit)
    except Failure as error:
        controller.append(failed_setup("configuration", error.message, "correct roundsman.yml"))
    except InventoryError as error:
        controller.append(failed_setup("inventory", str(error), "correct the inventory, or name another one with -i"))
    else:
        if not hosts and not doubts:
            controller.append(failed_setup("inventory", "no host is meant", "name hosts, or mean some with --limit"))
        remedy = "correct the inventory: no run is complete while a part of it cannot be read"
        controller += [failed_setup("inventory", doubt, remedy) for doubt in doubts]
        defaults = {"ansible_become": True} if become else {}
        targets = [target_of(name, variables, defaults) for name, variables in hosts.items()]
        timeout_s = settings.connect_timeout.total_seconds()
        reports = probe_all(targets, parallel=settings.forks, timeout_s=timeout_s)
        controller += _on_call(settings)
    found = checkup(controller, reports)
    if as_json:
        print_json(found.to_dict())
    else:
        draw_checkup(console(), found, details=verbose)
    sys.exit(found.exit_code)


def _on_call(settings: Settings) -> list[Finding]:
    """Schedules that leave a time to nobody, and calendars that cannot be read; nothing without schedules."""
    from .. import times  # noqa: PLC0415
    from ..doctor import Finding, Status  # noqa: PLC0415
    from ..oncall import duty  # noqa: PLC0415
    from ..store import Store, StoreError  # noqa: PLC0415
    from ..store import oncall as records  # noqa: PLC0415

    if not settings.alerts.schedules:
        return []
    now = times.now()
    try:
        with Store(settings.store_url).read() as tx:
            overrides = records.since(tx, now)
    except StoreError as error:
        return [Finding("oncall", Status.WARNING, str(error), "see who is on call: roundsman oncall next")]
    remedy = "correct alerts.schedules in roundsman.yml, or: roundsman oncall override add"
    warnings = [Finding("oncall", Status.WARNING, one, remedy) for one in duty(settings, overrides, now).warnings()]
    return warnings or [Finding("oncall", Status.OK, "somebody is on call at any time of the next 30 days")]
