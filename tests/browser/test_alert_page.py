"""The page that messages link to, on a phone: whoever only looks changes nothing, and a finger acknowledges."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.serving import served

from .chromium import Browser, browser, needed

ALERTS = "{receivers: [{name: team}]}"
POSTED = {
    "labels": {
        "alertname": "HighLoad",
        "severity": "critical",
        "instance": f"web1.{'long-' * 12}name.example.org:9100",
    },
    "annotations": {
        "summary": f"<img src=x onerror=alert(1)> see https://example.org/{'x' * 300}",
        "runbook_url": f"https://wiki.example.org/{'load-' * 30}",
    },
}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Of the page of an alert that fires."""
    needed()
    with served(tmp_path, ALERTS) as server:
        body = json.dumps([POSTED]).encode()
        urlopen(Request(f"{server.url}/api/v2/alerts", body, {"Content-Type": "application/json"})).close()
        with urlopen(f"{server.url}/api/v2/alerts") as answer:
            (alert,) = json.load(answer)
        yield f"{server.url}/alerts/{alert['fingerprint']}"


def fits(phone: Browser) -> bool:
    fit: bool = phone.ask("document.documentElement.scrollWidth <= innerWidth")
    return fit


def test_a_finger_acknowledges_and_looking_changes_nothing(tmp_path: Path, url: str) -> None:
    with browser(tmp_path) as phone:
        for address in (url, f"{url}?do=ack&by=mallory", url):
            phone.open(address)
            assert "Nobody is on it" in phone.text()
            assert fits(phone)
        assert phone.ask("document.images.length") == 0
        phone.type("[name=by]", "alice")
        phone.type("[name=note]", "on my way")
        phone.press("[value=ack]")
        assert phone.ask("location.href") == url
        assert "alice is on it until " in phone.text()
        assert "acknowledged by alice: on my way" in phone.text()
        assert fits(phone)
        phone.type("[name=by]", "bob")
        phone.press("[value=ack]")
        assert "alice has acknowledged it already" in phone.text()
        phone.type("[name=by]", "alice")
        phone.press("[value=resolve]")
        assert phone.text().startswith("RESOLVED")
        assert phone.ask("document.forms.length") == 0
        phone.open(f"{url}0")
        assert phone.text() == "there is no such alert"
