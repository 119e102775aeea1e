"""A step of a procedure without Ansible, and programs that say what a test wants them to say."""

from __future__ import annotations

import stat
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.journal import blank
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.step import Step

CACHES = {
    "packages": False, "journal_size": None, "journal_age": None, "temporary": False, "kernels": False,
    "kernels_keep": 1, "homes": [], "homes_older_than": "30d", "images": "none", "images_older_than": None,
    "build_cache_older_than": None,
    "directories": [], "evict": [], "lock_timeout_s": 0, "state_dir": None,
}  # fmt: skip


def a_step(defaults: dict[str, Any], *, check: bool = False, **params: Any) -> Step:
    module = SimpleNamespace(check_mode=check, params={**defaults, **params})
    return Step(module, blank("caches", "clean"), None, time.monotonic() + 600)


def program(folder: Path, name: str, script: str) -> None:
    """A program of that name, which notes how it was called."""
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >> {folder}/calls\n{script}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def calls(folder: Path) -> list[str]:
    path = folder / "calls"
    return path.read_text().splitlines() if path.exists() else []


def actions(step: Step) -> list[tuple[str, str, int | None]]:
    return [(one["action"], one["target"], one["size_bytes"]) for one in step.record["actions"]]
