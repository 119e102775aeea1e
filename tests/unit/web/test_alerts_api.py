"""Alerts as Alertmanager's clients post and read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roundsman.alerts.decide import decide
from roundsman.alerts.model import CheckResult, Status
from roundsman.store import alerts

from .office import HIGH_LOAD, Desk, at

UNSET = "0001-01-01T00:00:00.000Z"
TREE = """
alerts:
  receivers: [{name: team}, {name: pager}]
  route:
    receiver: team
    group_by: [alertname]
    routes: [{matchers: [severity="critical"], receiver: pager, continue: true}, {receiver: team}]
  inhibit_rules:
    - {source_matchers: [alertname="Down"], target_matchers: [alertname!="Down"], equal: [team]}
"""


def test_what_was_posted_is_told_as_it_came(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.post(desk.alert(generatorURL="http://p/graph", startsAt=desk.stamp(-3))).status_code == 200
    assert desk.woken == 1
    (alert,) = desk.alerts()
    assert alert["labels"] == {**HIGH_LOAD, "host": "web1", "priority": "P2"}
    assert alert["annotations"] == {"summary": "load is 40"}
    assert alert["generatorURL"] == "http://p/graph"
    assert at(alert["startsAt"]) == at(desk.stamp(-3))
    assert at(alert["endsAt"]) == at(desk.stamp(5))
    assert alert["receivers"] == [{"name": "nobody"}]
    assert alert["status"] == {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}


@pytest.mark.parametrize("unset", [{}, {"startsAt": UNSET, "endsAt": UNSET}, {"startsAt": None, "endsAt": None}])
def test_times_that_are_not_set(tmp_path: Path, unset: dict[str, Any]) -> None:
    desk = Desk(tmp_path)
    desk.post(desk.alert(**unset))
    (alert,) = desk.alerts()
    assert (at(alert["startsAt"]), at(alert["endsAt"])) == (desk.now, at(desk.stamp(5)))
    desk.later(4.9)
    assert desk.names() == ["HighLoad"]
    desk.later(0.2)
    assert desk.names() == []


def test_an_end_that_rolls_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for _ in range(5):
        desk.post(desk.alert(endsAt=desk.stamp(4)))
        desk.later(3)
        assert desk.names() == ["HighLoad"]
    desk.later(2)
    assert desk.names() == []


def test_an_end_that_is_past_ends_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.post(desk.alert())
    desk.later(1)
    desk.post(desk.alert(startsAt=desk.stamp(-1), endsAt=desk.stamp(-0.5)))
    assert desk.names() == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("[{", "no JSON"),
        ("{}", "no list of alerts"),
        ("[1]", "alert 0: is no JSON object"),
        ('[{"labels": {}}]', "at least one label"),
        ('[{"labels": {"a": ""}}]', "at least one label"),
        ('[{"labels": {"a": 1}}]', "labels.a"),
        ('[{"labels": {"a": "\\ud800"}}]', "labels.a"),
        ('[{"annotations": {}}]', "labels"),
        ('[{"labels": {"a": "b"}, "annotations": {"x": null}}]', "annotations.x"),
        ('[{"labels": {"a": "b"}, "startsAt": "yesterday"}]', "startsAt"),
        ('[{"labels": {"a": "b"}, "startsAt": "2026-11-23T02:00:00"}]', "startsAt"),
        ('[{"labels": {"a": "b"}, "endsAt": "9999-12-31T23:59:59-05:00"}]', "beyond all years"),
        (
            '[{"labels": {"a": "b"}, "startsAt": "2026-11-23T03:00:00Z", "endsAt": "2026-11-23T02:00:00Z"}]',
            "startsAt is after endsAt",
        ),
        ("[" * 100_000, "no JSON"),
        (b"\xff", "no JSON"),
    ],
)
def test_faults_are_said(tmp_path: Path, body: str | bytes, words: str) -> None:
    desk = Desk(tmp_path)
    answer = desk.post_raw("/api/v2/alerts", body)
    assert answer.status_code == 400
    assert words in answer.json()
    assert desk.alerts() == []


def test_a_faulty_alert_does_not_keep_the_others_out(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    answer = desk.post(desk.alert({}), desk.alert({"alertname": "A", "empty": ""}))
    assert answer.status_code == 400
    assert answer.json().startswith("1 alerts were taken, not these: alert 0: labels")
    (alert,) = desk.alerts()
    assert alert["labels"] == {"alertname": "A", "priority": "P4"}


def many(desk: Desk) -> None:
    """Down hides what else its team has; Watchdog is nobody's; a silence is about web."""
    for labels in (
        {"alertname": "Down", "severity": "critical", "team": "db"},
        {"alertname": "Slow", "severity": "warning", "team": "db"},
        {"alertname": "Full", "severity": "critical", "team": "web"},
        {"alertname": "Watchdog"},
    ):
        assert desk.post(desk.alert(labels)).status_code == 200
    assert desk.post_silence().status_code == 200


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["Down", "Full", "Slow", "Watchdog"]),
        ({"active": "false"}, ["Full", "Slow"]),
        ({"silenced": "false"}, ["Down", "Slow", "Watchdog"]),
        ({"inhibited": "false"}, ["Down", "Full", "Watchdog"]),
        ({"silenced": "false", "inhibited": "false", "unprocessed": "false"}, ["Down", "Watchdog"]),
        ({"filter": 'team="db"'}, ["Down", "Slow"]),
        ({"filter": ['team=~"db|web"', "severity=critical"]}, ["Down", "Full"]),
        ({"filter": "team="}, ["Watchdog"]),
        ({"receiver": "pager"}, ["Down", "Full"]),
        ({"receiver": "pag"}, []),
        ({"receiver": "pag.*|nobody"}, ["Down", "Full"]),
    ],
)
def test_what_is_asked_for(tmp_path: Path, query: dict[str, Any], names: list[str]) -> None:
    desk = Desk(tmp_path, TREE)
    many(desk)
    assert desk.names(**query) == names


