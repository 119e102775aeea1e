"""The requests that Grafana makes, and what it needs of the answers: read in its sources (12.x), not tried with it.

It proxies what its pages ask for to an Alertmanager data source (implementation "Prometheus"), takes answers only as
JSON that fits the structures of Alertmanager's API, and posts the alerts of its own rules like Prometheus does.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

from .office import HIGH_LOAD, JSON, Desk

RECEIVERS = 'alerts: {receivers: [{name: team}], route: {receiver: team, group_by: ["alertname"]}}\n'
QUOTED = {**HIGH_LOAD, "alertname": 'disk "C:\\"', "path name": "/var, {/srv}"}
SHAPES: dict[str, Any] = {
    "alert": {
        "labels": dict, "annotations": dict, "startsAt": datetime, "endsAt": datetime, "updatedAt": datetime,
        "generatorURL": str, "fingerprint": str, "receivers": list, "status": dict,
    },
    "alert.status": {"state": str, "silencedBy": list, "inhibitedBy": list, "mutedBy": list},
    "group": {"labels": dict, "receiver": dict, "alerts": list},
    "silence": {
        "id": str, "status": dict, "matchers": list, "startsAt": datetime, "endsAt": datetime, "updatedAt": datetime,
        "createdBy": str, "comment": str,
    },
    "status": {"cluster": dict, "config": dict, "uptime": datetime, "versionInfo": dict},
    "cluster": {"status": str, "peers": list},
    "versionInfo": dict.fromkeys(("branch", "buildDate", "buildUser", "goVersion", "revision", "version"), str),
}  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path, RECEIVERS)
    made.post(made.alert(), made.alert(QUOTED))
    return made


def answered(response: Response) -> Any:
    """As the proxy takes it: it refuses what is not called JSON."""
    assert response.status_code == 200, response.text
    assert "json" in response.headers["content-type"]
    return response.json()


def fits(found: Any, shape: str) -> None:
    """All that the structure has is there, and of its type; Go's time of JSON needs a zone."""
    for name, kind in SHAPES[shape].items():
        value = datetime.fromisoformat(found[name]) if kind is datetime else found[name]
        assert isinstance(value, kind), (shape, name, value)
        assert kind is not datetime or value.tzinfo is not None


def test_save_and_test(desk: Desk) -> None:
    """It looks first whether this is a Mimir, and for features that only a Mimir has."""
    assert desk.client.get("/alertmanager/api/v2/status").status_code == 404
    assert desk.client.get("/api/v1/status/buildinfo").status_code == 404
    status = answered(desk.client.get("/api/v2/status"))
    for shape, found in (("status", status), ("cluster", status["cluster"]), ("versionInfo", status["versionInfo"])):
        fits(found, shape)
    assert "receiver: team" in status["config"]["original"]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ([], 2),
        ([("filter", 'alertname="HighLoad"'), ("filter", 'team=~"we.*"')], 1),
        ([("filter", r'alertname="disk \"C:\\\""'), ("filter", '"path name"="/var, {/srv}"')], 1),
        ([("silenced", "true"), ("active", "false"), ("inhibited", "true"), ("unprocessed", "true")], 0),
        ([("receiver", "team")], 2),
        ([("receiver", "pager")], 0),
    ],
)
def test_the_list_of_alerts_and_of_groups(desk: Desk, query: list[tuple[str, str]], number: int) -> None:
    alerts = answered(desk.client.get("/api/v2/alerts", params=query))
    groups = answered(desk.client.get("/api/v2/alerts/groups", params=query))
    assert (len(alerts), len(groups)) == (number, number)
    for group in groups:
        fits(group, "group")
        assert group["receiver"] == {"name": "team"}
    for alert in [*alerts, *(alert for group in groups for alert in group["alerts"])]:
        fits(alert, "alert")
        fits(alert["status"], "alert.status")
        assert alert["receivers"] == [{"name": "team"}]


def test_a_silence_is_made_shown_prolonged_expired_and_made_again(desk: Desk) -> None:
    matchers = [{"isEqual": True, "isRegex": False, "name": "alertname", "value": "HighLoad"}]
    silence = {
        "comment": "created 2026-11-23 03:00", "createdBy": "admin", "startsAt": "2026-11-23T02:00:00.000Z",
        "endsAt": "2026-11-23T04:00:00.000Z", "matchers": matchers,
    }  # fmt: skip
    made = answered(desk.client.post("/api/v2/silences", json=silence, headers=JSON))["silenceID"]
    # What only Grafana's own Alertmanager knows is asked of others, too.
    page = {"ruleMetadata": "true", "accesscontrol": "true"}
    (shown,) = answered(desk.client.get("/api/v2/silences", params=page))
    fits(shown, "silence")
    assert (shown["id"], shown["matchers"], shown["status"]) == (made, matchers, {"state": "active"})
    suppressed = answered(desk.client.get("/api/v2/alerts", params={"active": "false"}))
    assert [alert["status"]["silencedBy"] for alert in suppressed] == [[made]]

    longer = {**silence, "id": made, "startsAt": shown["startsAt"], "endsAt": "2026-11-23T06:00:00.000Z"}
    assert answered(desk.client.post("/api/v2/silences", json=longer, headers=JSON)) == {"silenceID": made}
    assert desk.client.delete(f"/api/v2/silence/{made}").status_code == 200
    over = answered(desk.client.get(f"/api/v2/silence/{made}", params=page))
    assert over["status"] == {"state": "expired"}
    again = answered(desk.client.post("/api/v2/silences", json={**longer, "startsAt": desk.stamp(0)}, headers=JSON))
    assert again["silenceID"] != made


def test_what_is_refused_is_said_in_words(desk: Desk) -> None:
    """Its proxy shows the body of an answer that is no object as it is."""
    refused = desk.client.get("/api/v2/alerts", params={"filter": "="})
    assert refused.status_code == 400
    assert refused.json().startswith("bad matcher format")
    assert desk.client.get("/api/v2/silence/1f9a").status_code == 404


def test_alerts_of_its_own_rules(desk: Desk) -> None:
    """Posted as Prometheus posts them, again and again while they fire."""
    labels = {"__alert_rule_uid__": "ae0", "alertname": "Rule", "grafana_folder": "My folder", "instance": "web1:9100"}
    annotations = {
        "__orgId__": "1",
        "__value_string__": "[ var='A' ]",
        "__values__": '{"A":1}',
        "summary": "up",
    }
    one = {
        "labels": labels, "annotations": annotations, "startsAt": "2026-11-23T02:00:00.000Z",
        "endsAt": "2026-11-23T02:04:00.000Z", "generatorURL": "http://localhost:3000/alerting/grafana/ae0/view?orgId=1",
    }  # fmt: skip
    assert desk.client.post("/api/v2/alerts", json=[one], headers=JSON).status_code == 200
    (shown,) = desk.alerts(filter='__alert_rule_uid__="ae0"')
    assert (shown["annotations"], shown["generatorURL"]) == (annotations, one["generatorURL"])
    assert shown["labels"].items() >= labels.items()
    desk.later(5)
    assert desk.alerts(filter='__alert_rule_uid__="ae0"') == []
