"""The page that messages link to: looking changes nothing, its buttons act, and forms of others do not."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from .office import HIGH_LOAD, Desk

EVIL = {**HIGH_LOAD, "alertname": "<script>alert(1)</script>"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.post(made.alert())
    return made


def path(desk: Desk) -> str:
    return "/alerts/" + desk.alerts()[0]["fingerprint"]


def proof(page: str) -> str:
    found = re.search(r'name="proof" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


def phases(desk: Desk) -> list[str]:
    return [alert["status"]["state"] for alert in desk.alerts()]


def test_looking_changes_nothing(desk: Desk) -> None:
    page = desk.client.get(path(desk), params={"do": "ack", "by": "mallory"})
    assert page.status_code == 200
    assert "load is 40" in page.text
    assert "Nobody is on it" in desk.client.get(path(desk)).text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_its_buttons_act(desk: Desk) -> None:
    form = {"proof": proof(desk.client.get(path(desk)).text), "by": "alice", "note": "on my way", "for": "1h"}
    after = desk.client.post(path(desk), data={**form, "do": "ack"})
    assert "acknowledged by alice: on my way, until 2026-11-23 03:00" in after.text
    assert "alice is on it until 2026-11-23 03:00" in after.text
    assert desk.woken
    over = desk.client.post(path(desk), data={**form, "do": "resolve"})
    assert "resolved by alice" in over.text
    assert "<form" not in over.text
    assert desk.alerts() == []


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"proof": "0" * 64}, 403), ({"proof": ""}, 403), ({"by": " "}, 400), ({"do": "sell"}, 400), ({"for": "x"}, 400)],
)
def test_what_is_wrong_with_a_form_is_said(desk: Desk, wrong: dict[str, str], status: int) -> None:
    form = {"proof": proof(desk.client.get(path(desk)).text), "by": "alice", "do": "ack", "for": "1h"}
    assert desk.client.post(path(desk), data={**form, **wrong}).status_code == status
    assert "Nobody is on it" in desk.client.get(path(desk)).text


def test_who_has_it_is_said_to_the_next(desk: Desk) -> None:
    form = {"proof": proof(desk.client.get(path(desk)).text), "do": "ack"}
    desk.client.post(path(desk), data={**form, "by": "alice"})
    refused = desk.client.post(path(desk), data={**form, "by": "bob"})
    assert refused.status_code == 409
    assert "alice has acknowledged it already" in refused.text


def test_it_shows_what_messages_do_and_no_secret(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    runbook = "https://wiki.example.org/load"
    desk.post(desk.alert(annotations={"summary": "tried password=hunter2", "runbook_url": runbook}))
    page = desk.client.get(path(desk)).text
    assert f'<a href="{runbook}">' in page
    assert "roundsman health web1" in page
    assert "hunter2" not in page


def test_names_from_outside_are_only_text(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.post(desk.alert(EVIL))
    page = desk.client.get(path(desk)).text
    assert "<script>" not in page


def test_only_who_has_the_token_sees_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "serve: {token: 0123456789abcdef}\n")
    assert desk.client.get("/alerts/5c12bc8c40ac").status_code == 401
    basic = base64.b64encode(b"me:0123456789abcdef").decode()
    assert desk.client.get("/alerts/5c12bc8c40ac", headers={"Authorization": f"Basic {basic}"}).status_code == 404


def test_without_a_token_it_is_for_this_machine(desk: Desk) -> None:
    assert desk.client.get(path(desk), headers={"Host": "evil.example"}).status_code == 403
