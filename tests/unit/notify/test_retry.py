"""When a delivery is tried again."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundsman.notify.channel import Outcome
from roundsman.notify.retry import GIVE_UP_AFTER, LONGEST_DELAY, next_attempt

from .clock import START, at


class Never(random.Random):
    """No jitter."""

    def random(self) -> float:
        return 0.0


BUSY = Outcome(ok=False, detail="HTTP 503")
DELAYS = [
    # attempts made, outcome, minutes until the next
    (1, BUSY, 0.5),
    (2, BUSY, 1),
    (5, BUSY, 8),
    (9, BUSY, 60),
    (1000, BUSY, 60),
    (1, Outcome(ok=False, retry_after_s=120), 2),
    (9, Outcome(ok=False, retry_after_s=120), 60),
    (1, Outcome(ok=False, retry_after_s=1e12), 60),
    (1, Outcome(ok=True), None),
    (1, Outcome(ok=False, permanent=True), None),
]


@pytest.mark.parametrize(("attempts", "outcome", "minutes"), DELAYS)
def test_delays(attempts: int, outcome: Outcome, minutes: float | None) -> None:
    expected = None if minutes is None else at(minutes)
    assert next_attempt(attempts, START, START, outcome, Never()) == expected


def test_a_day_late_is_too_late() -> None:
    assert next_attempt(1, START, START + GIVE_UP_AFTER - timedelta(minutes=1), BUSY, Never()) is not None
    assert next_attempt(1, START, START + GIVE_UP_AFTER, BUSY, Never()) is None


def test_a_receiver_that_never_answers_is_tried_about_thirty_times() -> None:
    now: datetime | None = START
    attempts = 0
    while now is not None:
        attempts += 1
        now = next_attempt(attempts, START, now, BUSY, Never())
    assert attempts == 30


@given(attempts=st.integers(1, 10_000), asked=st.none() | st.floats(-10, 1e9), seed=st.integers())
def test_never_at_once_and_never_much_later_than_an_hour(attempts: int, asked: float | None, seed: int) -> None:
    planned = next_attempt(attempts, START, START, Outcome(ok=False, retry_after_s=asked), random.Random(seed))
    assert planned is not None
    assert timedelta(seconds=30) <= planned - START <= LONGEST_DELAY * 1.25
