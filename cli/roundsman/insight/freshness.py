"""What was to be looked at and was not: since when, and how long that is still patience."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

# A check that good sweeps of its host have been without for so long has left the configuration. Not at once: a
# playbook may look at some checks only, and a check whose service is away for a while must not lose its attempts.
GONE_AFTER = timedelta(days=1)
# Nothing was heard of a host for so long: it has left the inventory.
FORGOTTEN_AFTER = timedelta(days=30)

# Rounds are late, sometimes; a round that did not come at all is worth a word.
ROUNDS_OF_PATIENCE = 2.5
LEAST_PATIENCE = timedelta(minutes=10)
# Of rounds that are made by hand nobody knows when the next is due.
USUAL_PATIENCE = timedelta(days=1)
RHYTHM = 3
# The host was asked just now: what it did not answer is missing, however young its last result.
NO_PATIENCE = timedelta(days=-1)


@dataclass(frozen=True)
class Missing:
    """A check whose newest result is too old to go by: it counts as UNKNOWN."""

    check: str
    age: timedelta


def missing(seen: Mapping[str, datetime], now: datetime, patience: timedelta) -> list[Missing]:
    """Of the checks of a host (check -> when it was seen) those that nobody has looked at for longer than `patience`,
    the oldest first. A time later than `now` counts as `now`.
    """
    ages = {check: max(now - when, timedelta(0)) for check, when in seen.items()}
    found = [Missing(check, age) for check, age in ages.items() if age > patience]
    return sorted(found, key=lambda one: (-one.age, one.check))


def patience(rounds: Sequence[datetime]) -> timedelta:
    """How old a result may be, from when the last rounds were: some of their usual distances."""
    ordered = sorted(rounds)
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(ordered)]
    if len(gaps) < RHYTHM:
        return USUAL_PATIENCE
    return max(timedelta(seconds=ROUNDS_OF_PATIENCE * median(gaps)), LEAST_PATIENCE)


def vanished(seen: Mapping[str, datetime], swept: Collection[str], at: datetime) -> list[str]:
    """Of the checks of a host (check -> when it was seen) those to forget after a good sweep of `swept` at `at`."""
    return [check for check, when in seen.items() if check not in swept and at - when > GONE_AFTER]
