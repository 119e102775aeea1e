"""What a person types to keep alerts quiet for a while, what is shown, and what the store then knows."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from roundsman.__main__ import cli
from roundsman.alerts.silencing import RunSilence, Silence, symptom
from roundsman.exits import ExitCode
from roundsman.store import Store, alerts, hosts, silences

from ..alerts.cast import result
from ..alerts.cast import story as told

NOW = datetime.now(UTC)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The disks of web3 and web4 are full."""
    path = tmp_path / "roundsman.yml"
    path.write_text(
        f"state_dir: {tmp_path / 'state'}\n"
        "alerts: {time_intervals: [{name: nights, time_intervals: [{weekdays: ['monday:friday']}]}]}\n"
    )
    state, _ = told("CRITICAL")
    assert state is not None
    with store_of(path).write() as tx:
        for host, fingerprint in (("web3", "aaa1"), ("web4", "bbb1")):
            alerts.save(tx, state.to_dict() | {"host": host, "fingerprint": fingerprint})
    return path


def store_of(config: Path) -> Store:
    return Store(f"sqlite:///{config.parent / 'state' / 'store.db'}")


def roundsman(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["alerts", "silence", *arguments, "--config", str(config)])


def told_in_json(config: Path, *arguments: str) -> Any:
    done = roundsman(config, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def add(config: Path, *arguments: str) -> dict[str, Any]:
    made: dict[str, Any] = told_in_json(config, "add", *arguments, "--comment", "new disk", "--by", "anna")
    return made


def test_a_silence_from_preview_to_its_end(config: Path) -> None:
    assert [one["host"] for one in told_in_json(config, "preview", "host=web3")] == ["web3"]
    assert told_in_json(config, "list") == []
    made = add(config, "host=web3", 'check=~"disk|load"', "--for", "2h")
    assert [one["host"] for one in made["alerts"]] == ["web3"]
    silence = made["silence"]
    assert silence["matchers"] == ['check=~"disk|load"', 'host="web3"']
    assert (silence["state"], silence["author"], silence["comment"]) == ("active", "anna", "new disk")
    starts_at, ends_at = (datetime.fromisoformat(silence[key]) for key in ("starts_at", "ends_at"))
    assert NOW <= starts_at <= datetime.now(UTC)
    assert ends_at - starts_at == timedelta(hours=2)

    (edited,) = told_in_json(config, "edit", silence["id"][:6], "--for", "3h", "--comment", "larger disk")
    assert datetime.fromisoformat(edited["ends_at"]) > ends_at
    assert edited["comment"] == "larger disk"
    (expired,) = told_in_json(config, "expire", silence["id"][:6])
    assert expired["state"] == "expired"
    assert told_in_json(config, "list") == []
    (kept,) = told_in_json(config, "list", "--all")
    assert (kept["id"], kept["state"], kept["comment"]) == (silence["id"], "expired", "larger disk")


def test_labels_of_the_inventory_count(config: Path) -> None:
    with store_of(config).write() as tx:
        hosts.note(tx, "web4", {"team": "shop"}, [], "2026-11-26T03:00:00.000Z")
    assert [one["host"] for one in told_in_json(config, "preview", "team=shop")] == ["web4"]


def test_what_a_phone_shows(config: Path) -> None:
    done = roundsman(
        config, "add", "host=~web.", "--for", "2h", "--during", "nights", "--comment", "[b]move", "--by", "x"
    )
    assert done.exit_code == 0, done.output
    first, *rest = done.output.splitlines()
    assert re.fullmatch(r"\w{8} until \w+ \d\d \d\d:\d\dZ \(in 2 h\)", first)
    assert rest == [
        '  host=~"web."',
        "  only during nights",
        "  x: [b]move",
        "matches 2 open alerts:",
        "  CRITICAL web3 disk",
        "  CRITICAL web4 disk",
    ]
    assert max(map(len, done.output.splitlines())) <= 50
    assert roundsman(config, "list").output.splitlines()[1:] == rest[:3]
    assert roundsman(config, "preview", "host=db1").output == "matches no open alert\n"


def test_one_that_begins_later(config: Path) -> None:
    start = (NOW + timedelta(hours=5)).isoformat()
    silence = add(config, "host=web3", "--start", start, "--for", "1h")["silence"]
    assert silence["state"] == "pending"
    assert datetime.fromisoformat(silence["ends_at"]) == datetime.fromisoformat(start) + timedelta(hours=1)


def test_until_it_resolves(config: Path) -> None:
    made = add(config, "--alert", "aaa")
    silence = Silence.from_dict({key: one for key, one in made["silence"].items() if key != "state"})
    assert [one["host"] for one in made["alerts"]] == ["web3"]
    assert (silence.alert, silence.ends_at - silence.starts_at) == ("aaa1", timedelta(days=7))
    other = add(config, "host=web4", "--for", "1h")["silence"]
    with store_of(config).write() as tx:
        silences.end_with(tx, "aaa1", datetime.now(UTC))
    assert [one["id"] for one in told_in_json(config, "list")] == [other["id"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "host=web3", "--comment", "x"], "a silence has an end: give --for or --until"),
        (["add", "--for", "1h", "--comment", "x"], "what is to be silenced?"),
        (["add", "host=web3", "--alert", "aaa", "--comment", "x"], "what is to be silenced?"),
        (["add", "host=~.*", "--for", "1h", "--comment", "x"], "would silence everything"),
        (["add", "host", "--for", "1h", "--comment", "x"], "'host' is not a matcher"),
        (["add", "host=web3", "--for", "1h", "--comment", " "], "who made it and why"),
        (["add", "host=web3", "--for", "soon", "--comment", "x"], "--for soon is no time"),
        (["add", "host=web3", "--until", "2020-01-01", "--comment", "x"], "--until 2020-01-01 is over already"),
        (["add", "host=web3", "--for", "1h", "--start", "now", "--comment", "x"], "--start now is no time"),
        (
            ["add", "host=web3", "--for", "1h", "--during", "days", "--comment", "x"],
            "no time interval days (there are: nights)",
        ),
        (["add", "--alert", "ccc", "--comment", "x"], "there is no alert ccc"),
        (["add", "--alert", "aaa", "--for", "8d", "--comment", "x"], "at most 7 days"),
        (["expire", "ccc"], "there is no silence ccc"),
        (["edit", "ccc"], "what is to change?"),
    ],
)
def test_refusals_say_why_and_silence_nothing(config: Path, arguments: list[str], said: str) -> None:
    done = roundsman(config, *arguments)
    assert (done.exit_code, done.stdout) == (ExitCode.USAGE, "")
    assert said in done.output
    assert told_in_json(config, "list", "--all") == []


