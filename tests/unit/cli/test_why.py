"""`roundsman alerts why`: who is told, who is not, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from roundsman.__main__ import cli
from roundsman.alerts.names import fingerprint

from ..ledger.builders import Run

DISK = fingerprint("web3", "disk")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir(mode=0o700)
    run = Run().health("web3", disk="CRITICAL").finish(web3={})
    run.write(tmp_path / "state" / "ledger")
    path = tmp_path / "roundsman.yml"
    path.write_text(
        f"state_dir: {tmp_path}/state\n"
        "alerts:\n"
        "  receivers: [{name: team}, {name: pager}]\n"
        "  route: {receiver: team, routes: [{matchers: ['severity=\"critical\"'], receiver: pager, continue: true},\n"
        "                                   {matchers: ['host=~\"web.*\"'], receiver: team}]}\n"
        "  priorities: [{matchers: ['check=\"disk\"'], priority: P1}]\n"
    )
    return path


def roundsman(config: Path, *arguments: str) -> str:
    done = CliRunner().invoke(cli, [*arguments, "--config", str(config)])
    assert done.exit_code == 0, done.output
    return done.output


def test_who_is_told_and_when(config: Path) -> None:
    said = json.loads(roundsman(config, "alerts", "why", DISK[:6], "--json"))
    assert (said["priority"], said["priority_rule"]) == ("P1", '{check="disk"} is P1')
    assert [(one["receiver"], one["held"], one["told"]) for one in said["receivers"]] == [
        ("pager", None, None),
        ("team", None, None),
    ]
    roundsman(config, "tick")
    said = json.loads(roundsman(config, "alerts", "why", DISK, "--json"))
    assert [one["told"] for one in said["receivers"]] == ["CRITICAL", "CRITICAL"]
    assert all(one["next_look"] for one in said["receivers"])


def test_why_nobody_is_told(config: Path) -> None:
    roundsman(config, "alerts", "silence", "add", "host=web3", "--for", "1h", "--comment", "a new disk", "--by", "al")
    said = roundsman(config, "alerts", "why", DISK)
    assert "P1, because {check=\"disk\"} is P1" in said
    assert "by al: a new disk" in " ".join(said.split())
    roundsman(config, "alerts", "resolve", DISK)
    assert "everybody who was told knows" in roundsman(config, "alerts", "why", DISK)
