from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..exits import ExitCode
from .browse import diff, find
from .common import (
    Failure,
    config_option,
    console,
    hosts_meant,
    inventory_option,
    json_option,
    list_options,
    one_of,
    opened,
    print_json,
    run_once,
    run_options,
    run_playbook,
)
from .retention import hold, prune, release

due_option = click.option("--due", is_flag=True, help="Only sources whose evidence is older than their plan allows.")
source_option = click.option(
    "--source", "sources", multiple=True, metavar="ID", help="Only this source (may be given several times)."
)


@click.group()
def backup() -> None:
    """Make, list, verify and prune backups."""


for command in (find, diff, prune, hold, release):
    backup.add_command(command)


@backup.command()
@click.option("--full", is_flag=True, help="Read all data again instead of only what changed.")
@click.option("--due", is_flag=True, help="Only sources whose newest complete snapshot is older than their `every`.")
@run_options
def run(full: bool, due: bool, **options: Any) -> None:
    """Back up what the inventory of each host says."""
    variables = {"roundsman_backup_type": "full"} if full else {}
    run_playbook("backup", **options, variables={**variables, "roundsman_backup_due_only": due})


@backup.command()
@click.option(
    "--level", type=click.Choice(["stored", "read", "restored", "proven"]), default="restored", show_default=True,
    help="The evidence wanted; each level includes the ones before.",
)  # fmt: skip
@due_option
@source_option
@run_options
def verify(level: str, due: bool, sources: tuple[str, ...], **options: Any) -> None:
    """Verify the newest snapshot of every source."""
    variables = _chosen(level, due, sources, options["config"])
    run_playbook("verify", **options, variables={**variables, "roundsman_verify_level": level})


@backup.command()
@due_option
@source_option
@click.option("--self-test", is_flag=True, help="After a proof that held, see that it fails on a damaged copy.")
@run_options
def drill(due: bool, sources: tuple[str, ...], self_test: bool, **options: Any) -> None:
    """Start every application from its restored copy, on its drill host, and compare its answers."""
    variables = _chosen("proven", due, sources, options["config"])
    # Unset, the inventory has its say.
    tested = {"roundsman_drill_self_test": True} if self_test else {}
    run_playbook("drill", **options, variables={**variables, **tested})


def _chosen(level: str, due: bool, sources: tuple[str, ...], config: str | None) -> dict[str, Any]:
    """The variables that say which sources are looked at."""
    if not due:
        return {"roundsman_verify_sources": list(sources)}
    from ..backups.due import fresh  # noqa: PLC0415
    from ..store import objectives  # noqa: PLC0415
    from ..times import now  # noqa: PLC0415

    with opened(config, delivers=True) as session, session.store.read() as tx:
        left_out = fresh(objectives.known(tx, now()), level, now())
    return {"roundsman_verify_sources": list(sources), "roundsman_verify_fresh": left_out}


@backup.command()
@run_options
def reindex(**options: Any) -> None:
    """Learn again from the repositories what they hold, for a store that was lost or has missed something."""
    run_playbook("reindex", **options)


@backup.command("list")
@click.option("--all", "everything", is_flag=True, help="Every snapshot, not only the newest of each source.")
@list_options
def list_(everything: bool, limit: str | None, inventories: tuple[str, ...], as_json: bool, config: str | None) -> None:
    """List the snapshots that are known, and the evidence for each."""
    from .. import keeping, times  # noqa: PLC0415
    from ..backups.recovery import future_last  # noqa: PLC0415
    from ..views.snapshots import draw_snapshots  # noqa: PLC0415

    with opened(config) as session:
        hosts = hosts_meant(session.settings, inventories, limit)
        with session.store.read() as tx:
            found = keeping.held(tx, hosts, times.now())
    if not everything:
        newest = {(row["host"], row["source"]): row for row in reversed(future_last(found, times.now()))}
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
    from .. import times  # noqa: PLC0415
    from ..runbook import runbooks  # noqa: PLC0415
    from ..runner import InventoryError  # noqa: PLC0415
    from ..store import snapshots  # noqa: PLC0415

    with opened(config) as session:
        with session.store.read() as tx:
            found = snapshots.held(tx, [host] if host else None)
        try:
            texts = runbooks(found, inventories or session.settings.inventories, times.now())
        except InventoryError as error:
            raise Failure(str(error), ExitCode.USAGE) from None
    if not texts:
        meant = host or "any host"
        raise Failure(f"no snapshot of {meant} is known; make one with: roundsman backup run", ExitCode.USAGE)
    click.echo("\n".join(texts))


