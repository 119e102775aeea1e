"""`roundsman init`: files to begin with, and units that systemd takes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from roundsman.config import load

COMMAND = Path(sys.executable).with_name("roundsman")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    # By a relative path, as people do.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "roundsman").symlink_to(COMMAND)
    done = subprocess.run(["bin/roundsman", "init", "fleet"], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return tmp_path / "fleet"


def test_the_configuration_loads_and_nothing_is_overwritten(written: Path) -> None:
    assert load(str(written / "roundsman.yml")).inventory
    (written / "inventory/hosts.yml").write_text("mine")
    subprocess.run([COMMAND, "init", written], check=True, capture_output=True)
    assert (written / "inventory/hosts.yml").read_text() == "mine"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(written: Path) -> None:
    units = sorted(map(str, (written / "systemd").iterdir()))
    assert len(units) == 4
    # The names by which units are found, and those of machines that have no systemd running.
    said = subprocess.run(["systemd-analyze", "verify", *units], check=False, capture_output=True, text=True)
    assert (said.returncode, said.stderr.count("roundsman-")) == (0, 0), said.stderr


def test_names_and_places_are_written_as_they_are(tmp_path: Path) -> None:
    hosts = ["web1.example.org", "db", "yes", "10.0", "::1", "a: b", 'quo"ted']
    folder = tmp_path / "50% of my $fleet"
    arguments = [argument for host in hosts for argument in ("--host", host)]
    subprocess.run([COMMAND, "init", folder, *arguments], check=True, capture_output=True)
    assert list(yaml.safe_load((folder / "inventory/hosts.yml").read_text())["all"]["hosts"]) == hosts
    unit = (folder / "systemd/roundsman-tick.service").read_text()
    assert f'ExecStart={COMMAND} tick --config "{tmp_path}/50%% of my $$fleet/roundsman.yml"\n' in unit


def test_a_place_that_takes_no_files_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "inventory").touch()
    for place in (tmp_path, tmp_path / "inventory" / "below"):
        done = subprocess.run([COMMAND, "init", place], check=False, capture_output=True, text=True)
        said = str(place) in done.stderr
        assert (done.returncode, "Traceback" in done.stderr, said) == (64, False, True), done.stderr
