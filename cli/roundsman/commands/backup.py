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
    one_of,
    opened,
    print_json,
    run_options,
    run_playbook,
)
from .retention import hold, prune, release


@click.group()
def backup() -> None:
    """Make, list, verify and prune backups."""


for command in (prune, hold, release):
    backup.add_command(command)


@backup.command()
@click.option("--full", is_flag=True, help="Read all data again instead of only what changed.")
@click.option("--due", is_flag=True, help="Only sources whose newest snapshot is older than their `every` allows.")
@run_options
def run(full: bool, due: bool, **options: Any) -> None:
    """Back up what the inventory of each host says."""
    variables: dict[str, Any] = {"roundsman_backup_type": "full"} if full else {}
    run_playbook("backup", **options, variables=variables | ({"roundsman_backup_only_when_due": True} if due else {}))


@backup.command()
@click.option(
    "--level", type=click.Choice(["stored", "read", "restored", "proven"]), default="restored", show_default=True,
    help="The evidence wanted; each level includes the ones before.",
)  # fmt: skip
@run_options
def verify(level: str, **options: Any) -> None:
    """Verify the newest snapshot of every source."""
    run_playbook("verify", **options, variables={"roundsman_verify_level": level})


@backup.command()
@click.option("--source", "sources", multiple=True, help="Only this source (may be given several times).")
@click.option("--self-test", is_flag=True, help="After a proof that held, see that it fails on a damaged copy.")
@run_options
def drill(sources: tuple[str, ...], self_test: bool, **options: Any) -> None:
    """Prove the newest snapshots: start the applications from restored copies, on the drill host or their own."""
    variables = {"roundsman_drill_self_test": self_test, "roundsman_verify_sources": list(sources)}
    run_playbook("drill", **options, variables=variables)


@backup.command("list")
@click.option("--all", "everything", is_flag=True, help="Every snapshot, not only the newest of each source.")
@list_options
def list_(everything: bool, limit: str | None, inventories: tuple[str, ...], as_json: bool, config: str | None) -> None:
    """List the snapshots that are known, and the evidence for each."""
    from .. import times  # noqa: PLC0415
    from ..store import holds, snapshots  # noqa: PLC0415
    from ..views.draw import draw_snapshots  # noqa: PLC0415

    with opened(config) as session:
        hosts = hosts_meant(session.settings, inventories, limit)
        with session.store.read() as tx:
            found = holds.beside(tx, snapshots.held(tx, hosts), times.stamp(times.now()))
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


@backup.command()
@click.argument("snapshot")
@list_options
def show(snapshot: str, limit: str | None, inventories: tuple[str, ...], as_json: bool, config: str | None) -> None:
    """All that is known of one SNAPSHOT (its id, or the beginning of it), with every piece of evidence."""
    from ..store import evidence, snapshots  # noqa: PLC0415
    from ..views.snapshot import draw_snapshot  # noqa: PLC0415

    with opened(config) as session:
        hosts = hosts_meant(session.settings, inventories, limit)
        with session.store.read() as tx:
            found = one_of(snapshots.of_id(tx, snapshot, hosts), "snapshot", snapshot, "id")
            looks = evidence.of_snapshot(tx, found["host"], found["id"])
    if as_json:
        print_json({**found, "evidence": looks})
    else:
        draw_snapshot(console(), found, looks)
