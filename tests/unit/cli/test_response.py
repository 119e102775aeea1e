"""What people do about alerts, as they type it."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from roundsman import times
from roundsman.__main__ import cli
from roundsman.exits import ExitCode

from ..ledger.builders import Run


class Desk:
    """web3's disk is CRITICAL, and the clock can be turned."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.base = base
        self.now = times.moment("2026-11-23T02:05:00Z")
        monkeypatch.setattr(times, "now", lambda: self.now)
        (base / "state").mkdir(mode=0o700)
        Run().health("web3", disk="CRITICAL").finish(web3={}).write(base / "state" / "ledger")
        self.config = base / "roundsman.yml"
        self.configure("")

    def configure(self, more: str) -> None:
        self.config.write_text(f"inventory: hosts.yml\nstate_dir: {self.base / 'state'}\n{more}")

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, [*arguments, "--config", str(self.config)])

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.output)

    @property
    def alert(self) -> dict[str, Any]:
        (alert,) = [one for one in self.json("alerts", "list", "--all") if one["check"] == "disk"]
        return dict(alert)

    @property
    def timeline(self) -> list[str]:
        return [row["reason"] for row in self.json("alerts", "show", self.alert["fingerprint"])["timeline"]]

    def respond(self, verb: str, *arguments: str) -> Result:
        return self.run("alerts", verb, self.alert["fingerprint"], *arguments)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def test_an_acknowledgement_lasts_as_long_as_it_was_given_for(desk: Desk) -> None:
    assert "until 2026-11-23 03:35 UTC" in desk.respond("ack", "--by", "anna", "--for", "90min").output
    assert "acknowledged by anna until Nov 23 03:35" in " ".join(desk.run("alerts", "list").output.split())
    desk.now += timedelta(minutes=89)
    assert desk.alert["phase"] == "acknowledged"
    desk.now += timedelta(minutes=2)
    assert desk.alert["phase"] == "open"
    assert desk.timeline == ["opened", "acknowledged", "acknowledgement_expired"]


def test_without_a_time_of_its_own_it_lasts_as_configured(desk: Desk) -> None:
    desk.configure("alerts: {acknowledged_for: 1h}\n")
    assert "until 2026-11-23 03:05 UTC" in desk.respond("ack").output


def test_an_alert_is_given_back(desk: Desk) -> None:
    assert desk.respond("unack").exit_code == ExitCode.USAGE
    desk.respond("ack", "--by", "anna")
    assert "given back by anna: no time" in desk.respond("unack", "--by", "anna", "--note", "no time").output
    assert desk.alert["phase"] == "open"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--for", "soon"], r"--for soon is no time"),
        (["--until", "2026-11-01"], r"--until 2026-11-01 is over already"),
        (["--for", "1h", "--until", "2026-12-01"], r"give one of them"),
    ],
)
def test_a_time_that_cannot_be_meant_is_refused(desk: Desk, arguments: list[str], said: str) -> None:
    done = desk.respond("ack", *arguments)
    assert done.exit_code == ExitCode.USAGE
    assert re.search(said, done.output)
    assert desk.alert["phase"] == "open"
