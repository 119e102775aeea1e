"""Alerts in Debian's own Alertmanager: read back from it, and told by it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from roundsman import times
from roundsman.alerts.decide import decide
from roundsman.alerts.groups import GroupState, Told
from roundsman.alerts.model import AlertState, CheckResult, NoData, Notify, NotifyKind, Status
from roundsman.notify.alertmanager import Alertmanager
from roundsman.notify.channel import Outcome, Target
from roundsman.notify.webhook import Webhook
from roundsman.refreshing import refresh
from roundsman.store import Store, alerts, groups

from ...alertmanager import RealAlertmanager, real_alertmanager, wait_for
from .cast import DISK, message
from .servers import Server, http_server

ID = "5c12bc8c40ac"


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

    def news(self, status: str, minute: float) -> Notify:
        at = self.began + timedelta(minutes=minute)
        result = CheckResult(self.host, "disk", Status(status), f"/var is {status}", DISK, "01JD", at)
        self.state = decide(self.state, result, at).state
        assert self.state is not None
        kind = NotifyKind.OPENED if self.state.is_open else NotifyKind.RESOLVED
        return Notify(kind, self.state, f"{self.state.fingerprint}/{minute}")


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
    assert datetime.fromisoformat(str(there["endsAt"])) - times.now() > timedelta(hours=23, minutes=59)
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
    disk.news("WARNING", 10)  # better, of which nobody is told; at its end the warning was its last state
    channel.send(message(disk.news("OK", 15)))
    assert firing(running, "web2") == []


def test_a_refresh_brings_back_what_a_restart_forgot_and_ends_nothing(running: RealAlertmanager) -> None:
    disk, channel = Disk("web3"), Alertmanager(running.url, resolve_timeout=timedelta(minutes=10))
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


def test_what_can_no_longer_be_looked_at_does_not_seem_to_be_over(running: RealAlertmanager, hook: Server) -> None:
    disk, channel = Disk("web6"), Alertmanager(running.url)
    channel.send(message(disk.news("CRITICAL", 0)))
    assert disk.state is not None
    gone = NoData("web6", "disk", "host unreachable", "01JE", disk.began + timedelta(minutes=5))
    blind = decide(disk.state, gone, gone.at).state
    assert blind is not None
    assert channel.refresh([blind]).ok
    (there,) = firing(running, "web6")
    assert there["labels"]["severity"] == "critical"
    assert there["annotations"]["summary"] == "no data: host unreachable, was CRITICAL: /var is CRITICAL"


def test_every_tick_repeats_what_the_receiver_was_told_and_nothing_else(
    running: RealAlertmanager, tmp_path: Path
) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.db")
    told, over, others = Disk("tick1"), Disk("tick2"), Disk("tick3")
    for disk in (told, over, others):
        disk.news("CRITICAL", 0)
    over.news("OK", 1)
    with store.write() as tx:
        for disk, receiver in ((told, "team"), (over, "team"), (others, "others")):
            assert disk.state is not None
            alerts.save(tx, disk.state.to_dict())
            known = {disk.state.fingerprint: Told(Status.CRITICAL, disk.began)}
            group = GroupState(disk.host, receiver, {}, disk.began, known)
            groups.replace(tx, (), [(group.id, group.flush_at, group.to_dict())])
    channels = {
        "team": {"team/alertmanager/1": Alertmanager(running.url), "team/webhook/1": Webhook(Target("http://x"))}
    }
    assert refresh(store, channels) == {"team/alertmanager/1": Outcome(ok=True, detail="HTTP 200 OK")}
    assert [len(firing(running, host)) for host in ("tick1", "tick2", "tick3")] == [1, 0, 0]


def test_one_that_hangs_does_not_let_others_forget(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=60)

    class Slow(Alertmanager):
        def refresh(self, states: Iterable[AlertState]) -> Outcome:
            # Returns only while another one is being refreshed, too.
            meeting.wait()
            return super().refresh(states)

    channels = {"team": {name: Slow("http://127.0.0.1:9") for name in ("one", "two")}}
    assert refresh(Store(f"sqlite:///{tmp_path}/store.db"), channels).keys() == {"one", "two"}


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
