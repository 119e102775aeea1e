from __future__ import annotations

import click

from .common import config_option, json_option, opened, print_json


@click.command()
@json_option
@config_option
def tick(as_json: bool, config: str | None) -> None:
    """Do what is due by now: read records, judge clocks, end acknowledgements, tell people, deliver, escalate.

    To be run by a timer every minute (`roundsman init` writes units for systemd). Says something only when something
    was done or is wrong.
    """
    from ..ticking import tick as make  # noqa: PLC0415

    with opened(config, delivers=True) as session:
        done = make(session)
    if as_json:
        print_json(done.to_dict())
        return
    if done.attempts:
        click.echo(f"{done.attempts} deliveries tried, {done.waiting} messages waiting")
    for name, said in done.failed.items():
        click.echo(f"{name}: {said}", err=True)
