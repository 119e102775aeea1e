"""Whatever people, results and our own downtime do: no step lost, none doubled, none against an acknowledgement."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from roundsman.alerts.decide import Reason, decide
from roundsman.alerts.escalation import (
    GRACE,
    STALE_AFTER,
    Circumstances,
    Escalation,
    Policy,
    Step,
    advance,
    begin,
    follow,
)
from roundsman.alerts.model import Acknowledge, AlertState, Event, NotifyKind, Phase, Resolve, Tick, Unacknowledge

from .cast import at, result

# Shorter than a slow tick, longer, and both.
WAITS = [st.sampled_from(some).map(lambda minutes: timedelta(minutes=minutes)) for some in ([0, 1, 4], [10, 30, 120])]
TEAM = ["alice", "bob", "carol", "dave", "erin"]


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    times = draw(st.sampled_from([*WAITS, st.one_of(WAITS)]))
    waits = draw(st.lists(times, min_size=1, max_size=4))
    steps = [Step([TEAM[n]], wait) for n, wait in enumerate(waits)]
    return Policy("ops", steps, draw(st.integers(0, 2)), draw(times), draw(st.sampled_from([(), ("erin",)])))


class OneEscalation(RuleBasedStateMachine):
    @initialize(policy=policies())
    def opens(self, policy: Policy) -> None:
        self.policy = policy
        self.minute = 0
        self.alert: AlertState | None = None
        self.escalation: Escalation | None = None
        self.held = False
        self.since = at(0)  # when what runs now began
        self.steady = True  # Roundsman ran all the time since then
        self.done: dict[int, list[int]] = defaultdict(list)  # beginning -> positions, in the order of telling
        self.told: set[str] = set()  # who knows of the problem
        self.keys: list[str] = []
        self.pages = 0  # of the last tick
        self.is_bad("CRITICAL")

    def happens(self, event: Event) -> None:
        decision = decide(self.alert, event, at(self.minute))
        before, self.alert = self.alert, decision.state
        assert self.alert is not None
        if self.escalation and self.alert != before:
            self.keep(follow(self.escalation, self.alert, at(self.minute)))
        if self.escalation and decision.reason is Reason.WORSENED:
            self.keep(begin(self.escalation, self.alert, self.policy, NotifyKind.WORSENED, at(self.minute)))

    def keep(self, after: Escalation) -> None:
        """Through the store, as whoever runs next would find it."""
        before = self.escalation
        self.escalation = Escalation.from_dict(json.loads(json.dumps(after.to_dict())))
        assert self.escalation == after
        if before is None or (before.episode, before.begun) != (after.episode, after.begun):
            # What was held begins as soon as it is not, and its first step is told in the same moment.
            self.since = at(self.minute) if before and before.held else after.due_at or at(self.minute)
            assert self.alert
            fresh = at(self.minute) - self.alert.updated_at <= STALE_AFTER
            self.steady = fresh and at(self.minute) - self.since <= GRACE

    def tick(self) -> None:
        now = at(self.minute)
        self.happens(Tick(now))
        assert self.alert
        if not self.alert.is_open:
            self.ends()
            return
        if self.escalation is None:
            self.keep(follow(begin(None, self.alert, self.policy, NotifyKind.OPENED, now), self.alert, now))
        assert self.escalation
        world = Circumstances(lambda name: (name,), lambda _name: False, held=self.held)
        before = self.escalation
        done = advance(before, self.alert, self.policy, now, world)
        self.keep(done.escalation)
        self.pages = len(done.pages)
        if self.alert.phase is not Phase.OPEN or self.held:
            assert done.pages == ()
        if before.due_at and now - before.due_at > STALE_AFTER and done.pages and not before.held:
            assert (len(done.pages), done.escalation.due_at) == (1, None)
        for page in done.pages:
            self.keys.append(page.notify.key)
            begun, position = page.notify.key.rpartition("/")[2].split(".")
            self.done[self.alert.episode * 1000 + int(begun)].append(int(position))
            self.told |= set(page.to)

    def ends(self) -> None:
        """All who were told are told of it, and then know of nothing."""
        assert self.escalation is None or self.escalation.due_at is None
        assert set(self.escalation.told if self.escalation else ()) == self.told
        self.escalation, self.pages = None, 0
        self.told.clear()

    @rule(minutes=st.integers(0, 5))
    def time_passes(self, minutes: int) -> None:
        self.minute += minutes
        self.tick()

    @rule(minutes=st.sampled_from([6, 30, 180, 1500, 200000]))
    def nothing_runs(self, minutes: int) -> None:
        self.minute += minutes
        self.steady = False
        self.tick()
        if all(self.policy.step(position).wait > GRACE for position in range(self.policy.length - 1)):
            assert self.pages <= 1

    def nominal(self) -> list[tuple[int, datetime]]:
        """Every step and when it is due while Roundsman runs all the time."""
        waits = [self.policy.step(position).wait for position in range(self.policy.length - 1)]
        return list(enumerate(accumulate(waits, initial=self.since)))

    @rule(status=st.sampled_from(["WARNING", "CRITICAL"]))
    def is_bad(self, status: str) -> None:
        self.happens(result(status, self.minute))
        self.tick()

    @rule()
    def is_fine(self) -> None:
        self.happens(result("OK", self.minute))
        self.tick()

    @rule()
    def is_fine_for_a_moment(self) -> None:
        self.happens(result("OK", self.minute))
        self.happens(result("CRITICAL", self.minute))

    @rule(hours=st.sampled_from([1, 4, 48]))
    def is_acknowledged(self, hours: int) -> None:
        self.happens(Acknowledge("alice", at(self.minute), until=at(self.minute + hours * 60)))

    @rule(kind=st.sampled_from([Unacknowledge, Resolve]))
    def is_handled(self, kind: type[Unacknowledge | Resolve]) -> None:
        self.happens(kind("alice", at(self.minute)))
        self.tick()

    @rule()
    def is_held_or_not(self) -> None:
        self.held = not self.held
        self.tick()

    @invariant()
    def no_step_is_doubled(self) -> None:
        assert len(self.keys) == len(set(self.keys))

    @invariant()
    def steps_go_forward(self) -> None:
        assert all(one < following for positions in self.done.values() for one, following in pairwise(positions))

    @precondition(lambda self: self.steady and not self.held and self.alert.phase is Phase.OPEN)
    @invariant()
    def no_step_is_lost_while_roundsman_runs(self) -> None:
        self.tick()
        now, escalation = at(self.minute), self.escalation
        assert escalation
        expected = [position for position, due_at in self.nominal() if due_at <= now]
        assert self.done[escalation.episode * 1000 + escalation.begun] == expected

    @invariant()
    def something_is_due_until_somebody_was_told_or_took_it(self) -> None:
        escalation = self.escalation
        if self.alert and self.alert.is_open and escalation and not escalation.reached:
            assert escalation.due_at is not None

    @invariant()
    def everybody_who_was_told_is_known(self) -> None:
        if self.escalation:
            assert set(self.escalation.told) == self.told


TestOneEscalation = OneEscalation.TestCase
TestOneEscalation.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
