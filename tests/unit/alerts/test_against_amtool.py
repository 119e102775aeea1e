"""The same alertmanager.yml, the same labels: Debian's real amtool and Roundsman find the same receivers."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from roundsman.alertmanager_file import AlertmanagerFile
from roundsman.alerts.matchers import Matcher, Operator, text_of
from roundsman.alerts.routing import paths, tree
from roundsman.config_file import ConfigError, parse
from tests.debian import unpacked

TRICKY = r"""
route:
  receiver: root
  group_by: [alertname]
  routes:
    - matchers: ['severity=~"crit.*|page"', team!=web]
      receiver: first
      continue: true
      routes:
        - match: {team: db, code: 500}
          receiver: deep
        - match_re: {team: d.|.*x}
          receiver: deep-regex
          continue: true
        - matchers: [team="db"]
          receiver: after-continue
    - matchers: ['{team="db", host=~"db[12]"}', 'env != ""']
      receiver: braces
    - matchers: ['host=~"(?i)WEB\d+"']
      receiver: digits
      continue: true
    - matchers: ['message="a, b \"c\" \\d"']
      receiver: quotes
    - matchers: ['message = two words']
      receiver: bare
    - matchers: ['host!~".+"', team=~".*", 'env=']
      receiver: without-host
      routes:
        - matchers: [severity="warning"]
        - matchers: ['severity=~"warning|"']
          receiver: none-or-warning
    - matchers: ['team=~"web"']
      receiver: anchored
      continue: true
    - matchers: ['team=~"web"']
      receiver: twin
      mute_time_intervals: [nights]
    - matchers: []
      receiver: everything
      continue: true
    - matchers: ['env=~"[[:alpha:]]+|\pL-\d"']
      receiver: classes
inhibit_rules:
  - {source_match: {severity: critical}, target_matchers: ['severity=~"warning|info"'], equal: [host]}
receivers: [{names}]
time_intervals:
  - name: nights
    time_intervals:
      - {times: [{start_time: 22:00, end_time: 24:00}], weekdays: ['monday:friday'], days_of_month: ['-3:-1', 1:5]}
      - {months: ['1:march', december], years: ['2026:2030'], location: Europe/Berlin}
"""
ROUTES = TRICKY.replace(
    "{names}", ", ".join(f"{{name: {name}}}" for name in dict.fromkeys(re.findall(r"receiver: ([\w-]+)", TRICKY)))
)
VALUES = {
    "severity": ["critical", "crit", "page", "warning", "info", "pager"],
    "team": ["db", "web", "webs", "box", "d", "dx"],
    "host": ["db1", "db2", "db3", "web7", "WEB12", "web"],
    "env": ["prod", "x-1", "é-2", "9"],
    "code": ["500", "404"],
    "message": ['a, b "c" \\d', "two words", "two", "line one\nline two"],
}


@pytest.fixture(scope="module")
def amtool() -> str:
    installed = shutil.which("amtool")
    if installed:
        return installed
    if os.geteuid() != 0:
        pytest.skip("amtool is not installed (Debian: prometheus-alertmanager), and only root may fetch it for tests")
    return str(unpacked("prometheus-alertmanager") / "usr/bin/amtool")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "alertmanager.yml"
    file.write_text(ROUTES)
    return file


def ours(text: str) -> AlertmanagerFile:
    return parse(AlertmanagerFile, text, Path("alertmanager.yml"))


def label_sets(count: int) -> list[dict[str, str]]:
    chance = random.Random(5)
    return [
        {name: chance.choice(values) for name, values in VALUES.items() if chance.random() < 0.55} for _ in range(count)
    ]


def test_receivers_are_the_same(amtool: str, config: Path) -> None:
    route = ours(ROUTES).route
    assert route is not None
    root = tree(route.spec())
    differing, seen = [], set()
    for labels in label_sets(60):
        arguments = [str(Matcher(name, Operator.EQUAL, value)) for name, value in labels.items()]
        command = [amtool, "config", "routes", "test", f"--config.file={config}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        theirs = done.stdout.strip().split(",")
        found = [one.receiver for one in paths(root, labels)]
        seen |= set(found)
        if found != theirs:
            differing.append((labels, theirs, found))
    assert not differing
    # Labels that reach only a few routes would prove little.
    assert len(seen) >= 13


def test_matchers_are_written_the_same(amtool: str, config: Path) -> None:
    command = [amtool, "config", "routes", "show", f"--config.file={config}"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = re.findall(r"── (\{.*?\})  (?:continue|receiver)", shown)
    route = ours(ROUTES).route
    assert route is not None
    written = [text_of(one.matchers) for one in tree(route.spec()).walk()][1:]
    assert theirs == [text for text in written if text != "{}"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("team!=web", "team"),
        ("team!=web", '"team=~\\"(\\""'),
        ("d.|.*x", "'*'"),
        ("receiver: deep-regex", "receiver: nobody"),
        ("group_by: [alertname]", "group_by: [alertname, ...]"),
        ("group_by: [alertname]", "group_interval: 0s"),
        ("group_by: [alertname]", "group_wait: 5 apples"),
        ("group_by: [alertname]", "matchers: [a=b]"),
        ("group_by: [alertname]", "colour: red"),
        ("receiver: root", "group_wait: 1h30m"),
        ("[nights]", "[days]"),
        ("22:00", "25:00"),
        ("24:00", "21:00"),
        ("start_time: 22:00, ", ""),
        ("monday:friday", "friday:monday"),
        ("monday:friday", "mon"),
        ("-3:-1", "-3:2"),
        ("-3:-1", "32"),
        ("1:march", "march:january"),
        ("2026:2030", "2030:2026"),
        ("Europe/Berlin", "Europe/Nowhere"),
        ("name: nights", "nam: nights"),
    ],
)
def test_what_alertmanager_refuses_is_refused(amtool: str, config: Path, old: str, new: str) -> None:
    assert old in ROUTES
    text = ROUTES.replace(old, new, 1)
    config.write_text(text)
    checked = subprocess.run([amtool, "check-config", str(config)], capture_output=True, text=True, check=False)
    assert checked.returncode != 0, checked.stdout
    with pytest.raises(ConfigError):
        ours(text)


def test_what_alertmanager_takes_is_taken(amtool: str, config: Path) -> None:
    checked = subprocess.run([amtool, "check-config", str(config)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert len(ours(ROUTES).intervals()["nights"]) == 2
