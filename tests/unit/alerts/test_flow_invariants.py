"""Several alerts, routes, silences, runs and restarts in any order: nothing is lost, nothing is told twice."""

from __future__ import annotations

import json
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from roundsman.alerts.decide import decide
from roundsman.alerts.groups import GroupState
from roundsman.alerts.matchers import parse
from roundsman.alerts.model import (
    Acknowledge,
    AlertState,
    CheckResult,
    Event,
    NoData,
    NotifyKind,
    Resolve,
    Status,
    Tick,
)
from roundsman.alerts.names import fingerprint
from roundsman.alerts.routing import tree
from roundsman.alerts.silencing import LONGEST_RUN, RunSilence, Silence, Silencer, symptom
from roundsman.alerts.topology import Topology
from roundsman.alerts.turn import Rules, free, turn

from .cast import START

TREE = tree(
    {
        "receiver": "team",
        "group_by": ("host",),
        "group_wait": timedelta(minutes=1),
        "routes": [
            {"matchers": parse("severity=critical"), "receiver": "pager", "continue": True},
            {"matchers": parse("host=db"), "receiver": "db"},
        ],
    }
)
BEHIND_DB = Topology({"web1": ("db",)})
LONGEST_SILENCE = timedelta(days=2)
HOSTS = st.sampled_from(["db", "web1"])
CHECKS = st.sampled_from(["disk", "disk", "load", "load", "reachable"])
MINUTES = st.sampled_from([1, 6, 60, 600, 2880])


class Flow(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.alerts: dict[str, AlertState] = {}
        self.groups: dict[str, GroupState] = {}
        self.silences: list[Silence] = []
        self.runs: list[RunSilence] = []
        self.knows: dict[tuple[str, str], Status] = {}  # receiver and alert: as how bad, until it was told of the end
        self.keys: set[str] = set()

    def in_force(self) -> Rules:
        return Rules(TREE, silencer=Silencer(self.silences, self.now, {}), run_silences=self.runs, topology=BEHIND_DB)

    def happens(self, name: str, event: Event) -> None:
        state = decide(self.alerts.get(name), event, self.now).state
        if state is not None:
            self.alerts[name] = state

    def look(self) -> None:
        """As each tick does, whose process begins with what is stored."""
        for name in self.alerts:
            self.happens(name, Tick(self.now))
        stored = json.dumps([group.to_dict() for group in self.groups.values()])
        self.groups = {one.id: one for one in map(GroupState.from_dict, json.loads(stored))}
        for turned in turn(self.alerts.values(), self.groups, self.in_force(), self.now):
            self.groups.pop(turned.before.id, None)
            if turned.flushed.group:
                self.groups[turned.before.id] = turned.flushed.group
            for news in turned.flushed.news:
                self.hears((turned.before.receiver, news.alert.fingerprint), news.kind, news.alert, news.key)

    def hears(self, who: tuple[str, str], kind: NotifyKind, alert: AlertState, key: str) -> None:
        assert key not in self.keys, "each news has a key of its own"
        self.keys.add(key)
        if kind is NotifyKind.RESOLVED:
            assert not alert.is_open
            assert self.knows.pop(who, None), "the end is told to whoever was told that it fires, once"
            return
        assert alert.is_open
        assert (kind is NotifyKind.OPENED) is (who not in self.knows), "what is known is not told as new"
        self.knows[who] = alert.known_status

    @rule(
        host=HOSTS,
        check=CHECKS,
        status=st.sampled_from(["OK", "WARNING", "WARNING", "CRITICAL", "CRITICAL", "UNKNOWN"]),
        later=st.sampled_from([0, 2, 6]),
    )
    def is_measured(self, host: str, check: str, status: str, later: int) -> None:
        self.now += timedelta(minutes=later)
        result = CheckResult(host, check, Status(status), status, {}, "run", self.now)
        self.happens(fingerprint(host, check), result)
        self.look()

    @rule(host=HOSTS, check=CHECKS)
    def is_not_measured(self, host: str, check: str) -> None:
        self.happens(fingerprint(host, check), NoData(host, check, "away", "run", self.now))
        self.look()

    @rule(host=HOSTS, check=CHECKS, resolves=st.booleans())
    def somebody_answers(self, host: str, check: str, resolves: bool) -> None:
        self.happens(fingerprint(host, check), (Resolve if resolves else Acknowledge)("alice", self.now))
        self.look()

    @rule(host=HOSTS, minutes=MINUTES)
    def is_silenced(self, host: str, minutes: int) -> None:
        end = self.now + timedelta(minutes=minutes)
        name = str(len(self.silences))
        self.silences.append(Silence(name, parse(f"host={host}"), "alice", "disk", self.now, end, self.now))

    @rule(host=HOSTS, minutes=st.sampled_from([5, 60, 1440]))
    def a_run_begins(self, host: str, minutes: int) -> None:
        end = self.now + timedelta(minutes=minutes)
        run = str(len(self.runs))
        self.runs.append(RunSilence(run, frozenset({host}), (symptom("disk"), symptom("reachable")), self.now, end))

    @rule(minutes=MINUTES)
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.look()

    def teardown(self) -> None:
        """Every mute has an end: then all that fires is known to all whom it concerns, and nothing else is."""
        end = self.now + max(LONGEST_SILENCE, LONGEST_RUN)
        self.now = end + timedelta(hours=1)
        for _ in range(3):
            self.look()
            self.now += TREE.group_interval
        concerned = {(receiver, name) for name, receiver in free(self.alerts.values(), self.in_force(), self.now)}
        firing = {name for name, alert in self.alerts.items() if alert.is_open}
        explained = {name for name in firing if not any(name == one for _, one in concerned)}
        assert all(self._is_explained(self.alerts[name]) for name in explained)
        for who in concerned:
            assert self.knows[who].rank >= self.alerts[who[1]].known_status.rank, who
        assert {name for _, name in self.knows} <= firing

    def _is_explained(self, alert: AlertState) -> bool:
        down = {one.host for one in self.alerts.values() if one.is_open and one.check == "reachable"}
        return (alert.check != "reachable" and alert.host in down) or (alert.host == "web1" and "db" in down)


TestFlow = Flow.TestCase
TestFlow.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
