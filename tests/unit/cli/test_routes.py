"""`roundsman alerts route`: who would be told, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from roundsman.__main__ import cli
from roundsman.exits import ExitCode

CONFIG = """
alerts:
  receivers: [{name: team}, {name: pager}, {name: db}]
  route:
    receiver: team
    routes:
      - {matchers: [severity="critical"], receiver: pager, continue: true}
      - matchers: [team="db"]
        receiver: db
        group_by: [host, check]
        repeat_interval: 12h
        mute_time_intervals: [nights]
      - {matchers: [team=~".+"], active_time_intervals: [days]}
  time_intervals:
    - {name: nights, time_intervals: [{times: [{start_time: 00:00, end_time: 06:00}], location: Europe/Berlin}]}
    - {name: days, time_intervals: [{times: [{start_time: 08:00, end_time: 18:00}]}]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "roundsman.yml"
    path.write_text(CONFIG)
    return path


def route(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["alerts", "route", *arguments, "--config", str(config)])


def test_the_whole_way_is_shown(config: Path) -> None:
    done = route(config, "--labels", "severity=critical,team=db,host=db1", "--at", "2026-11-26T00:30:00+01:00")
    assert done.exit_code == 0, done.output
    assert [line.rstrip() for line in done.output.splitlines()] == [
        "v the root: descends",
        '  -> {severity="critical"}: notifies',
        '    severity="critical"',
        "    receiver pager",
        "    in one message with others of host=db1",
        "    after 30 s, news every 5 min, again every 4 h",
        '  -> {team="db"}: notifies',
        '    team="db"',
        "    receiver db",
        "    in one message with others of host=db1",
        "    after 30 s, news every 5 min, again every 12 h",
        "    not at 2026-11-26 00:30 UTC+01:00: muted by nights",
        '  . {team=~".+"}: not tried',
        "receivers: pager, db",
    ]


def test_in_json(config: Path) -> None:
    done = route(config, "--labels", "team=web", "--at", "2026-11-26T20:00:00Z", "--json")
    told = json.loads(done.stdout)
    assert (told["labels"], told["at"], told["receivers"]) == (
        {"team": "web"},
        "2026-11-26T20:00:00.000Z",
        ["team"],
    )
    assert [(one["verdict"], one["why"]) for one in told["routes"][:3]] == [
        ("descends", "takes every alert"),
        ("refused", 'not severity="critical": severity is not set'),
        ("refused", 'not team="db": team is web'),
    ]
    assert told["routes"][3] == {
        "key": '{}/{team=~".+"}',
        "depth": 1,
        "matchers": '{team=~".+"}',
        "receiver": "team",
        "verdict": "notifies",
        "why": 'team=~".+"',
        "group_key": '{}/{team=~".+"}:{}',
        "group_labels": {},
        "group_wait_s": 30,
        "group_interval_s": 300,
        "repeat_interval_s": 14400,
        "muted_by": ["days"],
    }


def test_without_labels_the_root_takes_it(config: Path) -> None:
    done = route(config)
    assert "no route below takes it" in done.output
    assert "all others of this route" in done.output
    assert done.output.splitlines()[-1] == "receivers: team"


def test_outside_of_active_times(config: Path) -> None:
    done = route(config, "--labels", "team=web", "--at", "2026-11-26T20:00:00Z")
    assert "not at 2026-11-26 20:00 UTC: outside of its active time days" in done.output


def test_what_was_not_read_of_an_alertmanager_yml_is_said(config: Path, tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text("global: {}\nroute: {receiver: a}\nreceivers: [{name: a}]\n")
    config.write_text("alerts: {alertmanager: alertmanager.yml}\n")
    assert route(config).output.splitlines()[0] == "global is not read"
    assert json.loads(route(config, "--json").stdout)["notes"] == ["global is not read"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--labels", "team"], "--labels: 'team' is not a matcher"),
        (["--labels", "team!=db"], '--labels: team!="db" is no label'),
        (["--at", "noon"], "--at noon is no time"),
        (["--at", "2026-11-26T20:00:00"], "needs a zone"),
    ],
)
def test_refusals(config: Path, arguments: list[str], said: str) -> None:
    done = route(config, *arguments)
    assert done.exit_code == ExitCode.USAGE
    assert said in done.output


def test_nobody_is_configured(config: Path) -> None:
    config.write_text("")
    done = route(config)
    assert (done.exit_code, "nobody would be told" in done.output) == (ExitCode.USAGE, True)
