from __future__ import annotations

from typing import Any

import click

from ..exits import ExitCode
from .common import (
    Failure,
    config_option,
    console,
    hosts_meant,
    inventory_option,
    list_options,
    opened,
    print_json,
    run_options,
    run_playbook,
)


@click.group()
def backup() -> None:
    """Make, list and verify backups."""


@backup.command()
@click.option("--full", is_flag=True, help="Read all data again instead of only what changed.")
@run_options
def run(full: bool, **options: Any) -> None:
    """Back up what the inventory of each host says."""
    run_playbook("backup", **options, variables={"roundsman_backup_type": "full"} if full else None)


@backup.command()
@click.option(
    "--level", type=click.Choice(["stored", "read", "restored", "proven"]), default="restored", show_default=True,
    help="The evidence wanted; each level includes the ones before.",
)  # fmt: skip
@run_options
def verify(level: str, **options: Any) -> None:
    """Verify the newest snapshot of every source."""
    run_playbook("verify", **options, variables={"roundsman_verify_level": level})


@backup.command("list")
@click.option("--all", "everything", is_flag=True, help="Every snapshot, not only the newest of each source.")
@list_options
def list_(everything: bool, limit: str | None, inventories: tuple[str, ...], as_json: bool, config: str | None) -> None:
    """List the snapshots that are known, and the evidence for each."""
    from ..store import snapshots  # noqa: PLC0415
    from ..views.draw import draw_snapshots  # noqa: PLC0415

    with opened(config) as session:
        hosts = hosts_meant(session.settings, inventories, limit)
        with session.store.read() as tx:
            found = snapshots.held(tx, hosts)
    if not everything:
        newest = {(row["host"], row["source"]): row for row in reversed(found)}
        found = [row for row in found if newest[row["host"], row["source"]] is row]
    if as_json:
        print_json(found)
    else:
        draw_snapshots(console(), found)


@backup.command()
@click.argument("host", required=False)
@inventory_option
@config_option
def runbook(host: str | None, inventories: tuple[str, ...], config: str | None) -> None:
    """Print how to restore HOST (or every host) without Roundsman. Contacts no host, shows no secret."""
    from ..runbook import runbooks  # noqa: PLC0415
    from ..runner import InventoryError  # noqa: PLC0415
    from ..store import snapshots  # noqa: PLC0415

    with opened(config) as session:
        with session.store.read() as tx:
            found = snapshots.held(tx, [host] if host else None)
        try:
            texts = runbooks(found, inventories or session.settings.inventories)
        except InventoryError as error:
            raise Failure(str(error), ExitCode.USAGE) from None
    if not texts:
        meant = host or "any host"
        raise Failure(f"no snapshot of {meant} is known; make one with: roundsman backup run", ExitCode.USAGE)
    click.echo("\n".join(texts))
