"""Who is told when, while nobody takes the alert on; the wounds of others, each by the name of its issue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from roundsman.alerts.decide import decide
from roundsman.alerts.escalation import Circumstances, Escalation, Policy, Step, advance, begin, follow
from roundsman.alerts.model import Acknowledge, AlertState, NotifyKind, Resolve, Status, Tick, Unacknowledge

from .cast import alert, at, result

MIN = timedelta(minutes=1)
CHAIN = Policy("ops", [Step(["alice"], 10 * MIN), Step(["bob"], 15 * MIN), Step(["manager"], 5 * MIN)])
TWICE = replace(CHAIN, repeats=1, every=30 * MIN, finally_=["everybody"])


class Desk:
    """web3's disk is CRITICAL at 0:00; a minute is a tick."""

    def __init__(self, policy: Policy = CHAIN, state: AlertState | None = None) -> None:
        self.policy = policy
        self.alert = state or alert("CRITICAL")
        self.minute = 0
        self.heard: list[tuple[int, str]] = []
        self.keys: list[str] = []
        self.said: list[str] = []
        self.held = False
        self.priority: int | None = None
        self.hours: Callable[[str, datetime], bool] = lambda _name, _at: False
        self.who: Callable[[str], Sequence[str]] = lambda name: (name,)
        self.escalation = begin(None, self.alert, policy, NotifyKind.OPENED, at(0))
        self.tick()

    def tick(self, minute: int | None = None) -> None:
        self.minute = self.minute if minute is None else minute
        now = at(self.minute)
        self.happens(Tick(now))
        world = Circumstances(self.who, lambda name: self.hours(name, now), self.priority, self.held)
        done = advance(self.escalation, self.alert, self.policy, now, world)
        # Whoever runs the next tick has what is in the store, and nothing else.
        self.escalation = Escalation.from_dict(done.escalation.to_dict())
        self.heard += [(self.minute, name) for page in done.pages for name in page.to]
        self.keys += [page.notify.key for page in done.pages]
        self.said += done.sentences

    def until(self, minute: int) -> None:
        while self.minute < minute:
            self.tick(self.minute + 1)

    def happens(self, event: object) -> None:
        state = decide(self.alert, event, at(self.minute)).state  # type: ignore[arg-type]
        assert state is not None
        if state != self.alert:
            self.alert = state
            self.escalation = follow(self.escalation, state, at(self.minute))

    def worsens(self) -> None:
        self.happens(result("CRITICAL", self.minute))
        self.escalation = begin(self.escalation, self.alert, self.policy, NotifyKind.WORSENED, at(self.minute))


def test_one_after_the_other_and_then_nobody() -> None:
    desk = Desk()
    desk.until(200)
    assert desk.heard == [(0, "alice"), (10, "bob"), (25, "manager")]
    assert desk.escalation.due_at is None
    assert desk.said[1] == "step 2 of ops: bob told"


def test_rounds_repeat_and_end_with_the_final_step() -> None:
    desk = Desk(TWICE)
    desk.until(300)
    assert [(minute, name[0]) for minute, name in desk.heard] == [
        (0, "a"), (10, "b"), (25, "m"), (55, "a"), (65, "b"), (80, "m"), (110, "e"),
    ]  # fmt: skip
    assert len(set(desk.keys)) == 7


def test_several_may_be_told_at_once_and_nobody_twice() -> None:
    desk = Desk(Policy("ops", [Step(["primary", "alice"], 10 * MIN)]))
    desk.who = lambda name: ["alice", "bob"] if name == "primary" else [name]
    desk.escalation = begin(None, desk.alert, desk.policy, NotifyKind.OPENED, at(0))
    desk.heard.clear()
    desk.tick()
    assert desk.heard == [(0, "alice"), (0, "bob")]


# oncall#4654: steps went on after somebody had acknowledged.
def test_oncall_4654_an_acknowledgement_stops_pending_steps_and_repeats() -> None:
    desk = Desk(TWICE)
    desk.until(12)
    desk.happens(Acknowledge("bob", at(12)))
    desk.until(12 + 239)
    assert desk.heard == [(0, "alice"), (10, "bob")]


