from __future__ import annotations

from typing import Any

import click

from .common import run_options, run_playbook


@click.command()
@run_options
def rounds(**options: Any) -> None:
    """Check every host's health, back up what its inventory says, prove it by restoring, record, alert."""
    run_playbook("rounds", **options)
