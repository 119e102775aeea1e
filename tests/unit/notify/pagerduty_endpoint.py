"""What PagerDuty does with events at /v2/enqueue: it checks them as documented, and makes incidents of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from .servers import QuietHTTPServer, Server, running

ACTIONS = {"trigger": "triggered", "acknowledge": "acknowledged", "resolve": "resolved"}
SEVERITIES = ("critical", "error", "warning", "info")
LARGEST_EVENT = 512 * 1024
LONGEST = {"summary": 1024, "dedup_key": 255}


class PagerDutyEndpoint(Server):
    def __init__(self, scheme: str) -> None:
        super().__init__()
        self.scheme = scheme
        self.events: list[dict[str, Any]] = []  # that were taken
        self.incidents: dict[str, str] = {}  # dedup_key -> status

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.base_url}/v2/enqueue"

    def take(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        key, status = event["dedup_key"], self.incidents.get(event["dedup_key"])
        open_now = status in ("triggered", "acknowledged")
        # Only a trigger makes an incident; a repeat of it leaves an acknowledged one acknowledged.
        if event["event_action"] == "trigger":
            self.incidents[key] = status if open_now and status else "triggered"
        elif open_now:
            self.incidents[key] = ACTIONS[event["event_action"]]


def faults(body: bytes) -> list[str]:
    """What PagerDuty would not take."""
    if len(body) > LARGEST_EVENT:
        return ["the event is larger than 512 KB"]
    event = json.loads(body)
    found = []
    if len(str(event.get("routing_key", ""))) != 32:
        found.append("'routing_key' must be 32 characters")
    if event.get("event_action") not in ACTIONS:
        found.append("'event_action' is invalid")
    if len(event.get("dedup_key") or "") > LONGEST["dedup_key"]:
        found.append("'dedup_key' is too long")
    if event.get("event_action") != "trigger":
        return found if event.get("dedup_key") else [*found, "'dedup_key' is missing or blank"]
    payload = event.get("payload") or {}
    blank = [key for key in ("summary", "source", "severity") if not payload.get(key)]
    found += [f"'payload.{key}' is missing or blank" for key in blank]
    if payload.get("severity") not in SEVERITIES:
        found.append("'payload.severity' is invalid")
    if len(payload.get("summary") or "") > LONGEST["summary"]:
        found.append("'payload.summary' is too long")
    if "timestamp" in payload:
        datetime.fromisoformat(payload["timestamp"])
    found += ["a link has no href" for link in event.get("links", []) if not link.get("href")]
    return found


@contextmanager
def pagerduty_endpoint(pem: Path | None = None) -> Iterator[PagerDutyEndpoint]:
    """Behaviours: `accept`, or a status with headers."""
    server = PagerDutyEndpoint("https" if pem else "http")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            behaviour = server.next()
            if behaviour != "accept":
                self.answer(behaviour[0], {"status": "not now"}, behaviour[1])
            elif self.path != "/v2/enqueue":
                self.answer(404, {"status": "not found"})
            elif wrong := faults(body):
                said = {"status": "invalid event", "message": "Event object is invalid", "errors": wrong}
                self.answer(400, {**said, "you_sent": json.loads(body).get("routing_key")})
            else:
                event = {"dedup_key": f"made-{server.requests}", **json.loads(body)}
                server.take(event)
                self.answer(202, {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]})

        def answer(self, status: int, document: dict[str, Any], headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *args: Any) -> None:
            pass

    with running(QuietHTTPServer(("127.0.0.1", 0), Handler), server, pem):
        yield server
