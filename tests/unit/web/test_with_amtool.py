"""Debian's real amtool works against Roundsman."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.debian import unpacked
from tests.serving import Served, served

TOKEN = "correct-horse-battery"
ALERTS = json.dumps(
    {
        "receivers": [{"name": "team"}, {"name": "pager"}],
        "time_intervals": [{"name": "nights", "time_intervals": [{"weekdays": ["monday:friday"]}]}],
        "route": {
            "receiver": "team",
            "routes": [
                {"matchers": ['severity="critical"'], "receiver": "pager", "mute_time_intervals": ["nights"]},
            ],
        },
    }
)  # fmt: skip


def ran(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


class Amtool:
    """Asks a server, with the token as password."""

    def __init__(self, server: Served, folder: Path) -> None:
        http = folder / "http.yml"
        http.write_text(f"basic_auth: {{username: anna, password: {TOKEN}}}\n")
        program = str(unpacked("prometheus-alertmanager") / "usr/bin/amtool")
        self.stranger = [program, f"--alertmanager.url={server.url}"]
        self.base = [*self.stranger, f"--http.config.file={http}"]

    def __call__(self, *arguments: str) -> str:
        done = ran(*self.base, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--output=json"))

    def names(self, *arguments: str) -> list[str]:
        return sorted(one["labels"]["alertname"] for one in self.json("alert", "query", *arguments))


@pytest.fixture(scope="module")
def amtool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Amtool]:
    folder = tmp_path_factory.mktemp("amtool")
    with served(folder, ALERTS, serve=f", token: {TOKEN}") as server:
        yield Amtool(server, folder)


def test_alerts_are_added_and_queried(amtool: Amtool) -> None:
    amtool("alert", "add", "Full", "severity=critical", "node=web1", "--annotation=summary=/var is full")
    amtool("alert", "add", "alertname=Slow", "team=db", "--generator-url=http://p.example.org/graph")
    amtool("alert", "add", "Over", "--start=2026-01-01T00:00:00Z", "--end=2026-01-01T01:00:00Z")
    assert amtool.names() == ["Full", "Slow"]
    assert amtool.names("severity=critical") == ["Full"]
    assert amtool.names('team=~"d.*"') == amtool.names("Slow") == ["Slow"]
    assert amtool.names("--receiver=pager") == ["Full"]
    shown = amtool("alert", "query", "Full", "--output=extended")
    assert "/var is full" in shown
    assert 'host="web1"' in shown


def test_silences_are_added_queried_and_expired(amtool: Amtool) -> None:
    amtool("alert", "add", "Hot", "severity=critical")
    name = amtool("silence", "add", "--author=anna", "--comment=new disk", "--duration=1h", "Hot", "a!=b").strip()
    assert amtool.names("--silenced") == ["Hot"]
    assert "Hot" not in amtool.names()
    (silence,) = amtool.json("silence", "query")
    assert (silence["id"], silence["createdBy"], silence["comment"]) == (name, "anna", "new disk")
    assert amtool.json("silence", "query", "alertname=Other") == []
    amtool("silence", "update", "--comment=larger disk", "--duration=2h", name)
    assert [(one["id"], one["comment"]) for one in amtool.json("silence", "query")] == [(name, "larger disk")]
    amtool("silence", "expire", name)
    assert amtool.json("silence", "query") == []
    assert [one["id"] for one in amtool.json("silence", "query", "--expired")] == [name]
    assert "Hot" in amtool.names()


def test_routes_are_shown_and_tested(amtool: Amtool) -> None:
    shown = amtool("config", "routes", "show")
    assert "default-route" in shown
    assert '{severity="critical"}' in shown
    assert "receiver: pager" in shown
    assert amtool("config", "routes", "test", "severity=critical").strip() == "pager"
    assert amtool("config", "routes", "test", "severity=warning").strip() == "team"
    assert "receiver: team" in amtool("config", "show")


def test_without_the_token_it_is_told_so(amtool: Amtool) -> None:
    done = ran(*amtool.stranger, "alert", "query")
    assert done.returncode != 0
    assert "401" in done.stderr
