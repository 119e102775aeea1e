"""A playbook run for real: what it is given, and what of that is written down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import yaml

from roundsman.runner import Execution, Job

SECRET = "correct-horse-battery-staple"
PLAY = {
    "hosts": "localhost",
    "gather_facts": False,
    "tasks": [
        {"ansible.builtin.assert": {"that": f"lookup('env', 'ROUNDSMAN_REPOSITORY_PASSWORD') == '{SECRET}'"}},
    ],
}


class Watch:
    """A plugin of ansible-runner that notes, at every status, the files on the disk that have the secret in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.statuses: list[str] = []
        self.written: list[str] = []

    def status_handler(self, _config: Any, data: Mapping[str, Any]) -> None:
        self.statuses.append(data["status"])
        files = [file for file in self.folder.rglob("*") if file.is_file() and not file.is_symlink()]
        self.written += [file.name for file in files if SECRET.encode() in file.read_bytes()]

    def event_handler(self, _config: Any, _event: Mapping[str, Any]) -> None:
        pass


def test_secrets_reach_the_playbook_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDSMAN_REPOSITORY_PASSWORD", SECRET)
    playbook = tmp_path / "play.yml"
    playbook.write_text(yaml.safe_dump([PLAY]))
    job = Job(
        run_id="01K00000000000000000000000", playbook=str(playbook), inventories=["localhost,"],
        ledger_dir=tmp_path / "ledger", work_dir=tmp_path / "work" / "run", state_dir=tmp_path / "state",
    )  # fmt: skip
    watch = Watch(tmp_path / "work")
    monkeypatch.setitem(ansible_runner.plugins, "watch", watch)
    execution = Execution(job)
    execution.start()
    assert execution.wait(120)
    assert (execution.error, execution.rc) == (None, 0), execution.last_words
    assert watch.statuses == ["starting", "running", "successful"]
    assert watch.written == []
    assert not job.work_dir.exists()
