"""The roles on this machine through ansible-playbook, and the modules under the oldest Python that hosts may have."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pythons import real_python

from .cast import PASSWORD, Anna, engines

OLDEST_PYTHON = real_python("3.8")
ANSIBLE = Path(sys.executable).parent


@pytest.fixture
def anna(tmp_path: Path) -> Anna:
    """With one restic: their differences end below the modules, and the fleet plays the roles with each."""
    if not engines():
        pytest.skip("restic is not installed")
    return Anna(tmp_path / "anna").with_repository()


def play(anna: Anna, playbook: str, *options: str, python: str = sys.executable, **variables: Any) -> tuple[int, str]:
    inventory = {
        "all": {
            "hosts": {"anna": {"ansible_connection": "local", "ansible_python_interpreter": python}},
            "vars": {
                "roundsman_repository": anna.repository,
                "roundsman_repository_password": PASSWORD,
                "roundsman_state_dir": str(anna.state),
                "roundsman_backup_become": False,
                "roundsman_backups": [{"id": "data", "type": "files", "paths": [str(anna.source)], "every": "24h"}],
                **variables,
            },
        }
    }
    path = anna.root / "inventory.json"
    path.write_text(json.dumps(inventory))
    argv = [str(ANSIBLE / "ansible-playbook"), "-i", str(path), f"roundsman.fleet.{playbook}", *options]
    said = subprocess.run(
        argv, env={**anna.env(), "ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False, cwd=anna.root
    )
    return said.returncode, said.stdout + said.stderr


def recap(output: str) -> dict[str, int]:
    line = next(line for line in output.splitlines() if line.startswith("anna "))
    return {key: int(value) for key, value in (word.split("=") for word in line.split(":")[1].split())}


def test_a_round_of_backup_verify_restore_prune(anna: Anna) -> None:
    anna.write("a")
    code, said = play(anna, "backup", "-vvv")
    assert code == 0, said
    assert recap(said)["changed"] == 1
    assert PASSWORD not in said
    code, said = play(anna, "verify", "-vvv")
    assert code == 0, said
    assert recap(said)["changed"] == 0
    assert PASSWORD not in said
    target = str(anna.root / "back")
    wanted = {"roundsman_restore_source": "data", "roundsman_restore_target": target}
    for changed in (1, 0):
        code, said = play(anna, "restore", **wanted)
        assert code == 0, said
        assert recap(said)["changed"] == changed
    play(anna, "backup")
    once = {"roundsman_retention": {"keep_last": 1}}
    for options, changed, left in ((("--check", "--diff"), 1, 2), ((), 1, 1), ((), 0, 1)):
        code, said = play(anna, "prune", *options, **once)
        assert code == 0, said
        assert (recap(said)["changed"], len(anna.snapshots())) == (changed, left)


def test_every_source_gets_its_turn(anna: Anna) -> None:
    anna.write("a")
    backups = [{"id": "gone", "paths": ["/nope"]}, {"id": "data", "paths": [str(anna.source)]}]
    code, said = play(anna, "backup", roundsman_backups=backups)
    assert code != 0
    assert "Not there: /nope" in said
    assert [s["source"] for s in anna.snapshots()] == ["data"]
    code, said = play(anna, "verify", roundsman_backups=backups)
    assert code != 0
    assert "gone of anna, snapshot none: unknown" in said


def test_check_mode_of_the_whole_role(anna: Anna) -> None:
    anna.write("a")
    code, said = play(anna, "backup", "--check")
    assert code == 0, said
    assert not anna.state.exists()
    assert anna.snapshots() == []


def test_one_faulty_definition_stops_everything(anna: Anna) -> None:
    anna.write("a")
    backups = [{"id": "data", "paths": [str(anna.source)]}, {"id": "other", "type": "filez", "paths": ["x"]}]
    code, said = play(anna, "backup", roundsman_backups=backups)
    assert code != 0
    assert "source other: type must be one of " in said
    assert anna.snapshots() == []


def test_prepare_says_what_to_install(anna: Anna) -> None:
    (anna.bin / "restic").unlink()
    tools = anna.root / "tools"
    tools.mkdir()
    for name in ("sh", "python3", "env", "rm", "mkdir", "sleep", "echo", "chmod", "cat", "id", "apt-get", "ls", "cp"):
        found = shutil.which(name)
        if found:
            (tools / name).symlink_to(found)
    path = f"{tools}:{ANSIBLE}"
    env = {**os.environ, "PATH": path}
    inventory = anna.root / "inventory.ini"
    inventory.write_text(f"anna ansible_connection=local ansible_python_interpreter={sys.executable}\n")
    said = subprocess.run(
        [str(ANSIBLE / "ansible-playbook"), "-i", str(inventory), "roundsman.fleet.prepare",
         "-e", "roundsman_install_engine=false"],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode != 0
    assert "sudo apt-get install restic" in said.stdout + said.stderr, said.stdout


@pytest.mark.skipif(OLDEST_PYTHON is None, reason="no Python 3.8 here")
def test_on_the_oldest_python(anna: Anna) -> None:
    anna.write("caf\u00e9")
    for playbook in ("backup", "verify"):
        code, said = play(anna, playbook, python=str(OLDEST_PYTHON))
        assert code == 0, said
