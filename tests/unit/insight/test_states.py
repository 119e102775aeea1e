"""Soft and hard states: what alerting sees of a check's rounds, and what it is spared."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundsman.alerts.model import CheckResult, Measurement, NoData, Status
from roundsman.insight.states import LONGEST_DELAY_S, CheckState, Policy, Reason, Settled, delay_s, settle

from ..alerts.cast import MUCH_LATER, START, at

MINUTE_S = 60.0
LETTERS = {"O": Status.OK, "W": Status.WARNING, "C": Status.CRITICAL, "U": Status.UNKNOWN}


def event(letter: str, minute: float) -> Measurement:
    run = f"run-{minute}"
    if letter == "-":
        return NoData("web3", "disk", "host unreachable", run, at(minute))
    return CheckResult("web3", "disk", LETTERS[letter], "…", {}, run, at(minute))


def story(rounds: str, policy: Policy, every: float = 5) -> list[Settled]:
    """Rounds of web3's disk, `every` minutes: a letter each, `-` is no data."""
    state, settled = None, []
    for number, letter in enumerate(rounds):
        settled.append(settle(state, event(letter, number * every), policy, MUCH_LATER))
        state = settled[-1].state
    return settled


def seen(rounds: str, policy: Policy, every: float = 5) -> str:
    """What alerting sees in each round: a letter, `-` for no data, `.` for nothing."""
    words = []
    for one in story(rounds, policy, every):
        assert one.sentence
        shown = one.shown
        words.append("." if shown is None else "-" if isinstance(shown, NoData) else shown.status[0])
    return "".join(words)


@pytest.mark.parametrize(
    ("attempts", "recovery_min", "rounds", "shown"),
    [
        # What has no policy is seen as it is; only a check that cannot look any more is no failure of its own.
        (1, 0, "OWCWCO", "OWCWCO"),
        (1, 0, "UUWUCUO", "UUW-C-O"),
        (1, 0, "-O", "-O"),
        # N attempts: whatever is not fine counts, and what got worse is seen at once.
        (3, 0, "OCCC", "O..C"),
        (3, 0, "CCOCCO", "..O..O"),
        (3, 0, "WWC", "..C"),
        (3, 0, "CUC", "..C"),
        (3, 0, "UUU", "..U"),
        (3, 0, "WWWC", "..WC"),
        (3, 0, "CCCUC", "..C-C"),
        (3, 0, "CCCOC", "..CO."),
        # Recovery: fine for ten minutes, seen so all the time.
        (1, 10, "COOO", "C..O"),
        (1, 10, "CO", "C."),
        (1, 10, "COOCOOO", "C..C..O"),
        (1, 10, "COUOOO", "C.-..O"),
        (1, 10, "CO-OOO", "C.-..O"),
        (1, 10, "CWOOO", "CW..O"),
    ],
)
def test_what_alerting_sees(attempts: int, recovery_min: float, rounds: str, shown: str) -> None:
    assert seen(rounds, Policy(attempts, recovery_min * MINUTE_S)) == shown


def test_rounds_that_are_far_apart_recover_with_the_second_fine_one() -> None:
    assert seen("COO", Policy(1, 600), every=24 * 60) == "C.O"


def test_every_decision_names_its_reason() -> None:
    reasons = [one.reason for one in story("OCOCCCUOOCOOOOC", Policy(2, 600))]
    assert reasons == [
        Reason.FINE, Reason.SOFT, Reason.SOFT_OVER, Reason.SOFT, Reason.HARD, Reason.STILL_AMISS, Reason.CANNOT_LOOK,
        Reason.RECOVERING, Reason.RECOVERING, Reason.RELAPSED, Reason.RECOVERING, Reason.RECOVERING, Reason.RECOVERED,
        Reason.FINE, Reason.SOFT,
    ]  # fmt: skip
    assert story("C", Policy(3))[0].sentence == "attempt 1 of 3"
    assert story("COO", Policy(1, 600))[2].sentence == "fine for 5 min of the 10 min that it has to be"


def test_a_check_without_a_policy_gets_a_delay_when_it_flaps() -> None:
    """Every five minutes another answer: told twice, then the alert stays open until it is fine for ten minutes."""
    assert seen("CO" * 8, Policy()) == "COCOC.C.C.C.C.C."
    assert seen("COCOCOOO", Policy()) == "COCOC..O"
    assert story("COCOC", Policy())[-1].reason is Reason.FLAPPED


def test_each_flap_doubles_the_delay_up_to_a_cap() -> None:
    assert [delay_s(Policy(), flaps) / MINUTE_S for flaps in range(8)] == [0, 0, 10, 20, 40, 80, 160, 240]
    assert [delay_s(Policy(1, 1800), flaps) / MINUTE_S for flaps in range(5)] == [30, 60, 120, 240, 240]


def test_calm_takes_flaps_back() -> None:
    state = story("COCOC", Policy())[-1].state
    assert state is not None
    assert state.flaps == 2
    for hours, flaps in ((1, 3), (7, 1), (13, 0)):
        minute = 60.0
        fine = settle(state, event("O", minute), Policy(), MUCH_LATER).state
        fine = settle(fine, event("O", minute + 10), Policy(), MUCH_LATER).state
        again = settle(fine, event("C", minute + 10 + hours * 60), Policy(), MUCH_LATER).state
        assert again is not None
        assert again.flaps == flaps