@backup.command()
@click.argument("snapshot")
@json_option
@config_option
def show(snapshot: str, as_json: bool, config: str | None) -> None:
    """Show one snapshot, all evidence for it and all holds on it. SNAPSHOT is its id or the beginning of it."""
    from .. import keeping, times  # noqa: PLC0415
    from ..store import holds, snapshots  # noqa: PLC0415
    from ..views.snapshots import draw_snapshot  # noqa: PLC0415

    now = times.now()
    with opened(config) as session, session.store.read() as tx:
        one = one_of(snapshots.find(tx, snapshot), "snapshot", snapshot, "id")
        one = keeping.looked_at(tx, one, now)
        evidence = snapshots.evidence_of(tx, one["host"], one["source"], one["id"])
        on_hold = holds.of(tx, one, times.stamp(now))
    if as_json:
        print_json({"snapshot": one, "evidence": evidence, "holds": on_hold})
    else:
        draw_snapshot(console(), one, evidence, on_hold)


@backup.command()
@click.option("--last", is_flag=True, help="Contact no host: show what the last look found.")
@run_options
def coverage(last: bool, **options: Any) -> None:
    """Find databases and data directories that no source saves, and say which lines would."""
    from dataclasses import asdict  # noqa: PLC0415

    from .. import times  # noqa: PLC0415
    from ..assurance import coverage_of  # noqa: PLC0415
    from ..views.coverage import draw_coverage  # noqa: PLC0415

    as_json, config = options.pop("as_json"), options.pop("config")
    inventories, limit = options.pop("inventories"), options.pop("limit")
    with opened(config, delivers=not last) as session:
        hosts = hosts_meant(session.settings, inventories, limit or "all") or []
        report = None if last else run_once(session, "coverage", inventories, limit, **options)
        gaps, counts = coverage_of(session.store, hosts, times.now())
    if as_json:
        print_json({"hosts": hosts, "counts": counts, "gaps": [asdict(gap) for gap in gaps]})
    else:
        draw_coverage(console(), gaps, counts, len(hosts))
    sys.exit((report.exit_code if report else 0) or (ExitCode.WARNINGS if gaps else ExitCode.FINE))


@backup.command()
@click.option("--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write a page to keep or print.")
@list_options
def report(
    page: Path | None, limit: str | None, inventories: tuple[str, ...], as_json: bool, config: str | None
) -> None:
    """What can be restored, as of when, how long it takes, and what is the proof. Contacts no host."""
    from dataclasses import asdict  # noqa: PLC0415

    from .. import times  # noqa: PLC0415
    from ..assurance import backup_report  # noqa: PLC0415
    from ..views.backup_report import draw_backup_report  # noqa: PLC0415

    with opened(config) as session:
        hosts = hosts_meant(session.settings, inventories, limit or "all") or []
        found = backup_report(session.store, hosts, times.now())
        if page:
            from ..views.backup_page import backup_page  # noqa: PLC0415

            page.write_text(backup_page(found), encoding="utf-8")
    if as_json:
        print_json(asdict(found))
    elif page:
        click.echo(f"written  {page}")
    else:
        draw_backup_report(console(), found)
    sys.exit(ExitCode.WARNINGS if found.is_amiss else ExitCode.FINE)
