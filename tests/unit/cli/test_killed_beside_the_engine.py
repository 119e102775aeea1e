"""Killed with -9 once the engine is done: the module before it answers, the controller before it writes that down."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from ..backup.test_backup import wait_for
from .test_command import BIN, Desk, needs_restic

pytestmark = needs_restic


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@contextmanager
def held_after_the_engine(desk: Desk) -> Iterator[tuple[psutil.Process, psutil.Process, Path]]:
    """A backup by the command; its engine is done, and still there while the file with its number exists. Command,
    module, file.
    """
    held, folder = desk.folder / "held", desk.folder / "bin"
    folder.mkdir(exist_ok=True)
    engine = f'{shutil.which("restic")} "$@"'
    holds = f"echo $$ > {held}.new; mv {held}.new {held}; while [ -e {held} ]; do sleep 0.05; done"
    script = f"case $1 in backup) {engine}; {holds}; exit;; esac"
    (folder / "restic").write_text(f"#!/bin/sh\n{script}\nexec {engine}\n")
    (folder / "restic").chmod(0o755)
    process = subprocess.Popen(
        [BIN / "roundsman", "backup", "run"],
        cwd=desk.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
    )  # fmt: skip
    command = psutil.Process(process.pid)
    try:
        wait_for(held.exists, 120)
        module = psutil.Process(int(held.read_text())).parent()
        assert module is not None
        yield command, module, held
        process.wait(120)
    finally:
        held.unlink(missing_ok=True)
        process.kill()


def listed(desk: Desk, what: str, *options: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(desk.run(what, "list", "--json", *options).stdout)
    return found


def test_both_kills_one_after_the_other(desk: Desk) -> None:
    with held_after_the_engine(desk) as (_command, module, _held):
        module.kill()
    (alert,) = listed(desk, "alerts")
    assert (alert["check"], alert["status"]) == ("backup:shop", "CRITICAL")
    assert listed(desk, "backup") == [], "nobody judged it"

    with held_after_the_engine(desk) as (command, module, held):
        (ansible,) = command.children()
        ansible.suspend()
        held.unlink()
        wait_for(lambda: not module.is_running(), 120)
        for victim in (*ansible.children(recursive=True), ansible, command):
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
    ledger = max((desk.folder / "state" / "ledger").glob("*.jsonl"))
    assert [json.loads(line)["kind"] for line in ledger.read_bytes().splitlines()] == ["run_started"]

    assert desk.run("backup", "run").returncode == 0
    assert [run["status"] for run in listed(desk, "runs")] == ["finished", "interrupted", "finished"]
    assert listed(desk, "alerts") == []
    # Newest first. The killed controller's is whole, and taken in without a record of its own.
    assert [one["complete"] for one in listed(desk, "backup", "--all")] == [True, True, False]
