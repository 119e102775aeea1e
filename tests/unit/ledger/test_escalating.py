"""From a receiver that escalates to people: what is in the outbox for whom, with the real store and real rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from roundsman import oncall
from roundsman.alerting import measure, pass_time, receive, respond, states_of
from roundsman.alerts.external import Posted
from roundsman.alerts.grouping import Group
from roundsman.alerts.model import Acknowledge, AlertState, Resolve, Unacknowledge
from roundsman.alerts.oncall import Override
from roundsman.config import parse
from roundsman.notify.message import compose
from roundsman.store import Store, alerts, episodes, escalations, outbox
from roundsman.store import oncall as overrides
from roundsman.telling import tell, telling

from ..alerts.cast import at, result
from .team import CHANNEL

CONFIG = """\
alerts:
  people: {alice: {urls: [json://a]}, bob: {urls: [json://b]}, manager: {urls: [json://m]}}
  schedules:
    - {name: ops, layers: [{people: [alice, bob], every: day, at: 09:00, start: 2026-11-22}]}
  receivers:
    - {name: team, urls: [json://t], escalate: [{notify: ops, wait: 10m}, {notify: bob, wait: 15m}, {notify: manager}]}
"""
TWO_TEAMS = """\
alerts:
  people: {alice: {urls: [json://a]}}
  receivers: [{name: db, escalate: [{notify: alice}]}, {name: web, escalate: [{notify: alice}]}]
  route: {receiver: db, routes: [{matchers: [host="web3"], receiver: web, continue: true}, {receiver: db}]}
"""
CHANNELS = {"team": (CHANNEL,), **{name: (f"{name}/url/1",) for name in ("alice", "bob", "manager")}}


class Night:
    """web3's disk fills at two in the morning; Alice is on call until nine."""

    def __init__(self, base: Path, config: str = CONFIG) -> None:
        self.settings = parse(config + f"state_dir: {base}\n", base / "roundsman.yml")
        self.url = f"sqlite:///{base}/store.db"
        self.minute = 0
        self.heard: list[str] = []
        self.keys: list[str] = []  # of the messages to people; who gets one twice may drop it

    @property
    def now(self) -> datetime:
        return at(self.minute)

    def is_measured(self, status: str, check: str = "disk") -> None:
        event = result(status, self.minute, check=check)
        with Store(self.url).write() as tx:
            measure(tx, states_of(tx, "web3"), [event], self.now)

    def tick(self, minute: int, *, dies: bool = False) -> list[str]:
        """A process begins, does what is due, delivers, and ends; what people hear of it."""
        self.minute = minute
        store = Store(self.url)
        with store.write() as tx:
            pass_time(tx, self.now)
            duty = oncall.duty(self.settings, overrides.since(tx, self.now), self.now)
            how = telling(tx, self.settings, CHANNELS, duty, self.now)
            assert how is not None
            tell(tx, how, self.now, lambda _: True)
            if dies:
                tx.rollback()
                return []
        heard = sorted(self._delivered(store))
        self.heard += heard
        return heard

    def _delivered(self, store: Store) -> Iterator[str]:
        with store.write() as tx:
            while row := outbox.claim(tx, self.now, timedelta(minutes=5), list(chain(*CHANNELS.values()))):
                if row["receiver"] not in ("team", "db", "web"):
                    self.keys.append(compose(Group.from_dict(row["notification"])).key)
                    for news in row["notification"]["notifications"]:
                        yield f"{row['receiver']}: {news['alert']['check']} {news['kind']}"
                outbox.settle(tx, row, now=self.now, ok=True, detail="", retry_at=None)

    def does(self, event: Any) -> None:
        with Store(self.url).write() as tx:
            respond(tx, self.alert, event, self.now)

    @property
    def alert(self) -> AlertState:
        with Store(self.url).read() as tx:
            return next(state for state in states_of(tx, "web3").values() if state.check == "disk")

    @property
    def timeline(self) -> list[str]:
        with Store(self.url).read() as tx:
            rows = alerts.timeline_of(tx, self.alert.fingerprint)
        return [row["text"] for row in rows if row["reason"] == "escalated"]


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = Night(tmp_path)
    night.is_measured("CRITICAL")
    return night


def test_who_is_on_call_is_told_at_once_and_the_others_one_after_the_other(night: Night) -> None:
    assert night.tick(0) == ["alice: disk opened"]
    assert night.tick(9) == []
    assert night.tick(10) == ["bob: disk escalated"]
    assert night.tick(25) == ["manager: disk escalated"]
    assert night.tick(300) == []
    assert night.timeline == [
        "step 1 of team: alice told", "step 2 of team: bob told", "step 3 of team: manager told",
    ]  # fmt: skip


def test_an_acknowledgement_stops_it_and_begins_it_again_when_it_is_forgotten(night: Night) -> None:
    night.tick(0)
    night.minute = 5
    night.does(Acknowledge("alice", at(5)))
    assert [night.tick(minute) for minute in (6, 10, 25, 244)] == [[], [], [], []]
    assert night.tick(246) == ["alice: disk acknowledgement expired"]
    assert night.tick(257) == ["bob: disk escalated"]


def test_what_is_given_back_is_told_again(night: Night) -> None:
    night.tick(0)
    night.does(Acknowledge("alice", at(5)))
    night.tick(6)
    night.does(Unacknowledge("alice", at(7)))
    assert night.tick(7) == ["alice: disk escalated"]


def test_everybody_who_was_told_is_told_of_the_end_and_nobody_else(night: Night) -> None:
    night.tick(0)
    night.tick(10)
    night.minute = 12
    night.does(Resolve("bob", at(12)))
    assert night.tick(12) == ["alice: disk resolved", "bob: disk resolved"]
    assert night.tick(25) == []
    with Store(night.url).read() as tx:
        assert escalations.every(tx) == {}


def test_what_comes_back_is_told_again(night: Night) -> None:
    night.tick(0)
    night.is_measured("OK")
    assert night.tick(1) == ["alice: disk resolved"]
    night.minute = 2
    night.is_measured("CRITICAL")
    assert night.tick(2) == ["alice: disk opened"]


def test_what_comes_back_before_the_end_was_told_begins_again(night: Night) -> None:
    night.tick(0)
    night.tick(10)
    night.minute = 11
    night.is_measured("OK")
    night.is_measured("CRITICAL")
    assert night.tick(12) == ["alice: disk opened"]
    assert night.tick(22) == ["bob: disk escalated"]


def test_a_worsening_begins_it_again(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.is_measured("WARNING")
    night.tick(0)
    night.tick(10)
    night.minute = 11
    night.is_measured("CRITICAL")
    assert night.tick(11) == ["alice: disk worsened"]


def test_alerts_of_one_group_are_one_message(night: Night) -> None:
    night.is_measured("WARNING", "memory")
    assert night.tick(0) == ["alice: disk opened", "alice: memory opened"]
    with Store(night.url).read() as tx:
        told = [row for row in outbox.deliveries_of(tx, night.alert.fingerprint) if row["receiver"] == "alice"]
    assert len(told) == 1


def test_pages_of_two_receivers_to_the_same_person_are_two_messages(tmp_path: Path) -> None:
    night = Night(tmp_path, TWO_TEAMS)
    night.is_measured("CRITICAL")
    assert night.tick(0) == ["alice: disk opened"] * 2
    night.is_measured("OK")
    assert night.tick(1) == ["alice: disk resolved"] * 2
    assert len(set(night.keys)) == 4


def test_what_another_alert_explains_is_held(night: Night) -> None:
    night.tick(0)
    night.minute = 5
    night.is_measured("CRITICAL", "reachable")
    assert night.tick(5) == ["alice: reachable opened"]
    assert night.tick(15) == ["bob: reachable escalated"]
    night.minute = 16
    night.is_measured("OK", "reachable")
    assert night.tick(16) == ["alice: disk opened", "alice: reachable resolved", "bob: reachable resolved"]


def test_an_override_counts_from_the_next_step_on(night: Night) -> None:
    with Store(night.url).write() as tx:
        overrides.add(tx, Override("ops", "manager", at(-60), at(60), "ill", "anna", at(-60)))
    assert night.tick(0) == ["manager: disk opened"]


# oncall#1206: a restart lost the steps that were pending. Every tick here is a process of its own.
def test_oncall_1206_a_process_that_dies_before_its_end_has_done_nothing(night: Night) -> None:
    for minute in (0, 10, 25):
        assert night.tick(minute, dies=True) == []
        assert len(night.tick(minute)) == 1


# healthchecks#664, oncall#3111
@pytest.mark.parametrize(("minute", "heard"), [(40, ["manager"]), (90 * 1440, ["alice"])])
def test_after_our_own_downtime_one_is_told(night: Night, minute: int, heard: list[str]) -> None:
    night.tick(0)
    assert [one.partition(":")[0] for one in night.tick(minute)] == heard
    assert night.tick(minute + 60) == []


def test_a_receiver_that_escalates_no_more_still_tells_of_the_end(night: Night) -> None:
    night.tick(0)
    steps = CONFIG[CONFIG.index(", escalate") : CONFIG.rindex("}")]
    night.settings = parse(CONFIG.replace(steps, ""), Path("/etc/roundsman/roundsman.yml"))
    assert night.tick(10) == []
    night.minute = 11
    night.does(Resolve("bob", at(11)))
    assert night.tick(11) == ["alice: disk resolved"]


def test_the_receivers_that_were_told_are_in_the_statistics(night: Night) -> None:
    night.tick(0)
    with Store(night.url).read() as tx:
        (row,) = episodes.since(tx, at(0))
    assert row["receivers"] == ["team"]


# Rules of Prometheus have a label `priority` of their own often enough.
@pytest.mark.parametrize("priority", ["high", "p1", "P2"])
def test_a_posted_priority_of_whatever_kind_keeps_nobody_from_being_told(tmp_path: Path, priority: str) -> None:
    night = Night(tmp_path)
    labels = {"alertname": "DiskFull", "severity": "critical", "priority": priority}
    with Store(night.url).write() as tx:
        receive(tx, [Posted(labels, {}, at(0), at(60))], at(0))
    assert night.tick(1) == ["alice: DiskFull opened"]
