"""What people do about alerts, as they type it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from roundsman import times
from roundsman.exits import ExitCode

from ..notify.pagerduty_endpoint import pagerduty_endpoint
from ..notify.servers import http_server
from .desk import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def test_an_acknowledgement_lasts_as_long_as_it_was_given_for(desk: Desk) -> None:
    assert "until 2026-11-23 03:35 UTC" in desk.respond("ack", "--by", "anna", "--for", "90min").output
    assert "acknowledged by anna until Nov 23 03:35" in " ".join(desk.run("alerts", "list").output.split())
    desk.now += timedelta(minutes=89)
    assert desk.alert["phase"] == "acknowledged"
    desk.now += timedelta(minutes=2)
    assert desk.alert["phase"] == "open"
    assert desk.timeline == ["opened", "acknowledged", "acknowledgement_expired"]


def test_without_a_time_of_its_own_it_lasts_as_configured(desk: Desk) -> None:
    desk.configure("alerts: {acknowledged_for: 1h}\n")
    assert "until 2026-11-23 03:05 UTC" in desk.respond("ack").output


def test_an_alert_is_given_back(desk: Desk) -> None:
    assert desk.respond("unack").exit_code == ExitCode.USAGE
    desk.respond("ack", "--by", "anna")
    assert "given back by anna: no time" in desk.respond("unack", "--by", "anna", "--note", "no time").output
    assert desk.alert["phase"] == "open"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--for", "soon"], r"--for soon is no time"),
        (["--until", "2026-11-01"], r"--until 2026-11-01 is over already"),
        (["--for", "1h", "--until", "2026-12-01"], r"give one of them"),
    ],
)
def test_a_time_that_cannot_be_meant_is_refused(desk: Desk, arguments: list[str], said: str) -> None:
    done = desk.respond("ack", *arguments)
    assert done.exit_code == ExitCode.USAGE
    assert re.search(said, done.output)
    assert desk.alert["phase"] == "open"


def test_an_alert_is_assigned_and_noted(desk: Desk) -> None:
    assert desk.respond("assign", "bob", "--by", "anna").exit_code == 0
    assert desk.respond("note", "waiting for the vendor", "--by", "bob").exit_code == 0
    assert desk.alert["assigned_to"] == "bob"
    assert "assigned to bob" in " ".join(desk.run("alerts", "list").output.split())
    shown = " ".join(desk.run("alerts", "show", desk.alert["fingerprint"]).output.split())
    assert "assigned to bob by anna" in shown
    assert "bob: waiting for the vendor" in shown
    desk.respond("resolve")
    assert desk.respond("assign", "carol").exit_code == ExitCode.USAGE
    assert desk.respond("note", "it was the log").exit_code == 0


def test_how_long_it_took(desk: Desk) -> None:
    assert desk.json("alerts", "stats")["total"]["count"] == 1
    opened = times.moment(desk.alert["opened_at"])
    desk.now = opened + timedelta(minutes=10)
    desk.respond("ack", "--by", "anna")
    desk.respond("assign", "bob")
    desk.now = opened + timedelta(minutes=30)
    desk.respond("ack", "--by", "anna")
    desk.respond("resolve")
    found = desk.json("alerts", "stats")
    assert found["by_severity"]["CRITICAL"] == found["by_assignee"]["bob"] == found["total"]
    assert (found["total"]["acknowledge_median_s"], found["total"]["resolve_p90_s"]) == (600, 1800)
    assert found["never_acknowledged"] == []
    drawn = desk.run("alerts", "stats")
    assert re.search(r"by bob +1 +10 min, 10 min +30 min, 30 min", drawn.output)
    assert max(map(len, drawn.output.splitlines())) <= 80
    desk.now += timedelta(days=31)
    assert "no alerts in that time" in desk.run("alerts", "stats").output
    assert desk.json("alerts", "stats", "--since", "40d")["total"]["count"] == 1
    assert desk.run("alerts", "stats", "--since", "yesterday").exit_code == ExitCode.USAGE


def test_what_nobody_has_acknowledged_is_told(desk: Desk) -> None:
    desk.now = times.moment(desk.alert["opened_at"]) + timedelta(hours=2)
    output = desk.run("alerts", "stats").output
    assert "1 alert never acknowledged" in output
    assert "CRITICAL web3, disk: open for 2 h" in output


def test_an_alert_shows_who_is_told_next(desk: Desk) -> None:
    people = "people: {alice: {urls: [json://localhost:9/a]}, bob: {urls: [json://localhost:9/b]}}"
    chain = "[{notify: alice, wait: 10m}, {notify: bob}]"
    desk.configure(f"alerts: {{{people}, receivers: [{{name: team, escalate: {chain}}}]}}\n")

    def shown() -> str:
        return " ".join(desk.run("alerts", "show", desk.alert["fingerprint"]).output.split())

    desk.run("tick")
    assert "escalation of team: alice told, bob next at Nov 23 02:15" in shown()
    desk.respond("ack", "--for", "1h")
    assert "alice told, alice again when the acknowledgement ends at Nov 23 03:05" in shown()
    (escalation,) = desk.json("alerts", "show", desk.alert["fingerprint"])["escalations"].values()
    assert (escalation["told"], escalation["paused"]) == (["alice"], True)
    desk.respond("unack")
    desk.now += timedelta(minutes=11)
    desk.run("tick")
    assert "alice, bob told, nobody is next" in shown()


def test_pagerduty_follows_what_people_do(desk: Desk) -> None:
    with pagerduty_endpoint() as pagerduty:
        target = f"{{routing_key: {'0123456789abcdef' * 2}, url: '{pagerduty.url}'}}"
        desk.configure(f"alerts: {{receivers: [{{name: pager, pagerduty: [{target}]}}]}}\n")
        desk.run("tick")
        (key,) = pagerduty.incidents
        assert desk.respond("ack", "--by", "anna", "--for", "1h").exit_code == 0
        assert pagerduty.incidents == {key: "acknowledged"}
        desk.now += timedelta(minutes=61)
        desk.run("tick")
        assert [event["event_action"] for event in pagerduty.events] == ["trigger", "acknowledge", "trigger"]
        desk.respond("resolve", "--by", "anna")
        assert pagerduty.incidents == {key: "resolved"}


def test_whoever_wants_to_know_is_told_who_has_it(desk: Desk) -> None:
    with http_server() as server:
        hook = f"webhooks: [{{url: 'http://127.0.0.1:{server.port}/'}}]"
        desk.configure(f"alerts: {{receivers: [{{name: team, notify_acknowledged: true, {hook}}}]}}\n")
        desk.run("tick")
        desk.respond("ack", "--by", "anna")
        _, told = server.documents
        assert told["title"] == "ACKNOWLEDGED web3: disk is CRITICAL (by anna)"
        (alert,) = told["alerts"]
        assert (alert["status"], alert["annotations"]["kind"]) == ("firing", "acknowledged")
        assert alert["annotations"]["acknowledged_by"] == "anna"