@pytest.mark.parametrize("query", [{"active": "perhaps"}, {"filter": "team"}, {"filter": 'a=~"("'}, {"receiver": "("}])
def test_questions_that_mean_nothing(tmp_path: Path, query: dict[str, str]) -> None:
    answer = Desk(tmp_path).client.get("/api/v2/alerts", params=query)
    assert answer.status_code == 400
    assert isinstance(answer.json(), str)


def test_why_they_are_suppressed(tmp_path: Path) -> None:
    desk = Desk(tmp_path, TREE)
    many(desk)
    found = {one["labels"]["alertname"]: one for one in desk.alerts()}
    assert found["Slow"]["status"]["inhibitedBy"] == [found["Down"]["fingerprint"]]
    (silence,) = desk.get("/api/v2/silences")
    assert found["Full"]["status"]["silencedBy"] == [silence["id"]]
    assert {name: one["status"]["state"] for name, one in found.items()} == {
        "Down": "active", "Slow": "suppressed", "Full": "suppressed", "Watchdog": "active",
    }  # fmt: skip
    assert found["Full"]["receivers"] == [{"name": "pager"}, {"name": "team"}]


def test_groups(tmp_path: Path) -> None:
    desk = Desk(tmp_path, TREE)
    many(desk)
    desk.post(desk.alert({"alertname": "Slow", "severity": "warning", "team": "ops"}))
    groups = desk.get("/api/v2/alerts/groups", receiver="team")
    assert [(one["labels"], len(one["alerts"])) for one in groups] == [
        ({"alertname": name}, 2 if name == "Slow" else 1) for name in ("Down", "Full", "Slow", "Watchdog")
    ]
    assert {one["receiver"]["name"] for one in desk.get("/api/v2/alerts/groups")} == {"team", "pager"}
    assert desk.get("/api/v2/alerts/groups", filter="team=none") == []


def test_roundsmans_own_alerts_are_there_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "alerts: {external_url: 'https://r.example.org'}\n")
    evidence = {"target": "/var", "value": 97, "unit": "%"}
    found = CheckResult(
        "web3", "disk", Status.CRITICAL, "password=hunter22 /var/\udcff 97%", evidence, "run-1", desk.now
    )
    state = decide(None, found, desk.now).state
    assert state is not None
    with desk.store.write() as tx:
        alerts.save(tx, state.to_dict())
    (alert,) = desk.alerts()
    assert alert["labels"]["alertname"] == "disk"
    assert "hunter22" not in json.dumps(alert)
    assert alert["annotations"]["description"] == "on /var, value 97 %"
    assert alert["generatorURL"] == f"https://r.example.org/alerts/{state.fingerprint}"


def notification(desk: Desk, *alerts: dict[str, Any]) -> dict[str, Any]:
    return {"version": "4", "receiver": "roundsman", "status": "firing", "groupKey": "{}", "alerts": list(alerts)}


def test_an_alertmanagers_own_notifications(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    path = "/api/v1/alertmanager-webhook"
    firing = {**desk.alert(), "status": "firing", "startsAt": desk.stamp(-9), "endsAt": UNSET, "fingerprint": "ab"}
    ours = {**desk.alert({"alertname": "disk", "roundsman_id": "5c12bc8c40ac"}), "status": "firing"}
    assert desk.post_raw(path, json.dumps(notification(desk, firing, ours))).status_code == 200
    # It says so once, and again only after its repeat_interval.
    desk.later(60 * 24)
    assert desk.names() == ["HighLoad"]
    over = {**firing, "status": "resolved", "endsAt": desk.stamp(-1)}
    assert desk.post_raw(path, json.dumps(notification(desk, over))).status_code == 200
    assert desk.names() == []


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"alerts": 1}', '{"alerts": [{"labels": {"a": "b"}}]}', '{"alerts": [{"status": "odd"}]}']
)
def test_notifications_that_are_none(tmp_path: Path, body: str) -> None:
    assert Desk(tmp_path).post_raw("/api/v1/alertmanager-webhook", body).status_code == 400
