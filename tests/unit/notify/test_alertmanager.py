"""Alerts in Debian's own Alertmanager: read back from it, and told by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from roundsman import times
from roundsman.alerts.decide import Reason, decide
from roundsman.alerts.model import AlertState, CheckResult, Notify, NotifyKind, Status
from roundsman.notify.alertmanager import Alertmanager

from ...alertmanager import RealAlertmanager, real_alertmanager, wait_for
from .cast import DISK, message
from .servers import Server, http_server

ID = "5c12bc8c40ac"
NEWS = {
    Reason.OPENED: NotifyKind.OPENED,
    Reason.REOPENED: NotifyKind.OPENED,
    Reason.WORSENED: NotifyKind.WORSENED,
    Reason.RESOLVED: NotifyKind.RESOLVED,
}


@pytest.fixture(scope="module")
def hook() -> Iterator[Server]:
    """What the Alertmanager tells its one receiver."""
    with http_server() as listening:
        yield listening


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, hook: Server) -> Iterator[RealAlertmanager]:
    url = f"http://127.0.0.1:{hook.port}/"
    with real_alertmanager(tmp_path_factory.mktemp("alertmanager"), url) as alertmanager:
        yield alertmanager


class Disk:
    """The alert of one disk, from one result to the next, and what is heard of it."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.state: AlertState | None = None
        self.began = times.now() - timedelta(hours=1)

    def turns(self, status: str, minute: float) -> Notify | None:
        at = self.began + timedelta(minutes=minute)
        result = CheckResult(self.host, "disk", Status(status), f"/var is {status}", DISK, "01JD", at)
        decision = decide(self.state, result, at)
        self.state = decision.state
        kind = NEWS.get(decision.reason)
        if self.state is None or kind is None:
            return None
        return Notify(kind, self.state, f"{self.state.fingerprint}/{minute}")

    def news(self, status: str, minute: float) -> Notify:
        heard = self.turns(status, minute)
        assert heard is not None
        return heard


def firing(running: RealAlertmanager, host: str) -> list[dict[str, Any]]:
    return [alert for alert in running.alerts() if alert["labels"]["host"] == host]


def told(hook: Server, host: str) -> list[tuple[str, str]]:
    """Status and severity of each alert of the host in the webhooks, oldest first."""
    alerts = [alert for document in hook.documents for alert in document["alerts"]]
    return [(alert["status"], alert["labels"]["severity"]) for alert in alerts if alert["labels"]["host"] == host]


def test_an_alert_fires_there_and_ends_there(running: RealAlertmanager, hook: Server) -> None:
    disk, channel = Disk("web1"), Alertmanager(running.url + "/")
    assert channel.send(message(disk.news("CRITICAL", 0))).ok
    (there,) = firing(running, "web1")
    assert there["labels"] == {
        "alertname": "disk", "host": "web1", "check": "disk", "severity": "critical",
        "roundsman_id": disk.state.fingerprint if disk.state else None,
    }  # fmt: skip
    assert there["annotations"] == {
        "summary": "/var is CRITICAL",
        "description": "on /var, value 97 %, warn 80%, crit 90%",
        "command": f"roundsman alerts show {disk.state.fingerprint if disk.state else None}",
        "recommended": "roundsman health web1",
        "run": "01JD",
    }
    assert datetime.fromisoformat(str(there["startsAt"])) - disk.began < timedelta(seconds=1)
    assert datetime.fromisoformat(str(there["endsAt"])) - times.now() > timedelta(hours=3, minutes=59)
    wait_for(lambda: told(hook, "web1"))
    assert channel.send(message(disk.news("OK", 30))).ok
    assert firing(running, "web1") == []
    wait_for(lambda: len(told(hook, "web1")) > 1)
    assert told(hook, "web1") == [("firing", "critical"), ("resolved", "critical")]


def test_what_gets_worse_leaves_no_warning_behind(running: RealAlertmanager) -> None:
    """Its severity is a label, so to Alertmanager it becomes another alert."""
    disk, channel = Disk("web2"), Alertmanager(running.url)
    channel.send(message(disk.news("WARNING", 0)))
    channel.send(message(disk.news("CRITICAL", 5)))
    assert [alert["labels"]["severity"] for alert in firing(running, "web2")] == ["critical"]
    disk.turns("WARNING", 10)  # better, of which nobody is told; at its end the warning was its last state
    channel.send(message(disk.news("OK", 15)))
    assert firing(running, "web2") == []


def test_a_refresh_brings_back_what_a_restart_forgot_and_ends_nothing(running: RealAlertmanager) -> None:
    disk, channel = Disk("web3"), Alertmanager(running.url, resolve_timeout=timedelta(seconds=2))
    disk.news("CRITICAL", 0)
    assert disk.state is not None
    assert channel.refresh([disk.state]).ok
    assert len(firing(running, "web3")) == 1
    channel = replace(channel, resolve_timeout=timedelta(hours=1))
    assert channel.refresh([disk.state]).ok
    (there,) = firing(running, "web3")
    assert datetime.fromisoformat(str(there["endsAt"])) > times.now() + timedelta(minutes=50)
    disk.news("OK", 1)
    assert channel.refresh([disk.state]).detail == "nothing to say"
    assert len(firing(running, "web3")) == 1


def test_an_alert_that_nobody_repeats_expires(running: RealAlertmanager) -> None:
    disk = Disk("web4")
    Alertmanager(running.url, resolve_timeout=timedelta(seconds=1)).send(message(disk.news("CRITICAL", 0)))
    wait_for(lambda: not firing(running, "web4"))


def test_more_alerts_than_fit_into_one_address(running: RealAlertmanager) -> None:
    states = []
    for number in range(450):
        disk = Disk(f"many{number}")
        disk.news("CRITICAL", 0)
        states += [disk.state] if disk.state else []
    assert Alertmanager(running.url).refresh(states).ok
    assert len([alert for alert in running.alerts() if str(alert["labels"]["host"]).startswith("many")]) == 450


def test_what_it_refuses_is_permanent_and_quoted(running: RealAlertmanager) -> None:
    news = message(Disk("web5").news("CRITICAL", 0))
    bad = replace(news.alerts[0], labels={"not a name": "x"})
    outcome = Alertmanager(running.url).send(replace(news, alerts=(bad,)))
    assert (outcome.ok, outcome.permanent) == (False, True)
    assert "invalid label set" in outcome.detail


def test_an_alertmanager_that_is_away_or_broken_is_temporary() -> None:
    assert not Alertmanager("http://127.0.0.1:9").send(message()).permanent
    with http_server() as broken:
        broken.behaviours = [(503, {"Retry-After": "7"})]
        outcome = Alertmanager(f"http://alice:geheim@127.0.0.1:{broken.port}").send(message())
    assert (outcome.ok, outcome.permanent, outcome.retry_after_s) == (False, False, 7.0)
    assert "geheim" not in outcome.detail
