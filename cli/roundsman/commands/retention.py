"""`backup prune`, `backup hold`, `backup release`."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Any

import click

from ..exits import ExitCode
from .common import Failure, config_option, one_of, opened, run_once, run_options, show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..store import Transaction

by_option = click.option("--by", default=getpass.getuser, metavar="NAME", help="Who.  [default: you]")


@click.command()
@click.option("--force", is_flag=True, help="Remove what no rule keeps, however much it is.")
@run_options
def prune(
    force: bool, config: str | None, inventories: tuple[str, ...], limit: str | None, check: bool, as_json: bool,
    verbose: int,
) -> None:  # fmt: skip
    """Remove the snapshots that no rule keeps. What is on hold or best proven stays."""
    from .. import times  # noqa: PLC0415
    from ..store import holds  # noqa: PLC0415

    with opened(config, delivers=True) as session:
        with session.store.read() as tx:
            known = holds.for_retention(tx, times.stamp(times.now()))
        variables = {"roundsman_prune_force": force, "roundsman_prune_records": known}
        report = run_once(session, "prune", inventories, limit, check=check, verbose=verbose, variables=variables)
        show(report, as_json=as_json, details=verbose > 0)
    sys.exit(report.exit_code)


@click.command()
@click.argument("snapshot")
@click.option("--until", required=True, metavar="WHEN", help="2026-12-31 (that day included, UTC), 30d, or RFC 3339.")
@click.option("--why", required=True, metavar="TEXT", help="Why it must stay.")
@by_option
@config_option
def hold(snapshot: str, until: str, why: str, by: str, config: str | None) -> None:
    """Keep retention from removing a snapshot. SNAPSHOT is its id or the beginning of it."""
    from .. import times  # noqa: PLC0415
    from ..store import holds  # noqa: PLC0415

    now = times.now()
    try:
        end = times.stamp(times.ending(until, now))
    except ValueError as error:
        raise Failure(f"--until {until} {error}", ExitCode.USAGE) from None
    with opened(config) as session, session.store.write() as tx:
        meant = _meant(tx, snapshot)
        holds.hold(tx, meant, until=end, why=why, by=by, made_at=times.stamp(now))
    click.echo(f"{meant['id'][:8]}, {meant['source']} of {meant['host']}: on hold until {end}")


@click.command()
@click.argument("snapshot")
@click.option("--why", default="no reason given", metavar="TEXT", help="Why it may go.")
@by_option
@config_option
def release(snapshot: str, why: str, by: str, config: str | None) -> None:
    """End the hold on a snapshot: retention may remove it again. Who did it and why stays on record."""
    from .. import times  # noqa: PLC0415
    from ..store import holds  # noqa: PLC0415

    with opened(config) as session, session.store.write() as tx:
        meant = _meant(tx, snapshot)
        if not holds.release(tx, meant, at=times.stamp(times.now()), by=by, why=why):
            raise Failure(f"{meant['id'][:8]} is not on hold", ExitCode.USAGE)
    click.echo(f"{meant['id'][:8]}, {meant['source']} of {meant['host']}: no longer on hold")


def _meant(tx: Transaction, snapshot: str) -> Mapping[str, Any]:
    from ..store import holds  # noqa: PLC0415

    return one_of(holds.find(tx, snapshot), "snapshot", snapshot, "id")
