"""What to do for each host when Roundsman itself is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from .backups.recovery import best, for_runbook, future_last, password_reference
from .runner import inventory_of

# The same text that a backup saves beside its manifest.
TEXT = "ansible_collections.roundsman.fleet.plugins.module_utils.runbook"


def runbooks(known: Sequence[Mapping[str, Any]], inventories: Sequence[str], now: datetime) -> list[str]:
    """A runbook for each host, from its snapshots (newest first) and what the inventory says of its repository."""
    text_of = import_module(TEXT).runbook
    variables = inventory_of(inventories, None)
    texts = []
    for host in dict.fromkeys(row["host"] for row in known):
        mine = best(future_last([row for row in known if row["host"] == host], now))
        told = variables.get(host, {})
        environment = told.get("roundsman_repository_environment")
        access = {
            "password": password_reference(told.get("roundsman_repository_password")),
            "environment": sorted(environment) if isinstance(environment, Mapping) else [],
        }
        for repository in dict.fromkeys(row["repository"] for row in mine):
            sources = [for_runbook(row) for row in mine if row["repository"] == repository]
            texts.append(text_of(host, {**access, "repository": repository}, sources))
    return texts
