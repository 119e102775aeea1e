"""A desk with one alert and a clock that can be turned, for what people type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from roundsman import times
from roundsman.__main__ import cli

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

    def json_of(self, *arguments: str) -> Any:
        """Whatever the exit code."""
        return json.loads(self.run(*arguments, "--json").stdout)

    @property
    def alert(self) -> dict[str, Any]:
        (alert,) = [one for one in self.json("alerts", "list", "--all") if one["check"] == "disk"]
        return dict(alert)

    @property
    def timeline(self) -> list[str]:
        return [row["reason"] for row in self.json("alerts", "show", self.alert["fingerprint"])["timeline"]]

    def respond(self, verb: str, *arguments: str) -> Result:
        return self.run("alerts", verb, self.alert["fingerprint"], *arguments)