def test_expiring_several_is_all_or_none(config: Path) -> None:
    first, second = (add(config, host, "--for", "1h")["silence"]["id"] for host in ("host=web3", "host=web4"))
    told_in_json(config, "expire", first)
    done = roundsman(config, "expire", second, first)
    assert (done.exit_code, "nothing was changed" in done.output) == (ExitCode.USAGE, True)
    assert [one["id"] for one in told_in_json(config, "list")] == [second]


def test_a_resolved_alert_needs_no_silence(config: Path) -> None:
    state, _ = told("CRITICAL", "OK")
    assert state is not None
    with store_of(config).write() as tx:
        alerts.save(tx, state.to_dict() | {"fingerprint": "aaa1"})
    assert "is resolved since" in roundsman(config, "add", "--alert", "aaa", "--comment", "x").output


def test_what_runs_silence_is_kept_until_they_end(config: Path) -> None:
    one = RunSilence("run-1", frozenset({"web3"}), (symptom("reachable"),), NOW, NOW + timedelta(hours=1))
    with store_of(config).write() as tx:
        silences.save_run(tx, one.to_dict())
        silences.save_run(tx, one.to_dict())
        (row,) = silences.of_runs(tx, NOW)
        again = RunSilence.from_dict(row)
        silences.end_run(tx, "run-1", NOW + timedelta(minutes=1))
        left = silences.of_runs(tx, NOW + timedelta(minutes=2))
    labels = {"host": "web3", "check": result("OK").check}
    assert (again.run, again.hosts, again.symptoms) == (one.run, one.hosts, one.symptoms)
    assert not again.silences(labels, NOW)
    assert left == []
