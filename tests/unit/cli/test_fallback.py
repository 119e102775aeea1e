"""What a target cannot be told is told to another receiver: over real connections, with a clock of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from roundsman import delivery
from roundsman.alerts.grouping import STORM, Group, worst_first
from roundsman.alerts.model import Notify
from roundsman.config import Settings, parse
from roundsman.config_file import ConfigError
from roundsman.store import Store, outbox

from ..ledger.team import deliver
from ..notify.cast import full_disk, heard, problem, repaired_disk
from ..notify.clock import at
from ..notify.servers import Server, http_server

NAMES = ("team", "ops", "boss")
DISK, FIXED = full_disk(), repaired_disk()
LOAD = heard(problem("load", "load 9", minute=1))
LOAD_FINE = heard(problem("load", "load 9", minute=1), problem("load", "load 0", "OK", 40))
GONE, BUSY = (410, {}), (503, {})


class House:
    """Three receivers with a webhook each: team falls back to ops, and ops to boss."""

    def __init__(self, folder: Path, servers: dict[str, Server]) -> None:
        self.store = Store(f"sqlite:///{folder}/store.db")
        self.servers = servers
        lines = [
            f"    - {{name: {name}, webhooks: [{{url: 'http://127.0.0.1:{servers[name].port}/'}}]{fallback}}}\n"
            for name, fallback in zip(
                NAMES, (", fallback: ops", ", fallback: boss, fallback_after: 0s", ""), strict=True
            )
        ]
        self.settings = parse(f"alerts:\n  route: {{receiver: team}}\n  receivers:\n{''.join(lines)}", folder / "x.yml")
        known = delivery.channels_of(self.settings).values()
        self.targets = {name: channel for channels in known for name, channel in channels.items()}

    def news(self, minute: float, *news: Notify, host: str = "web3") -> None:
        group = Group("team", host, {"host": host}, worst_first(news))
        with self.store.write() as tx:
            outbox.add(tx, channel="team/webhook/1", group=group, run_id=None, now=at(minute))

    def deliver(self, minute: float) -> None:
        manners = delivery.manners(self.settings.alerts)
        deliver(self.store, self.targets, at(minute), manners)

    def fails(self, name: str, answer: tuple[int, dict[str, str]], times: int = 1000) -> None:
        self.servers[name].behaviours = [answer] * times

    def recovers(self, name: str) -> None:
        self.servers[name].behaviours = []

    def told(self, name: str) -> list[str]:
        return [document["title"] for document in self.servers[name].documents]

    def notes(self, name: str) -> list[list[str]]:
        return [document.get("notes", []) for document in self.servers[name].documents]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        yield House(tmp_path, {name: stack.enter_context(http_server()) for name in NAMES})


FULL, FINE = "CRITICAL web3: /var 97% used", "RESOLVED web3: /var 41% used"
MEANT = "This was meant for team/webhook/1, which could not be told: HTTP"


def test_a_target_that_fails_for_good_has_its_message_told_elsewhere_at_once(house: House) -> None:
    house.fails("team", GONE)
    house.news(0, DISK)
    house.deliver(0)
    assert (house.told("ops"), house.notes("ops")) == ([FULL], [[f"{MEANT} 410 Gone"]])
    house.deliver(60)
    assert (house.told("ops"), house.told("boss")) == ([FULL], [])


def test_the_ledger_of_the_alert_shows_both(house: House) -> None:
    house.fails("team", GONE)
    house.news(0, DISK)
    house.deliver(0)
    with house.store.read() as tx:
        rows = outbox.deliveries_of(tx, DISK.alert.fingerprint)
    assert [(row["channel"], row["ok"], row["detail"]) for row in rows] == [
        ("team/webhook/1", False, "HTTP 410 Gone; ops is told instead"),
        ("ops/webhook/1", True, "HTTP 200 OK"),
    ]


def test_a_target_that_only_hiccups_is_waited_for(house: House) -> None:
    house.fails("team", BUSY, times=2)
    house.news(0, DISK)
    for minute in (0, 2, 5):
        house.deliver(minute)
    assert (house.told("team"), house.told("ops")) == ([FULL], [])


def test_a_target_that_fails_for_long_is_tried_on_and_others_are_told_once(house: House) -> None:
    house.fails("team", BUSY)
    house.news(0, DISK)
    for minute in (0, 2, 5, 10):
        house.deliver(minute)
    assert house.told("ops") == []
    for minute in (16, 40, 100):
        house.deliver(minute)
    assert (house.told("ops"), house.notes("ops")) == ([FULL], [[f"{MEANT} 503 Service Unavailable"]])
    house.recovers("team")
    house.deliver(300)
    assert (house.told("team"), house.told("ops")) == ([FULL], [FULL])


def test_what_comes_while_it_fails_does_not_wait_again(house: House) -> None:
    house.fails("team", BUSY)
    house.news(0, DISK)
    for minute in (0, 16):
        house.deliver(minute)
    house.news(20, LOAD, host="web4")
    house.deliver(60)
    assert len(house.told("ops")) == 2


def test_who_was_told_instead_hears_of_the_end_although_the_target_works_again(house: House) -> None:
    house.fails("team", GONE, times=1)
    house.news(0, DISK)
    house.deliver(0)
    house.news(30, FIXED, LOAD)
    house.deliver(30)
    assert house.told("team") == ["CRITICAL web3: load 9"]
    assert house.told("ops") == [FULL, FINE], "of the load somebody knows"
    house.news(45, LOAD_FINE)
    house.deliver(45)
    assert house.told("ops") == [FULL, FINE]


def test_who_was_told_of_an_end_is_told_of_the_rest_when_the_target_fails_on(house: House) -> None:
    house.fails("team", GONE, times=1)
    house.news(0, DISK)
    house.deliver(0)
    house.news(10, LOAD, host="web4")
    house.deliver(10)
    house.fails("team", BUSY)
    house.news(30, FIXED, LOAD)
    for minute in (30, 50):
        house.deliver(minute)
    assert house.told("ops") == [FULL, FINE, "CRITICAL web3: load 9"]


def test_the_end_of_what_the_target_heard_itself_is_its_own(house: House) -> None:
    house.fails("team", GONE, times=1)
    for minute, news in ((0, DISK), (30, FIXED), (60, DISK), (90, FIXED)):
        house.news(minute, news)
        house.deliver(minute)
    assert house.told("team") == [FINE, FULL, FINE]
    assert house.told("ops") == [FULL, FINE], "the second time ops had nothing to do with it"


def test_a_fallback_that_fails_has_its_own(house: House) -> None:
    house.fails("team", GONE)
    house.fails("ops", BUSY)
    house.news(0, DISK)
    house.deliver(0)
    assert house.told("boss") == [FULL]
    assert house.notes("boss") == [
        [f"{MEANT} 410 Gone", "This was meant for ops/webhook/1, which could not be told: HTTP 503 Service Unavailable"]
    ]


def test_after_a_day_it_is_given_up(house: House) -> None:
    house.fails("team", BUSY)
    house.fails("ops", BUSY)
    house.news(0, DISK)
    house.deliver(0)
    moment = at(0) + timedelta(hours=25)
    minutes = (moment - at(0)).total_seconds() / 60
    house.deliver(minutes)
    with house.store.read() as tx:
        assert {row["channel"]: row["status"] for row in outbox.waiting(tx)}["team/webhook/1"] == "failed"
    house.deliver(minutes + 1)
    assert house.told("boss") == [FULL]


def settings(*fallbacks: str | None) -> Settings:
    receivers = ", ".join(
        f"{{name: r{number}{f', fallback: {fallback}' if fallback else ''}}}"
        for number, fallback in enumerate(fallbacks)
    )
    return parse(f"alerts: {{route: {{receiver: r0}}, receivers: [{receivers}]}}", Path("/x/roundsman.yml"))


@pytest.mark.parametrize(
    ("fallbacks", "said"),
    [
        (("nobody",), "alerts.receivers.0.fallback: there is nobody called 'nobody' (there are: r0)"),
        (("r0",), "alerts.receivers.0.fallback: r0 -> r0 is a circle"),
        (("r1", "r2", "r1"), "alerts.receivers.1.fallback: r1 -> r2 -> r1 is a circle"),
    ],
)
def test_a_fallback_leads_to_somebody(fallbacks: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        settings(*fallbacks)
    assert said in str(raised.value)


def test_two_may_share_a_fallback() -> None:
    manners = delivery.manners(settings("r2", "r2", None).alerts)
    assert [manner.fallback and manner.fallback.receiver for manner in manners.values()] == ["r2", "r2", None]


def test_times_are_aware(house: House) -> None:
    with house.store.read() as tx:
        assert outbox.failing_since(tx, "team/webhook/1") is None
    house.fails("team", BUSY)
    house.news(0, DISK)
    for minute in (0, 1):
        house.deliver(minute)
    with house.store.read() as tx:
        since: datetime | None = outbox.failing_since(tx, "team/webhook/1")
    assert since == at(0)


def test_who_was_told_of_a_storm_instead_is_told_of_the_end_of_each_group(house: House) -> None:
    house.fails("team", GONE)
    with house.store.write() as tx:
        storm = Group("team", STORM, {}, (DISK,))
        outbox.add(tx, channel="team/webhook/1", group=storm, run_id=None, now=at(0))
    house.deliver(0)
    house.recovers("team")
    house.news(40, FIXED)
    house.deliver(40)
    with house.store.read() as tx:
        told = outbox.about(tx, "ops/webhook/1", {FIXED.alert.fingerprint})
    assert [row["notification"]["notifications"][0]["kind"] for row in told] == ["opened", "resolved"]


def test_what_a_clock_ahead_of_now_put_there_is_sent(house: House) -> None:
    house.news(365 * 1440, DISK)
    house.deliver(1)
    with house.store.read() as tx:
        assert outbox.waiting(tx) == []


def test_an_end_waits_for_the_page_that_another_process_is_sending(house: House) -> None:
    house.news(0, DISK)
    with house.store.write() as tx:
        page = outbox.claim(tx, at(0), delivery.LEASE, ["team/webhook/1"])
    assert page is not None
    house.news(1, FIXED)
    with house.store.write() as tx:
        assert outbox.claim(tx, at(1), delivery.LEASE, ["team/webhook/1"]) is None
        outbox.settle(tx, page, now=at(2), ok=True, detail="", retry_at=None)
        assert outbox.claim(tx, at(2), delivery.LEASE, ["team/webhook/1"]) is not None
