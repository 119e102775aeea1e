from __future__ import annotations

from typing import Any

import click

from .common import run_options, run_playbook


@click.command()
@run_options
def health(**options: Any) -> None:
    """Check every host's health; nothing else."""
    run_playbook("health", **options)