# goalert#3378: a forgotten acknowledgement hid the problem for good.
def test_goalert_3378_a_forgotten_acknowledgement_begins_the_escalation_again() -> None:
    desk = Desk()
    desk.until(12)
    desk.happens(Acknowledge("bob", at(12)))
    desk.until(12 + 240 + 60)
    assert desk.heard[2:] == [(252, "alice"), (262, "bob"), (277, "manager")]
    assert desk.escalation.kind is NotifyKind.EXPIRED
    assert len(set(desk.keys)) == 5


def test_an_alert_that_is_given_back_is_everybodys_at_once() -> None:
    desk = Desk()
    desk.until(12)
    desk.happens(Acknowledge("bob", at(12)))
    desk.until(20)
    desk.happens(Unacknowledge("bob", at(20)))
    desk.until(31)
    assert desk.heard[2:] == [(21, "alice"), (30, "bob")]


def test_an_acknowledgement_does_not_hide_a_worsening() -> None:
    desk = Desk(state=alert("WARNING"))
    desk.until(12)
    desk.happens(Acknowledge("bob", at(12)))
    desk.until(20)
    desk.worsens()
    desk.until(31)
    assert [name for _, name in desk.heard[2:]] == ["alice", "bob"]
    assert desk.escalation.kind is NotifyKind.WORSENED


# oncall#3111: alerts were paged months after they had happened.
@pytest.mark.parametrize("days", [2, 90])
def test_oncall_3111_nobody_is_woken_in_a_chain_months_later(days: int) -> None:
    desk = Desk(TWICE)
    desk.until(3)
    late = days * 24 * 60
    desk.tick(late)
    desk.until(late + 200)
    assert desk.heard == [(0, "alice"), (late, "alice")]
    assert "due at 2026-11-23 02:10 UTC, and nothing ran until now: alice told once, and nobody after" in desk.said[-1]


def test_oncall_3111_what_was_measured_months_ago_is_one_notice_as_well() -> None:
    now = at(90 * 24 * 60)
    escalation = begin(None, alert("CRITICAL"), CHAIN, NotifyKind.OPENED, now)
    desk = Desk()
    desk.heard.clear()
    desk.escalation = escalation
    desk.tick(90 * 24 * 60)
    desk.until(90 * 24 * 60 + 60)
    assert [name for _, name in desk.heard] == ["alice"]


def test_oncall_3111_nor_when_an_acknowledgement_ended_months_ago() -> None:
    desk = Desk()
    desk.happens(Acknowledge("bob", at(0)))
    desk.tick(90 * 24 * 60)
    desk.until(90 * 24 * 60 + 60)
    assert [name for _, name in desk.heard] == ["alice", "alice"]


# oncall#1206: pending steps were tasks in memory, and a restart lost them. Desk keeps nothing but to_dict().
def test_oncall_1206_a_restart_at_any_moment_changes_nothing() -> None:
    for restart in range(30):
        desk = Desk()
        desk.until(restart)
        other = Desk()
        other.__dict__ |= {"escalation": Escalation.from_dict(desk.escalation.to_dict()), "minute": restart}
        other.heard = list(desk.heard)
        other.until(30)
        assert other.heard == [(0, "alice"), (10, "bob"), (25, "manager")]


# healthchecks#664: after the service's own downtime everything that had been missed was sent at once.
def test_healthchecks_664_after_our_own_downtime_one_is_told_where_it_should_be_by_now() -> None:
    desk = Desk()
    desk.until(3)
    desk.tick(40)
    assert desk.heard == [(0, "alice"), (40, "manager")]
    desk = Desk(TWICE)
    desk.until(3)
    desk.tick(72)
    desk.until(100)
    assert desk.heard == [(0, "alice"), (72, "bob"), (87, "manager")]
    assert "3 earlier steps were due while nothing ran, and are left out" in desk.said


def test_a_slow_tick_leaves_nobody_out() -> None:
    desk = Desk(Policy("ops", [Step(["alice"], MIN), Step(["bob"], MIN), Step(["manager"], MIN)]))
    desk.tick(4)
    assert desk.heard == [(0, "alice"), (4, "bob"), (4, "manager")]


def test_a_late_tick_does_not_make_later_steps_later() -> None:
    desk = Desk()
    desk.tick(12)
    desk.until(30)
    assert desk.heard == [(0, "alice"), (12, "bob"), (25, "manager")]