LOOKS = st.lists(st.tuples(st.sampled_from("OWCU-"), st.sampled_from([1, 5, 60, 600])), max_size=60)
POLICIES = st.builds(Policy, st.integers(1, 5), st.sampled_from([0.0, 60.0, 600.0, 3600.0]))


def looked(looks: list[tuple[str, int]], policy: Policy) -> list[tuple[Measurement, Settled]]:
    state, minute, settled = None, 0.0, []
    for letter, later in looks:
        minute += later
        happened = event(letter, minute)
        settled.append((happened, settle(state, happened, policy, MUCH_LATER)))
        state = settled[-1][1].state
    return settled


@given(LOOKS, POLICIES)
def test_a_critical_is_always_seen_within_its_attempts(looks: list[tuple[str, int]], policy: Policy) -> None:
    settled = looked(looks + [("C", 5)] * policy.attempts, policy)
    shown = [one.shown for _, one in settled[-policy.attempts :]]
    assert any(isinstance(one, CheckResult) and one.status is Status.CRITICAL for one in shown)


@given(LOOKS, POLICIES)
def test_nothing_flaps_faster_than_its_delay(looks: list[tuple[str, int]], policy: Policy) -> None:
    """Before alerting sees that a failure is over, the check was seen fine for the whole delay."""
    settled = looked(looks, policy)
    for position, (happened, one) in enumerate(settled):
        if one.reason is not Reason.RECOVERED:
            continue
        before = settled[position - 1][1].state
        assert before is not None
        fine, latest = timedelta(0), happened
        for earlier, _ in reversed(settled[:position]):
            if isinstance(earlier, CheckResult) and earlier.status in {Status.WARNING, Status.CRITICAL}:
                break
            fine += latest.at - earlier.at
            latest = earlier
        assert fine.total_seconds() >= delay_s(policy, before.flaps)


@given(LOOKS, POLICIES)
def test_fine_for_longer_than_the_cap_is_always_seen(looks: list[tuple[str, int]], policy: Policy) -> None:
    cap_min = LONGEST_DELAY_S / 60
    settled = looked([*looks, ("O", 5), ("O", round(cap_min / 2) + 1), ("O", round(cap_min / 2) + 1)], policy)
    last = settled[-1][1]
    assert last.state is not None
    assert last.state.hard is Status.OK
    assert isinstance(last.shown, CheckResult)


@given(LOOKS, POLICIES)
def test_what_is_seen_is_what_was_found(looks: list[tuple[str, int]], policy: Policy) -> None:
    for happened, one in looked(looks, policy):
        assert one.shown in (None, happened) or one.reason is Reason.CANNOT_LOOK


@given(LOOKS, POLICIES, st.integers(0, 59))
def test_replays_and_late_entries_change_nothing(looks: list[tuple[str, int]], policy: Policy, back: int) -> None:
    settled = looked(looks, policy)
    if settled:
        state = settled[-1][1].state
        happened, _ = settled[-1 - min(back, len(settled) - 1)]
        again = settle(state, happened, policy, MUCH_LATER)
        assert again.state == state
        if state is not None:
            assert (again.shown, again.reason) == (None, Reason.STALE)


@given(LOOKS, POLICIES)
def test_the_store_gives_back_what_it_got(looks: list[tuple[str, int]], policy: Policy) -> None:
    for _, one in looked(looks, policy):
        if one.state is not None:
            assert CheckState.from_dict(json.loads(json.dumps(one.state.to_dict()))) == one.state


def test_a_clock_that_was_set_back_does_not_freeze_a_check() -> None:
    """The controller's clock ran a day ahead; then it was set right."""
    policy = Policy(2)
    ahead = settle(None, event("C", 24 * 60), policy, at(24 * 60))
    right = settle(ahead.state, event("C", 5), policy, at(5))
    assert right.reason is Reason.HARD
    fine = settle(right.state, event("O", 10), policy, at(10))
    assert fine.reason is Reason.RECOVERED


def test_a_result_from_the_future_counts_as_now() -> None:
    first = settle(None, event("C", 600), Policy(), at(0))
    assert first.state is not None
    assert first.state.seen_at == START
    assert settle(first.state, event("O", 5), Policy(), at(5)).reason is Reason.RECOVERED


def test_the_hour_that_comes_twice_counts_twice() -> None:
    """Berlin, 25 October 2026, 02:30 CEST and 02:30 CET: an hour apart, though the wall says the same."""
    berlin = ZoneInfo("Europe/Berlin")
    summer = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    winter = summer.replace(fold=1)
    found = [
        CheckResult("web3", "disk", status, "…", {}, run, when)
        for status, run, when in (
            (Status.CRITICAL, "1", summer - timedelta(hours=1)), (Status.OK, "2", summer), (Status.OK, "3", winter),
        )
    ]  # fmt: skip
    state, reasons = None, []
    for one in found:
        settled = settle(state, one, Policy(1, 3600), MUCH_LATER)
        state = settled.state
        reasons.append(settled.reason)
    assert reasons == [Reason.HARD, Reason.RECOVERING, Reason.RECOVERED]


@pytest.mark.parametrize(
    ("result", "policy"),
    [
        ({}, Policy(1, 0)),
        ({"attempts": 3, "recovery_s": 600.0}, Policy(3, 600)),
        ({"attempts": None, "recovery_s": None}, Policy(1, 0)),
        ({"attempts": -2, "recovery_s": -1}, Policy(1, 0)),
    ],
)
def test_the_policy_in_a_result(result: dict[str, object], policy: Policy) -> None:
    assert Policy.of(result) == policy
