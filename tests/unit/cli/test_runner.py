"""A playbook run for real: what it is given, and what of that is written down."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import yaml

from roundsman.runner import Execution, Job

SECRET = "correct-horse-battery-staple"
RIGHT = {"ansible.builtin.assert": {"that": f"lookup('env', 'ROUNDSMAN_REPOSITORY_PASSWORD') == '{SECRET}'"}}


class Watch:
    """A plugin of ansible-runner that notes, at every status, the files on the disk that have the secret in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.statuses: list[str] = []
        self.written: list[str] = []

    def status_handler(self, _config: Any, data: Mapping[str, Any]) -> None:
        self.statuses.append(data["status"])
        for file in self.folder.rglob("*"):
            # Ansible is at work there already, and may take away what it wrote.
            with contextlib.suppress(FileNotFoundError):
                if file.is_file() and not file.is_symlink() and SECRET.encode() in file.read_bytes():
                    self.written.append(file.name)

    def event_handler(self, _config: Any, _event: Mapping[str, Any]) -> None:
        pass


def play(tmp_path: Path, task: Mapping[str, Any]) -> Job:
    """Run a task on this machine, which goes well."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    job = Job(
        run_id="01K00000000000000000000000", playbook=str(playbook), inventories=["localhost,"],
        ledger_dir=tmp_path / "ledger", work_dir=tmp_path / "work" / "run", state_dir=tmp_path / "state",
    )  # fmt: skip
    execution = Execution(job)
    execution.start()
    assert execution.wait(300)
    assert (execution.error, execution.rc) == (None, 0), execution.last_words
    return job


@pytest.mark.parametrize(("own", "interval_s"), [(None, 0.02), ("[defaults]\nforks = 3\n", 0.001)])
def test_ansible_waits_patiently_unless_a_person_configured_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str | None, interval_s: float
) -> None:
    monkeypatch.delenv("ANSIBLE_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    if own:
        (tmp_path / ".ansible.cfg").write_text(own)
    asked = {"that": f"lookup('ansible.builtin.config', 'DEFAULT_INTERNAL_POLL_INTERVAL') == {interval_s}"}
    play(tmp_path, {"ansible.builtin.assert": asked})


def test_secrets_reach_the_playbook_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDSMAN_REPOSITORY_PASSWORD", SECRET)
    watch = Watch(tmp_path / "work")
    monkeypatch.setitem(ansible_runner.plugins, "watch", watch)
    job = play(tmp_path, RIGHT)
    assert watch.statuses == ["starting", "running", "successful"]
    assert watch.written == []
    assert not job.work_dir.exists()