def test_the_end_is_told_to_everybody_who_was_told() -> None:
    desk = Desk()
    desk.until(12)
    desk.happens(Acknowledge("bob", at(12)))
    desk.happens(Unacknowledge("bob", at(13)))
    desk.until(13)
    desk.happens(Resolve("bob", at(14)))
    desk.until(100)
    assert desk.escalation.told == ("alice", "bob")
    assert desk.escalation.due_at is None
    assert [name for _, name in desk.heard] == ["alice", "bob", "alice"]


def test_what_came_back_before_the_end_was_told_begins_again_for_all_who_know() -> None:
    desk = Desk()
    desk.until(12)
    again = follow(desk.escalation, alert("CRITICAL", "OK", "CRITICAL"), at(20))
    assert (again.told, again.position, again.due_at, again.episode) == (("alice", "bob"), 0, at(20), 2)
    assert again == begin(desk.escalation, alert("CRITICAL", "OK", "CRITICAL"), CHAIN, NotifyKind.OPENED, at(20))


def test_steps_for_what_is_worse_or_more_urgent_take_no_time() -> None:
    policy = Policy(
        "ops", [Step(["alice"], 10 * MIN, Status.CRITICAL), Step(["bob"], 10 * MIN, priority=2), Step(["team"], MIN)]
    )
    desk = Desk(policy, alert("WARNING"))
    assert desk.heard == [(0, "bob")]
    desk.priority = 3
    desk.worsens()
    desk.until(12)
    assert desk.heard[1:] == [(1, "alice"), (10, "team")]
    assert "step 2 of ops is left out: it is for P2 or more urgent" in desk.said


def test_steps_have_their_hours() -> None:
    policy = Policy("ops", [Step(["team"], MIN, active=["office"]), Step(["alice"], MIN, mute=["office"])])
    assert Desk(policy).heard == [(0, "alice")]
    desk = Desk(policy)
    desk.hours = lambda name, now: name == "office" and now >= at(30)
    desk.heard.clear()
    desk.escalation = begin(None, desk.alert, policy, NotifyKind.OPENED, at(30))
    desk.tick(30)
    desk.until(60)
    assert desk.heard == [(30, "team")]
    assert desk.said[-1] == "step 2 of ops is left out: it is office"


def test_a_step_that_reaches_nobody_goes_to_the_next_at_once() -> None:
    desk = Desk()
    desk.who = lambda name: () if name == "alice" else (name,)
    desk.heard.clear()
    desk.escalation = begin(None, desk.alert, CHAIN, NotifyKind.OPENED, at(0))
    desk.tick()
    assert desk.heard == [(0, "bob")]
    assert "step 1 of ops is left out: nobody is on call in alice" in desk.said


def test_an_escalation_that_reaches_nobody_tries_again_and_says_so_once() -> None:
    desk = Desk()
    desk.who = lambda _name: ()
    desk.heard.clear()
    desk.said.clear()
    desk.escalation = begin(None, desk.alert, CHAIN, NotifyKind.OPENED, at(0))
    desk.until(33)
    assert len(desk.said) == 3
    desk.who = lambda name: (name,)
    desk.until(60)
    assert desk.heard == [(36, "alice"), (46, "bob")]


def test_what_is_silenced_or_inhibited_is_held_and_begins_again() -> None:
    desk = Desk()
    desk.held = True
    desk.until(100)
    assert desk.heard == [(0, "alice")]
    desk.held = False
    desk.until(120)
    assert desk.heard[1:] == [(101, "alice"), (111, "bob")]
    assert len(set(desk.keys)) == 3


def test_a_clock_that_was_ahead_makes_nobody_wait_for_it() -> None:
    ahead = begin(None, alert("CRITICAL"), CHAIN, NotifyKind.OPENED, at(600000))
    desk = Desk()
    desk.heard.clear()
    desk.escalation = replace(ahead, position=1, due_at=at(600010))
    desk.until(12)
    assert [name for _, name in desk.heard] == ["bob"]


def test_a_policy_that_became_shorter_ends() -> None:
    desk = Desk(TWICE)
    desk.until(56)
    desk.policy = CHAIN
    desk.until(100)
    assert desk.escalation.due_at is None
    assert len(desk.heard) == 4
