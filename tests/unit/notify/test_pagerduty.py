"""Events as PagerDuty takes them. The endpoint's own understanding is checked by driving it with PagerDuty's client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pagerduty import EventsApiV2Client, HttpError

from roundsman.alerts.model import Notify, NotifyKind, Phase
from roundsman.notify.pagerduty import PagerDuty
from roundsman.notify.templates import Style

from ..health.servers import certificate
from .cast import full_disk, heard, message, problem, repaired_disk
from .pagerduty_endpoint import PagerDutyEndpoint, pagerduty_endpoint

KEY = "0123456789abcdef0123456789abcdef"
DISK = "roundsman-5c12bc8c40ac"


@pytest.fixture
def endpoint() -> Iterator[PagerDutyEndpoint]:
    with pagerduty_endpoint() as running:
        yield running


@pytest.fixture
def channel(endpoint: PagerDutyEndpoint) -> PagerDuty:
    return PagerDuty(KEY, endpoint.url, 60)


def taken_on(news: Notify, by: str) -> Notify:
    alert = replace(news.alert, phase=Phase.ACKNOWLEDGED, acknowledged_by=by)
    return replace(news, kind=NotifyKind.ACKNOWLEDGED, alert=alert)


@pytest.fixture
def with_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PagerDutyEndpoint]:
    """PagerDuty's client speaks https only. Its certificate is trusted as one of a company's own would be."""
    pem = certificate(tmp_path, 30)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with pagerduty_endpoint(pem) as running:
        yield running


def test_the_endpoint_understands_pagerdutys_own_client(with_tls: PagerDutyEndpoint) -> None:
    client = EventsApiV2Client(KEY, base_url=with_tls.base_url)
    key = client.trigger("disk full", "web3", severity="critical")
    assert with_tls.incidents == {key: "triggered"}
    client.acknowledge(key)
    client.trigger("disk full", "web3", dedup_key=key)
    assert with_tls.incidents == {key: "acknowledged"}
    client.resolve(key)
    assert with_tls.incidents == {key: "resolved"}
    with pytest.raises(HttpError, match="400"):
        client.trigger("disk full", "web3", severity="dreadful")


def test_an_incident_of_ours_is_ended_by_their_client(with_tls: PagerDutyEndpoint) -> None:
    assert PagerDuty(KEY, with_tls.url).send(message()).ok
    EventsApiV2Client(KEY, base_url=with_tls.base_url).resolve(DISK)
    assert with_tls.incidents == {DISK: "resolved"}


def test_a_certificate_that_nobody_vouches_for_is_not_taken(
    with_tls: PagerDutyEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    outcome = PagerDuty(KEY, with_tls.url).send(message())
    assert (outcome.ok, outcome.permanent, with_tls.events) == (False, False, [])
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.detail


def test_an_alert_is_one_incident_from_its_opening_to_its_end(endpoint: PagerDutyEndpoint, channel: PagerDuty) -> None:
    assert channel.send(message(full_disk())).ok
    assert channel.send(message(full_disk())).ok, "a repeat"
    assert endpoint.incidents == {DISK: "triggered"}
    assert channel.send(message(taken_on(full_disk(), "alice"))).ok
    assert endpoint.incidents == {DISK: "acknowledged"}
    assert channel.send(message(repaired_disk())).ok
    assert endpoint.incidents == {DISK: "resolved"}


def test_the_event_of_a_full_disk(endpoint: PagerDutyEndpoint, channel: PagerDuty) -> None:
    channel.send(message())
    (event,) = endpoint.events
    assert event == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": DISK,
        "client": "Roundsman",
        "payload": {
            "summary": "CRITICAL web3: /var 97% used",
            "source": "web3",
            "severity": "critical",
            "timestamp": "2026-11-23T02:00:00Z",
            "component": "disk",
            "class": "disk",
            "custom_details": {
                "since": "2026-11-23T02:00:00Z",
                "run": "01JD",
                "command": "roundsman alerts show 5c12bc8c40ac",
                "recommended": "roundsman health web3",
                "backup": None,
                "evidence": {"target": "/var", "value": 97, "unit": "%", "warn": "80%", "crit": "90%"},
            },
        },
        "links": [],
    }


def test_an_event_links_to_its_page_and_to_its_runbook(endpoint: PagerDutyEndpoint, channel: PagerDuty) -> None:
    news = heard(problem("disk", "x", runbook_url="https://wiki/disk"))
    channel.send(message(news, style=Style(external_url="https://rounds.example.org/")))
    assert endpoint.events[0]["links"] == [
        {"href": f"https://rounds.example.org/alerts/{news.alert.fingerprint}", "text": "Show and acknowledge"},
        {"href": "https://wiki/disk", "text": "Runbook"},
    ]


SEVERITIES = [("CRITICAL", "critical"), ("UNKNOWN", "error"), ("WARNING", "warning")]


@pytest.mark.parametrize(("status", "severity"), SEVERITIES)
def test_severities(endpoint: PagerDutyEndpoint, channel: PagerDuty, status: str, severity: str) -> None:
    channel.send(message(heard(problem("disk", "x", status))))
    assert endpoint.events[0]["payload"]["severity"] == severity


def test_every_alert_of_a_message_is_an_incident(endpoint: PagerDutyEndpoint, channel: PagerDuty) -> None:
    channel.send(message(full_disk()))
    channel.send(message(heard(problem("load", "load 9")), repaired_disk()))
    assert sorted(endpoint.incidents.values()) == ["resolved", "triggered"]


def still(news: Notify) -> Notify:
    return replace(news, kind=NotifyKind.STILL)


def test_what_goes_on_is_told_again_as_a_reminder_only(endpoint: PagerDutyEndpoint, channel: PagerDuty) -> None:
    load = heard(problem("load", "load 9"))
    channel.send(message(still(full_disk()), load))
    assert list(endpoint.incidents) == [f"roundsman-{load.alert.fingerprint}"]
    channel.send(message(still(full_disk()), still(load)))
    assert endpoint.incidents == {DISK: "triggered", f"roundsman-{load.alert.fingerprint}": "triggered"}


ANSWERS = [
    # status, headers, permanent, retry after
    (429, {"Retry-After": "7"}, False, 7.0),
    (500, {}, False, None),
    (503, {}, False, None),
    (400, {}, True, None),
]


@pytest.mark.parametrize(("status", "headers", "permanent", "retry_after"), ANSWERS)
def test_answers(
    endpoint: PagerDutyEndpoint, channel: PagerDuty, status: int, headers: dict[str, str], permanent: bool,
    retry_after: float | None,
) -> None:  # fmt: skip
    endpoint.behaviours = [(status, headers)]
    outcome = channel.send(message())
    assert (outcome.ok, outcome.permanent, outcome.retry_after_s) == (False, permanent, retry_after)
    assert channel.send(message()).ok


def test_what_pagerduty_refuses_is_quoted_without_the_key(endpoint: PagerDutyEndpoint, channel: PagerDuty) -> None:
    nameless = message(heard(problem("disk", "x")))
    outcome = channel.send(replace(nameless, alerts=(replace(nameless.alerts[0], host=""),)))
    assert outcome.permanent
    assert "'payload.source' is missing or blank" in outcome.detail
    assert KEY not in outcome.detail


def test_one_event_that_is_refused_does_not_keep_the_others_back(
    endpoint: PagerDutyEndpoint, channel: PagerDuty
) -> None:
    endpoint.behaviours = [(400, {}), "accept"]
    outcome = channel.send(message(full_disk(), heard(problem("load", "load 9"))))
    assert (outcome.ok, outcome.permanent, len(endpoint.incidents)) == (False, True, 1)
    assert outcome.detail.startswith("1 of 2 events refused: HTTP 400")


def test_a_rate_limit_ends_the_attempt(endpoint: PagerDutyEndpoint, channel: PagerDuty) -> None:
    endpoint.behaviours = [(429, {"Retry-After": "9"})]
    outcome = channel.send(message(full_disk(), heard(problem("load", "load 9"))))
    assert (outcome.permanent, outcome.retry_after_s, endpoint.requests) == (False, 9.0, 1)


def test_evidence_that_is_too_large_is_told_in_short(endpoint: PagerDutyEndpoint, channel: PagerDuty) -> None:
    long = message(heard(problem("disk", "y" * 5000, target="/var", details={"words": "ä" * 300_000})))
    assert channel.send(long).ok
    assert endpoint.events[0]["payload"]["custom_details"]["evidence"] == "on /var"


@pytest.mark.parametrize("key", ["", "0123", KEY + "0", "é" * 32, KEY[:-1] + "-"])
def test_a_key_that_is_none_is_found_before_anything_is_sent(endpoint: PagerDutyEndpoint, key: str) -> None:
    outcome = PagerDuty(key, endpoint.url).send(message())
    assert (outcome.ok, outcome.permanent, endpoint.requests) == (False, True, 0)
    assert not key or key not in outcome.detail
