"""Who may ask, and what about."""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from roundsman import config
from roundsman.alertmanager_file import AlertmanagerFile
from roundsman.alerts.routing import tree
from roundsman.config_file import ConfigError
from roundsman.web import app

from .office import JSON, Desk

TOKEN = "correct-horse-battery"
WITH_TOKEN = f"serve: {{token: {TOKEN}}}\n"


def basic(text: str) -> str:
    return f"Basic {b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (basic(f"anybody:{TOKEN}"), 200),
        (None, 401),
        ("Bearer ", 401),
        (f"Bearer {TOKEN}x", 401),
        (basic(TOKEN), 401),
        (basic("anybody:"), 401),
        ("Basic ***", 401),
        (TOKEN, 401),
    ],
)
def test_the_token(tmp_path: Path, authorization: str | None, status: int) -> None:
    client = Desk(tmp_path, WITH_TOKEN).client
    headers = {"Authorization": authorization} if authorization else {}
    # With a token any name will do, such as that of a proxy.
    answer = client.get("/api/v2/alerts", headers={**headers, "Host": "roundsman.example.org"})
    assert answer.status_code == status
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)


def test_nothing_is_done_for_who_has_no_token(tmp_path: Path) -> None:
    desk = Desk(tmp_path, WITH_TOKEN)
    assert desk.post(desk.alert()).status_code == 401
    answer = desk.client.get("/api/v2/alerts", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.json() == []


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_health_is_no_secret(tmp_path: Path, path: str) -> None:
    assert Desk(tmp_path, WITH_TOKEN).get(path) == "OK"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9093", 200), ("localhost", 200), ("[::1]:9093", 200),
        ("rebound.example.org:9093", 403), ("10.0.0.1", 403), ("[", 403), ("", 403),
    ],
)  # fmt: skip
def test_a_web_page_cannot_borrow_this_machines_address(tmp_path: Path, host: str, status: int) -> None:
    assert Desk(tmp_path).client.get("/api/v2/alerts", headers={"Host": host}).status_code == status


def test_a_web_page_cannot_post_as_forms_do(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = desk.client.post("/api/v2/alerts", content="[]", headers={"Content-Type": content_type})
        assert answer.status_code == 415
    charset = {"Content-Type": "application/json; charset=utf-8"}
    assert desk.client.post("/api/v2/alerts", content="[]", headers=charset).status_code == 200


def test_bodies_have_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "LARGEST_BODY_BYTES", 1000)
    assert Desk(tmp_path).post_raw("/api/v2/alerts", b" " * 1001).status_code == 413


def test_a_store_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("DROP TABLE alerts")
    answer = desk.client.post("/api/v2/alerts", content=b"[]", headers=JSON)
    assert answer.status_code == 200
    answer = desk.post(desk.alert())
    assert answer.status_code == 503
    assert "cannot be used" in answer.json()


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        ("{listen: '0.0.0.0:9093'}", "set serve.token"),
        ("{listen: 'alerts.example.org:9093'}", "set serve.token"),
        ("{listen: '[::]:9093'}", "set serve.token"),
        ("{listen: '127.0.0.1'}", "listen"),
        ("{listen: '127.0.0.1:99999'}", "no port"),
        ("{token: short}", "16 characters"),
    ],
)
def test_it_is_not_opened_by_mistake(tmp_path: Path, serve: str, words: str) -> None:
    (tmp_path / "roundsman.yml").write_text(f"serve: {serve}\n")
    with pytest.raises(ConfigError, match=words):
        config.load(str(tmp_path / "roundsman.yml"))


@pytest.mark.parametrize("listen", ["localhost:1", "[::1]:9093", "127.0.0.2:9093"])
def test_this_machine_needs_no_token(tmp_path: Path, listen: str) -> None:
    assert Desk(tmp_path, f"serve: {{listen: '{listen}'}}\n").settings.serve.listen == listen


def test_with_a_token_it_may_be_open(tmp_path: Path) -> None:
    serve = Desk(tmp_path, f"serve: {{listen: '[::]:80', token: {TOKEN}}}\n").settings.serve
    assert serve.address == ("::", 80)
    assert TOKEN not in repr(serve)


ROUTES = """
alerts:
  receivers: [{name: team, urls: ['https://hooks.example.org/secret-path']}, {name: pager}]
  route:
    receiver: team
    group_by: [host, alertname]
    group_wait: 500ms
    routes:
      - {matchers: [severity="critical", 'team=~"a|b"'], receiver: pager, continue: true}
      - {match: {team: db}, mute_time_intervals: [nights], repeat_interval: 12h}
  inhibit_rules: [{source_matchers: [a=b], target_matchers: [c!=d], equal: [host]}]
  time_intervals:
    - name: nights
      time_intervals:
        - times: [{start_time: 22:00, end_time: 24:00}]
          weekdays: [monday:friday, sunday]
          days_of_month: [1:5, -3:-1]
          months: [december]
          years: [2026:2030]
          location: Europe/Berlin
        - {}
"""


def test_the_configuration_means_the_same_when_it_is_read_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ROUTES)
    status: dict[str, Any] = desk.get("/api/v2/status")
    assert status["cluster"] == {"status": "disabled", "peers": []}
    original = status["config"]["original"]
    assert "secret-path" not in original
    again = AlertmanagerFile.model_validate(yaml.load(original, Loader=yaml.BaseLoader))
    assert again.route is not None
    assert tree(again.route.spec()) == desk.settings.alerts.tree()
    assert again.intervals() == desk.settings.alerts.rules.intervals()
    assert [(rule.source, rule.target, rule.equal) for rule in again.inhibition()] == [
        (rule.source, rule.target, rule.equal) for rule in desk.settings.alerts.rules.inhibition()
    ]


def test_receivers(tmp_path: Path) -> None:
    assert Desk(tmp_path, ROUTES).get("/api/v2/receivers") == [{"name": "team"}, {"name": "pager"}]
