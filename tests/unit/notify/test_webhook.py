"""What the generic webhook sends, and how it reads the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from roundsman.notify.channel import Outcome, Target
from roundsman.notify.webhook import Webhook, payload

from .cast import disk_resolved_by_alice, full_disk, heard, message, problem, repaired_disk
from .servers import Server, http_server

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "alerts.md"


@pytest.fixture
def server() -> Iterator[Server]:
    with http_server() as running:
        yield running


def send(server: Server, **headers: str) -> Outcome:
    return Webhook(Target(f"http://127.0.0.1:{server.port}/hook", headers)).send(message())


ANSWERS = [
    # status, headers, permanent, retry after
    (400, {}, True, None),
    (401, {}, False, None),  # somebody may mend the credentials within the day
    (404, {}, False, None),
    (410, {}, True, None),
    (301, {"Location": "http://127.0.0.1:9/elsewhere"}, True, None),
    (408, {}, False, None),
    (429, {"Retry-After": "7"}, False, 7.0),
    (429, {"Retry-After": "soon"}, False, None),
    (500, {}, False, None),
    (503, {"Retry-After": "Wed, 01 Jan 2070 00:00:00 GMT"}, False, pytest.approx(1.3e9, rel=0.1)),
]


@pytest.mark.parametrize(("status", "headers", "permanent", "retry_after"), ANSWERS)
def test_answers(server: Server, status: int, headers: dict[str, str], permanent: bool, retry_after: object) -> None:
    server.behaviours = [(status, headers)]
    outcome = send(server)
    assert (outcome.ok, outcome.permanent, outcome.retry_after_s) == (False, permanent, retry_after)
    assert str(status) in outcome.detail
    assert server.requests == 1


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_success_is_one(server: Server, status: int) -> None:
    server.behaviours = [(status, {})]
    assert send(server).ok


def test_headers_of_the_target_and_the_idempotency_key_are_sent(server: Server) -> None:
    send(server, Authorization="Bearer token4711")
    send(server)
    (first, _), (second, _) = server.received
    assert first["Authorization"] == "Bearer token4711"
    assert first["Idempotency-Key"] == second["Idempotency-Key"] == message().key


@pytest.mark.parametrize("headers", [{"X-Key": "two\nlines"}, {"X Key": "v"}, {"": "v"}, {"X-Key": "schlüssel"}])
def test_a_header_that_http_does_not_allow_is_permanent(server: Server, headers: dict[str, str]) -> None:
    outcome = send(server, **headers)
    assert (outcome.ok, outcome.permanent, server.requests) == (False, True, 0)


def test_the_document_of_a_full_disk_is_the_one_in_the_documentation() -> None:
    documented = DOCUMENTATION.read_text("utf-8").partition("```json\n")[2].partition("```")[0]
    assert payload(message()) == json.loads(documented)


def test_a_resolved_alert_keeps_its_severity_and_has_an_end() -> None:
    document = payload(message(repaired_disk()))
    (alert,) = document["alerts"]
    assert (document["status"], alert["status"], alert["labels"]["severity"]) == ("resolved", "resolved", "critical")
    assert alert["endsAt"] == "2026-11-23T02:30:00Z"


def test_one_that_fires_makes_the_group_fire() -> None:
    document = payload(message(repaired_disk(), heard(problem("load", "load 9", "WARNING"))))
    assert (document["status"], document["commonLabels"]) == ("firing", {"host": "web3"})
    assert [alert["status"] for alert in document["alerts"]] == ["firing", "resolved"]


def test_the_key_follows_the_news() -> None:
    assert message(full_disk()).key == message(full_disk()).key
    assert message(full_disk()).key != message(disk_resolved_by_alice()).key
