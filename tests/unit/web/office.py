"""An office with a clock that can be turned, and a client of its API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from httpx import Response
from starlette.testclient import TestClient

from roundsman import alerting, config
from roundsman.store import Store
from roundsman.times import moment
from roundsman.web.app import application
from roundsman.web.asking import Office

JSON = {"Content-Type": "application/json"}
HIGH_LOAD = {"alertname": "HighLoad", "severity": "critical", "instance": "web1:9100", "team": "web"}


class Desk:
    """What clients of Alertmanager see."""

    def __init__(self, base: Path, configuration: str = "") -> None:
        self.now = moment("2026-11-23T02:00:00Z")
        self.woken = 0
        file = base / "roundsman.yml"
        file.write_text(f"state_dir: {base}\n{configuration}")
        self.settings = config.load(str(file))
        self.store = Store(self.settings.store_url)
        office = Office(self.store, self.settings, self._wake, lambda: self.now)
        self.client = TestClient(application(office), base_url="http://127.0.0.1:9093")

    def _wake(self) -> None:
        self.woken += 1

    def later(self, minutes: float) -> None:
        """Time passes, and what it ends."""
        self.now += timedelta(minutes=minutes)
        with self.store.write() as tx:
            alerting.expire(tx, self.now)

    def stamp(self, minutes: float) -> str:
        return (self.now + timedelta(minutes=minutes)).isoformat()

    def alert(self, labels: Mapping[str, str] = HIGH_LOAD, **more: Any) -> dict[str, Any]:
        return {"labels": dict(labels), "annotations": {"summary": "load is 40"}, **more}

    def post(self, *alerts: object, path: str = "/api/v2/alerts") -> Response:
        return self.post_raw(path, json.dumps(alerts))

    def post_raw(self, path: str, body: str | bytes) -> Response:
        return self.client.post(path, content=body, headers=JSON)

    def silence(self, **more: Any) -> dict[str, Any]:
        matcher = {"name": "team", "value": "web", "isRegex": False, "isEqual": True}
        return {
            "matchers": [matcher],
            "startsAt": self.stamp(0),
            "endsAt": self.stamp(60),
            "createdBy": "anna",
            "comment": "new disk",
            **more,
        }

    def post_silence(self, **more: Any) -> Response:
        return self.post_raw("/api/v2/silences", json.dumps(self.silence(**more)))

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def alerts(self, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/api/v2/alerts", **query)
        return found

    def names(self, **query: Any) -> list[str]:
        return sorted(one["labels"].get("alertname", "") for one in self.alerts(**query))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)
