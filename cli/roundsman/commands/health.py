from __future__ import annotations

from typing import Any

import click

from .common import run_options, run_playbook
from .group import CommandGroup


@click.command("health")
@run_options
def sweep(**options: Any) -> None:
    """Check every host's health; nothing else."""
    run_playbook("health", **options)


health = CommandGroup(sweep)
