"""What waits for a target that is in roundsman.yml no more."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest

from roundsman import oncall
from roundsman.alerting import measure, respond, states_of
from roundsman.alerts.grouping import Group
from roundsman.alerts.model import Acknowledge
from roundsman.config import Settings, parse
from roundsman.delivery import channels_of
from roundsman.notify.message import compose
from roundsman.store import Store, alerts, outbox
from roundsman.telling import tell, telling

from ..alerts.cast import at, result

BOTH = "[json://a, json://b]"
ONE = "[json://b]"


class Team:
    """Two targets, the second of which fails; web3's disk fills."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.store = Store(f"sqlite:///{base}/store.db")
        self.has(BOTH)

    def has(self, urls: str) -> None:
        """What roundsman.yml says from now on."""
        receivers = f"[{{name: team, urls: {urls}, notify_acknowledged: true}}]"
        text = f"state_dir: {self.base}\nalerts: {{receivers: {receivers}, route: {{receiver: team}}}}\n"
        self.settings: Settings = parse(text, self.base / "roundsman.yml")

    def hears(self, minute: int, status: str | None = None, fails: str = "team/url/2") -> list[str]:
        """A process measures, tells and delivers; what its targets hear."""
        now = at(minute)
        channels = {name: tuple(known) for name, known in channels_of(self.settings).items()}
        with self.store.write() as tx:
            if status:
                measure(tx, states_of(tx, "web3"), [result(status, minute)], now)
            how = telling(tx, self.settings, channels, oncall.duty(self.settings, [], now), now)
            assert how is not None
            tell(tx, how, now, lambda _: bool(status))
        return sorted(self._deliver(now, list(chain(*channels.values())), fails))

    def _deliver(self, now: datetime, channels: list[str], fails: str) -> list[str]:
        heard = []
        with self.store.write() as tx:
            while row := outbox.claim(tx, now, timedelta(minutes=5), channels):
                ok = row["channel"] != fails
                if ok:
                    message = compose(Group.from_dict(row["notification"]))
                    heard.append(" ".join([f"{row['channel']}: {message.kind}", *message.notes]))
                retry_at = None if ok else now + timedelta(minutes=1)
                outbox.settle(tx, row, now=now, ok=ok, detail="", retry_at=retry_at)
        return heard

    def is_acknowledged(self, minute: int) -> None:
        with self.store.write() as tx:
            (alert,) = states_of(tx, "web3").values()
            respond(tx, alert, Acknowledge("alice", at(minute)), at(minute))

    @property
    def waiting(self) -> list[str]:
        with self.store.read() as tx:
            return [row["channel"] for row in outbox.waiting(tx)]

    @property
    def withdrawn(self) -> list[str]:
        with self.store.read() as tx:
            (name,) = {state.fingerprint for state in states_of(tx, "web3").values()}
            return [row["text"] for row in alerts.timeline_of(tx, name) if row["reason"] == "withdrawn"]


@pytest.fixture
def team(tmp_path: Path) -> Team:
    team = Team(tmp_path)
    assert team.hears(0, "WARNING") == ["team/url/1: opened"]
    assert team.waiting == ["team/url/2"]
    return team


NOTE = "This was meant for team/url/2, which could not be told: roundsman.yml has no such target any more"
SAID = "team/url/2 is not told any more: roundsman.yml has no such target any more"


def test_what_waits_for_it_is_told_to_those_that_are_left(team: Team) -> None:
    """The first was removed, so the second has its name now; nobody there has heard of anything yet."""
    team.has(ONE)
    assert team.hears(10) == [f"team/url/1: opened {NOTE}"]
    assert team.hears(20) == team.waiting == []
    assert team.withdrawn == [SAID]


def test_so_is_an_end(team: Team) -> None:
    assert team.hears(5, "OK") == ["team/url/1: resolved"]
    team.has(ONE)
    assert team.hears(20) == [f"team/url/1: resolved {NOTE}"]
    assert team.waiting == []


def test_what_those_that_are_left_know_better_is_not_told_after_it(team: Team) -> None:
    team.has(ONE)
    assert team.hears(5, "CRITICAL") == ["team/url/1: worsened"]
    assert team.hears(20) == team.waiting == []
    assert team.withdrawn == [SAID]


def test_who_has_the_alert_is_told_to_nobody_else(team: Team) -> None:
    assert team.hears(1, fails="") == ["team/url/2: opened"]
    team.is_acknowledged(2)
    assert team.hears(2) == ["team/url/1: acknowledged"]
    team.has(ONE)
    assert team.hears(20) == team.waiting == []
    assert team.withdrawn == [SAID]


def test_a_target_that_another_process_may_know_is_waited_for(team: Team) -> None:
    """A server that runs on with the file as it was must not take back what a newer command has to tell."""
    team.has(ONE)
    assert team.hears(4) == []
    team.has(BOTH)
    assert team.hears(5, fails="") == ["team/url/2: opened"]
    team.has(ONE)
    assert team.hears(20) == team.withdrawn == []


def test_without_any_target_it_is_withdrawn_all_the_same(team: Team) -> None:
    team.has("[]")
    assert team.hears(10) == team.waiting == []
    assert team.withdrawn == [SAID]
