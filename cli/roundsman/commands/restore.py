from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..exits import ExitCode
from .common import Failure, console, opened, print_json, run_once, run_options, show

if TYPE_CHECKING:
    from ..backups.recovery import Plan
    from ..session import Session

PLAYBOOK = "roundsman.fleet.restore"


@click.command()
@click.argument("host")
@click.option("--at", metavar="TIME", help="Newest snapshot not newer than: 2026-11-24, '2026-11-24 12:00' (UTC), 2d.")
@click.option("--snapshot", metavar="ID", help="This snapshot, or the beginning of its id.  [default: the newest]")
@click.option("--source", help="Source to restore, as the inventory names it.  [default: all of HOST]")
@click.option("--path", "paths", multiple=True, help="Restore only this path (may be given several times).")
@click.option("--to", "target", metavar="DIR", help="Directory to restore into; paths keep their full name below.")
@click.option("--in-place", is_flag=True, help="Put everything back to where it came from.")
@click.option("--on", "other", metavar="OTHER_HOST", help="Restore on this host of the inventory instead.")
@click.option("--overwrite", is_flag=True, help="With --to: into a directory that holds something already.")
@click.option("--delete", is_flag=True, help="In place: remove files that the snapshot does not know.")
@click.option("--no-safety", is_flag=True, help="In place: make no snapshot of what is there now.")
@click.option("-y", "--yes", is_flag=True, help="In place: do not ask.")
@run_options
def restore(
    host: str, at: str | None, snapshot: str | None, source: str | None, paths: tuple[str, ...], target: str | None,
    in_place: bool, other: str | None, overwrite: bool, delete: bool, no_safety: bool, yes: bool, check: bool,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Get a source of HOST back, into a directory or in place; compared with its manifest.

    The plan is shown first. With neither --to nor --in-place that is all; with --check, too.
    """
    _refuse_contradictions(target, in_place, at, snapshot, source, paths, options.pop("limit"))
    wanted = {
        "roundsman_restore_source": source or "",
        "roundsman_restore_snapshot": snapshot or "latest",
        "roundsman_restore_at": moment_option(at, "--at"),
        "roundsman_restore_paths": list(paths),
        "roundsman_restore_target": target or "",
        "roundsman_restore_in_place": not target,
        "roundsman_restore_on": other or "",
        "roundsman_restore_overwrite": overwrite,
        "roundsman_restore_delete": delete,
        "roundsman_restore_safety": not no_safety,
    }
    with opened(options.pop("config"), delivers=True) as session:
        inventories = options["inventories"]
        _require_hosts(session, inventories, host, other)
        plans = _plans(session, inventories, host, wanted)
        plan_only = check or not (target or in_place)
        _show(plans, only=plan_only, as_json=as_json, delete=delete, safety=not no_safety)
        if plan_only:
            click.echo(
                "Nothing was restored" + (": that takes --in-place or --to DIR." if not check else "."), err=True
            )
            return
        if in_place and not yes and any(not one.nothing_to_do for one in plans):
            _agree(host, other)
        wanted["roundsman_restore_snapshots"] = {one.source: one.snapshot for one in plans}
        report = run_once(
            session, "restore", inventories, host, check=False, verbose=options["verbose"], variables=wanted
        )
        show(report, as_json=as_json, details=options["verbose"] > 0)
    sys.exit(report.exit_code)


def _refuse_contradictions(
    target: str | None, in_place: bool, at: str | None, snapshot: str | None, source: str | None,
    paths: Sequence[str], limit: str | None,
) -> None:  # fmt: skip
    if limit:
        raise click.UsageError("restore takes one HOST, not --limit")
    if target and in_place:
        raise click.UsageError("either --to DIR or --in-place")
    if target and not Path(target).is_absolute():
        raise click.BadParameter("must be an absolute path on the host", param_hint="--to")
    if at and snapshot:
        raise click.UsageError("either --at TIME or --snapshot ID")
    if (snapshot or paths) and not source:
        raise click.UsageError("--snapshot and --path need the --source that they belong to")


def moment_option(at: str | None, hint: str) -> str:
    """The moment that an option means, RFC 3339; empty without one."""
    if not at:
        return ""
    from ..backups.recovery import time_meant  # noqa: PLC0415
    from ..times import now  # noqa: PLC0415

    try:
        return time_meant(at, now())
    except ValueError as error:
        raise click.BadParameter(f"{at!r} {error}", param_hint=hint) from None


def _require_hosts(session: Session, inventories: tuple[str, ...], *names: str | None) -> None:
    """A name, not a pattern: nobody restores several hosts by accident."""
    from ..runner import InventoryError, check_inventories, inventory_of  # noqa: PLC0415

    chosen = inventories or session.settings.inventories
    try:
        check_inventories(chosen)
        known = inventory_of(chosen, None)
    except InventoryError as error:
        raise Failure(str(error), ExitCode.USAGE) from None
    for name in names:
        if name and name not in known:
            raise Failure(f"there is no host {name} in the inventory; nothing was restored", ExitCode.USAGE)


def _plans(session: Session, inventories: tuple[str, ...], host: str, wanted: dict[str, Any]) -> list[Plan]:
    """What the host says it would do, beside what is recorded of the snapshots."""
    from ..asking import AskError, Request, ask  # noqa: PLC0415
    from ..backups.recovery import plan  # noqa: PLC0415
    from ..store import snapshots  # noqa: PLC0415
    from ..times import now  # noqa: PLC0415

    chosen = inventories or tuple(session.settings.inventories)
    request = Request(PLAYBOOK, chosen, host, check=True, variables=wanted)
    try:
        answer = ask(session.settings, request, "roundsman.fleet.backup_restore")[host]
    except AskError as error:
        raise Failure(f"no plan for {host}, so nothing was restored: {error}", ExitCode.RUN_FAILED) from None
    with session.store.read() as tx:
        known = snapshots.held(tx, [host])
    return [
        plan(
            one["restore"], [row for row in known if row["source"] == one["restore"]["source"]], now(),
            nothing_to_do=not one["changed"],
        )
        for one in answer["results"]
    ]  # fmt: skip


def _show(plans: Sequence[Plan], *, only: bool, as_json: bool, delete: bool, safety: bool) -> None:
    from ..times import now  # noqa: PLC0415
    from ..views.recovery import draw_plans  # noqa: PLC0415

    if as_json and only:
        print_json({"plan": [one.to_dict() for one in plans]})
    else:
        draw_plans(console(stderr=not only), plans, now(), delete=delete, safety=safety)


def _agree(host: str, other: str | None) -> None:
    if not sys.stdin.isatty():
        raise Failure(
            "a restore in place needs a terminal to agree on, or --yes; nothing was restored", ExitCode.USAGE
        )  # fmt: skip
    if not click.confirm(f"Overwrite this on {other or host}?", err=True):
        raise Failure("not agreed to; nothing was restored", ExitCode.USAGE)
