from __future__ import annotations

import click

from .common import (
    config_option,
    console,
    hosts_meant,
    json_option,
    list_options,
    one_of,
    opened,
    print_json,
    show,
)


@click.group()
def runs() -> None:
    """Look at past runs."""


@runs.command("list")
@click.option("-n", "--number", default=20, show_default=True, help="How many.")
@list_options
def list_(number: int, limit: str | None, inventories: tuple[str, ...], as_json: bool, config: str | None) -> None:
    """List the newest runs."""
    from ..store import runs as records  # noqa: PLC0415
    from ..views.draw import draw_runs  # noqa: PLC0415

    with opened(config) as session:
        hosts = hosts_meant(session.settings, inventories, limit)
        with session.store.read() as tx:
            found = records.newest(tx, number if hosts is None else None)
    if hosts is not None:
        found = [run for run in found if not set(hosts).isdisjoint(run["hosts"])][:number]
    if as_json:
        print_json(found)
    else:
        draw_runs(console(), found)


@runs.command("show")
@click.argument("run", default="last")
@click.option("-v", "--verbose", is_flag=True, help="Show what is well, too.")
@json_option
@config_option
def show_(run: str, verbose: bool, as_json: bool, config: str | None) -> None:
    """Show what a run found. RUN is its id, the beginning or the end of it, or `last`."""
    from ..store import runs as records  # noqa: PLC0415

    with opened(config) as session:
        with session.store.read() as tx:
            found = records.newest(tx, 1) if run == "last" else records.find(tx, run)
        show(session.report(one_of(found, "run", run, "id")["id"]), as_json=as_json, details=verbose)
