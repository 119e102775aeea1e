"""Routes, rules and time intervals in roundsman.yml, or in the alertmanager.yml that it names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from roundsman.alerts.inhibition import Rule
from roundsman.alerts.matchers import parse
from roundsman.alerts.routing import paths
from roundsman.config import Alerts, Settings
from roundsman.config import parse as parse_settings
from roundsman.config_file import ConfigError
from roundsman.times import seconds

ALERTMANAGER = """
global: {smtp_smarthost: 'mail.example.org:25', smtp_from: alerts@example.org, resolve_timeout: 5m}
templates: [/etc/alertmanager/*.tmpl]
route:
  receiver: team
  group_by: [alertname, cluster]
  group_wait: 10s
  repeat_interval: 1d12h
  routes:
    - match: {page: yes, code: 500}
      match_re: {service: ^(shop|cart)$}
      receiver: pager
      continue: true
    - matchers: [team="db", 'severity=~"critical|warning"']
      mute_time_intervals: [nights]
      receiver: 'null'
      routes:
inhibit_rules:
  - source_match: {severity: critical}
    target_match_re: {severity: warning|info}
    equal: [alertname]
  - source_matchers: [severity="critical"]
    target_matchers: [severity!="critical", team=db]
receivers:
  - name: team
    email_configs: [{to: team@example.org, auth_password: SECRET-OF-MAIL}]
  - name: pager
    pagerduty_configs: [{routing_key: SECRET-OF-PAGER}]
  - name: 'null'
mute_time_intervals:
  - name: nights
    time_intervals:
      - times: [{start_time: 22:00, end_time: 24:00}, {start_time: 00:00, end_time: 06:30}]
        weekdays: [monday:friday, Sunday]
        location: Europe/Berlin
time_intervals:
  - name: stocktaking
    time_intervals: [{days_of_month: [-3:-1, 1:5], months: [december, 1:3], years: [2026:2030]}]
"""


def settings(folder: Path, text: str) -> Settings:
    return parse_settings(text, folder / "roundsman.yml")


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        settings(folder, text)
    return str(raised.value).replace(f"{folder}/", "").splitlines()


def with_alertmanager(folder: Path, text: str = ALERTMANAGER) -> Alerts:
    (folder / "alertmanager.yml").write_text(text)
    ours = "alerts:\n  alertmanager: alertmanager.yml\n  receivers: [{name: team}, {name: pager}]\n"
    return settings(folder, ours).alerts


def receivers(alerts: Alerts, **labels: str) -> list[str]:
    tree = alerts.tree()
    assert tree is not None
    return [route.receiver for route in paths(tree, labels)]


def test_the_short_form_still_says_it_all(tmp_path: Path) -> None:
    for route in ("", "  route: {receiver: team}\n"):
        alerts = settings(tmp_path, f"alerts:\n  group_wait: 7s\n{route}  receivers: [{{name: team}}]\n").alerts
        tree = alerts.tree()
        assert tree is not None
        assert (tree.receiver, tree.group_by, tree.group_wait) == ("team", ("host",), timedelta(seconds=7))
        assert alerts.receiver() == alerts.receivers[0]
    assert settings(tmp_path, "").alerts.tree() is None


def test_an_alertmanager_yml_loads_unchanged(tmp_path: Path) -> None:
    alerts = with_alertmanager(tmp_path)
    tree = alerts.tree()
    assert tree is not None
    assert tree.group_by == ("alertname", "cluster")
    assert (tree.group_wait, tree.repeat_interval) == (timedelta(seconds=10), timedelta(hours=36))
    assert receivers(alerts) == ["team"]
    assert receivers(alerts, page="yes", code="500", service="cart") == ["pager"]
    assert receivers(alerts, team="db", severity="warning") == ["null"]
    assert alerts.rules.inhibition() == (
        Rule(parse("severity=critical"), parse("severity=~^(?:warning|info)$"), ("alertname",)),
        Rule(parse("severity=critical"), parse("severity!=critical,team=db")),
    )
    assert alerts.receiver() == alerts.receivers[0]


def test_its_times_are_as_they_were_written(tmp_path: Path) -> None:
    intervals = with_alertmanager(tmp_path).rules.intervals()
    (nights,), (stocktaking,) = intervals["nights"], intervals["stocktaking"]
    assert nights.contains(datetime(2026, 11, 30, 21, 30, tzinfo=UTC))  # 22:30 of a Monday in Berlin
    assert not nights.contains(datetime(2026, 11, 28, 21, 30, tzinfo=UTC))  # of a Saturday
    assert stocktaking.contains(datetime(2026, 12, 30, tzinfo=UTC))
    assert not stocktaking.contains(datetime(2026, 11, 30, tzinfo=UTC))


def test_what_is_not_taken_from_it_is_said_and_its_secrets_are_not_kept(tmp_path: Path) -> None:
    alerts = with_alertmanager(tmp_path)
    assert alerts.alertmanager is not None
    assert alerts.alertmanager.notes() == [
        "global is not read",
        "templates is not read",
        "targets of team, pager are those in roundsman.yml, not those in this file",
    ]
    assert "SECRET" not in repr(alerts)


def test_a_receiver_that_has_targets_only_there_is_a_fault_before_a_page_is_lost(tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text(ALERTMANAGER)
    (fault,) = faults(tmp_path, "alerts:\n  receivers: [{name: team}]\n  alertmanager: alertmanager.yml\n")
    assert fault.startswith("roundsman.yml:3: alerts.alertmanager: pager's pagerduty_configs are not read from there")
    assert fault.endswith(": add pager to alerts.receivers")


def test_rules_stand_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text("route: {receiver: x}\nreceivers: [{name: x}]\n")
    text = "alerts:\n  alertmanager: alertmanager.yml\n  receivers: [{name: x}]\n  route: {receiver: x}\n"
    (fault,) = faults(tmp_path, text)
    assert fault.startswith("roundsman.yml:4: alerts.route: stands in the file that")


def test_faults_of_the_other_file_name_its_lines(tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text("route:\n  receiver: team\n  group_by: [a, ...]\nreceivers:\n- nam: x\n")
    first, *others = faults(tmp_path, "alerts: {alertmanager: alertmanager.yml}\n")
    assert first == "roundsman.yml:1: alerts.alertmanager: alertmanager.yml:5: receivers.0.name: Field required"
    assert others == [
        "alertmanager.yml:5: receivers.0.nam: there is no such setting",
        "alertmanager.yml:3: route.group_by: `...` means every label and stands alone",
    ]
    (fault,) = faults(tmp_path, "alerts: {alertmanager: gone.yml}\n")
    assert fault == "roundsman.yml:1: alerts.alertmanager: gone.yml: cannot be read: No such file or directory"


FAULTY = """
alerts:
  receivers: [{name: team}]
  route:
    receiver: team
    matchers: [a=b]
    routes:
      - receiver: nobody
        mute_time_intervals: [nights]
      - routes: [{receiver: team, active_time_intervals: [nights, days]}]
  time_intervals: [{name: days}]
"""


def test_names_that_mean_nothing_are_named_where_they_stand(tmp_path: Path) -> None:
    assert [
        fault.removeprefix("roundsman.yml:").replace("alerts.route.", "") for fault in faults(tmp_path, FAULTY)
    ] == [
        "6: matchers: stands in routes below this one only: this one takes every alert",
        "8: routes.0.receiver: there is no receiver 'nobody' (there are: team)",
        "9: routes.0.mute_time_intervals.0: there is no time interval 'nights' (there are: days)",
        "10: routes.1.routes.0.active_time_intervals.0: there is no time interval 'nights' (there are: days)",
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("route: {receiver: team, routes: [{matchers: [severity]}]}", "'severity' is not a matcher"),
        ("route: {receiver: team, routes: [{matchers: [{a: b}]}]}", "a matcher is written as text"),
        ("route: {receiver: team, routes: [{match_re: {a: '('}}]}", "missing )"),
        ("route: {receiver: team, repeat_interval: 0s}", "cannot be zero"),
        ("route: {receiver: team, group_wait: 5 apples}", "is not a duration"),
        ("route: {group_by: [host]}", "names no receiver"),
        ("inhibit_rules: [{source_matchers: ['a=~\"*\"']}]", "no argument for repetition operator: *"),
        (
            "time_intervals: [{name: a, time_intervals: [{times: [{start_time: 09:00}]}]}]",
            "has start_time and end_time",
        ),
        ("time_intervals: [{name: a, time_intervals: [{location: Mars}]}]", "there is no time zone 'Mars'"),
        ("time_intervals: [{name: a}, {name: a}]", "a is declared twice"),
        ("time_intervals: [{}]", "Field required"),
    ],
)
def test_faults(tmp_path: Path, line: str, fault: str) -> None:
    (found,) = faults(tmp_path, f"alerts:\n  receivers: [{{name: team}}]\n  {line}\n")
    assert found.startswith("roundsman.yml:3: alerts.")
    assert fault in found


def test_what_is_written_twice_is_not_half_lost(tmp_path: Path) -> None:
    text = "alerts:\n  receivers: [{name: a}]\n  route: {receiver: a}\n  receivers: [{name: b, name: c}]\nforks: 1\n"
    assert faults(tmp_path, text) == [
        "roundsman.yml:4: receivers: is written twice",
        "roundsman.yml:4: name: is written twice",
    ]


def test_anchors_and_merges_are_no_doubles(tmp_path: Path) -> None:
    text = "history: &h {raw: 1d}\nalerts: {receivers: [&a {name: x}]}\nforks: 1\n"
    assert settings(tmp_path, text).history.raw == timedelta(days=1)
    merged = "route:\n  receiver: a\n  routes: [&r {match: {b: c}, continue: true}, {<<: *r, match: {d: e}}]\n"
    (tmp_path / "alertmanager.yml").write_text(merged + "receivers: [{name: a}]\n")
    tree = settings(tmp_path, "alerts: {alertmanager: alertmanager.yml}\n").alerts.tree()
    assert tree is not None
    assert [(route.key, route.continues) for route in tree.routes] == [('{}/{b="c"}', True), ('{}/{d="e"}', True)]


def test_local_is_the_zone_of_this_machine(tmp_path: Path) -> None:
    text = "alerts: {time_intervals: [{name: a, time_intervals: [{location: Local}]}]}\n"
    (interval,) = settings(tmp_path, text).alerts.rules.intervals()["a"]
    at = datetime(2026, 11, 26, tzinfo=UTC)
    assert interval.location.utcoffset(at) == at.astimezone().utcoffset()


@pytest.mark.parametrize(("text", "seconds_"), [("1h30m", 5400), ("1d12h", 129600), ("1y", 31536000), ("5min", 300)])
def test_durations_of_both(text: str, seconds_: int) -> None:
    assert seconds(text) == seconds_


@pytest.mark.parametrize("text", ["", "5", "m5", "30m1h", "1h1h", "1m30min", "-5s", "5 apples"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(text)
