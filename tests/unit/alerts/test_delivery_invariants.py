"""Whatever happens, from the measurement to two receivers that fail now and then: the promises about notifications."""

from __future__ import annotations

import atexit
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from shutil import rmtree

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from roundsman.alerts.model import AlertState, NotifyKind, Phase
from roundsman.alerts.names import fingerprint
from roundsman.config import parse
from roundsman.notify.channel import Outcome
from roundsman.notify.message import Message
from roundsman.notify.view import AlertView
from roundsman.store import Store, alerts, outbox

from .test_timelines import World

CONFIG = """
alerts:
  receivers:
    - {name: team, urls: ["json://localhost"]}
    - {name: pager, pagerduty: [{routing_key: 0123456789abcdef0123456789abcdef}]}
  route:
    receiver: team
    group_by: [host]
    group_interval: 10m
    repeat_interval: 30d
    routes: [{receiver: pager, continue: true}, {receiver: team}]
"""
CHECKS = st.sampled_from(["disk", "load"])
MANNERS = st.sampled_from(["works", "breaks", "loses"])
RECEIVERS = st.sampled_from(["team", "pager"])


@cache
def an_empty_store() -> Path:
    path = Path(tempfile.mkdtemp(dir="/dev/shm")) / "store.db"
    atexit.register(rmtree, path.parent)
    Store(f"sqlite:///{path}")
    return path


@dataclass
class Receiver:
    """What one target heard. An answer may be lost on its way back: then it has heard, and nobody knows."""

    world: World
    manner: str = "works"
    tried: set[str] = field(default_factory=set)  # fingerprints
    taken: set[str] = field(default_factory=set)  # keys of messages
    heard: dict[str, list[AlertView]] = field(default_factory=lambda: defaultdict(list))  # by fingerprint
    faults: list[str] = field(default_factory=list)

    def send(self, message: Message) -> Outcome:
        firing = [alert for alert in message.alerts if alert.kind is not NotifyKind.ACKNOWLEDGED]
        if all(alert.firing and self.world.phase(alert.fingerprint) is not Phase.OPEN for alert in firing) and firing:
            self.faults.append(f"told of {message.title} although nobody needs it any more")
        if message.key in self.taken:
            self.faults.append(f"told of {message.title} twice")
        unknown = {alert.fingerprint for alert in message.alerts if alert not in firing} - self.tried
        if unknown:
            self.faults.append(f"told who has what it never heard of: {message.title}")
        self.tried |= {alert.fingerprint for alert in message.alerts}
        if self.manner != "breaks":
            for alert in message.alerts:
                self.heard[alert.fingerprint].append(alert)
        if self.manner == "works":
            self.taken.add(message.key)
        return Outcome(ok=self.manner == "works")

    def problem(self) -> None:
        return None

    def knows(self, name: str) -> list[AlertView]:
        """All pages since the last end; empty when the end was heard last."""
        since: list[AlertView] = []
        for alert in (one for one in self.heard[name] if one.kind is not NotifyKind.ACKNOWLEDGED):
            since = [*since, alert] if alert.firing else []
        return since


class Flow(World):
    def __post_init__(self) -> None:
        self.receivers = {"team": Receiver(self), "pager": Receiver(self)}
        names = {"team": "team/url/1", "pager": "pager/pagerduty/1"}
        self.targets = {name: {names[name]: one} for name, one in self.receivers.items()}

    def alert(self, name: str) -> AlertState | None:
        with self.store.read() as tx:
            found = alerts.find(tx, name)
        return AlertState.from_dict(found[0]) if found else None

    def phase(self, name: str) -> Phase | None:
        alert = self.alert(name)
        return alert.phase if alert else None

    def passes(self, length: timedelta) -> None:
        end = self.now + length
        while (due := self.next_due()) is not None and due < end:
            self.now = due
            self.tick()
        self.now = end
        self.tick()


class Notifications(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
        with sa.create_engine(f"sqlite:///{an_empty_store()}").connect() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (f"{self.folder}/store.db",))
        configured = parse(CONFIG, self.folder / "roundsman.yml")
        self.flow = Flow(Store(f"sqlite:///{self.folder}/store.db"), configured)

    @initialize(manner=MANNERS)
    def begins(self, manner: str) -> None:
        for receiver in self.flow.receivers.values():
            receiver.manner = manner
        self.is_measured("disk", "WARNING")
        self.time_passes(1)

    def teardown(self) -> None:
        """Once all works again, everybody comes to know what is, and nothing more."""
        for receiver in self.flow.receivers.values():
            receiver.manner = "works"
        self.flow.passes(timedelta(hours=3))
        with self.flow.store.read() as tx:
            assert outbox.waiting(tx) == []
        for name, receiver in self.flow.receivers.items():
            for check in ("disk", "load"):
                alert, knows = self.flow.alert(fingerprint("web1", check)), receiver.knows(fingerprint("web1", check))
                assert alert is None or alert.phase is not Phase.ACKNOWLEDGED, "every mute has an end"
                if alert is not None and alert.is_open:
                    assert knows, f"{name} does not know that {check} fires"
                    assert max(one.status.rank for one in knows) >= alert.status.rank, f"{name}: {check} is worse"
                else:
                    assert not knows, f"{name} does not know that {check} is over"
        rmtree(self.folder)

    @rule(check=CHECKS, status=st.sampled_from(["OK", "WARNING", "CRITICAL", "CRITICAL"]))
    def is_measured(self, check: str, status: str) -> None:
        self.flow.host("web1", check, status)

    @rule(check=CHECKS)
    def is_acknowledged(self, check: str) -> None:
        if self.flow.phase(fingerprint("web1", check)) is Phase.OPEN:
            self.flow.person("alice", "acks", "web1", check, "for", "30m")
            self.flow.tick()

    @rule(check=CHECKS, minutes=st.sampled_from([0, 5]), manner=MANNERS)
    def is_taken_for_a_moment(self, check: str, minutes: float, manner: str) -> None:
        """Meanwhile the receivers may break or be mended."""
        self.is_acknowledged(check)
        for receiver in self.flow.receivers.values():
            receiver.manner = manner
        self.time_passes(minutes)
        self.is_given_back(check)

    @rule(check=CHECKS)
    def is_given_back(self, check: str) -> None:
        if self.flow.phase(fingerprint("web1", check)) is Phase.ACKNOWLEDGED:
            self.flow.person("alice", "unacks", "web1", check)
            self.flow.tick()

    @rule(check=CHECKS)
    def is_resolved(self, check: str) -> None:
        if self.flow.phase(fingerprint("web1", check)) in (Phase.OPEN, Phase.ACKNOWLEDGED):
            self.flow.person("alice", "resolves", "web1", check)

    @rule(name=RECEIVERS, manner=MANNERS)
    def behaves(self, name: str, manner: str) -> None:
        self.flow.receivers[name].manner = manner

    @rule(minutes=st.sampled_from([0.5, 2, 11, 35]))
    def time_passes(self, minutes: float) -> None:
        self.flow.passes(timedelta(minutes=minutes))

    @invariant()
    def nobody_is_told_what_is_not_so(self) -> None:
        assert [fault for one in self.flow.receivers.values() for fault in one.faults] == []
        team = [alert.kind for heard in self.flow.receivers["team"].heard.values() for alert in heard]
        assert NotifyKind.ACKNOWLEDGED not in team


TestNotifications = Notifications.TestCase
TestNotifications.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)
