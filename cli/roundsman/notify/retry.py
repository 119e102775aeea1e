"""When to try a delivery again. Pure: time and chance come in as arguments."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from roundsman.notify.channel import Outcome

FIRST_DELAY = timedelta(seconds=30)
LONGEST_DELAY = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=24)
JITTER = 0.25  # at most so much later, so that many failed deliveries do not come back all at once


def next_attempt(
    attempts: int, since: datetime, now: datetime, outcome: Outcome, rng: random.Random
) -> datetime | None:
    """The time of the next attempt; None when there is to be none.

    `attempts` counts those made, `outcome` is the last one's; `since` is when the notification was produced. Delays
    double from 30 s to 1 h. What the other side asks for (Retry-After) is kept, up to 1 h. No attempt is planned for
    later than 24 h after `since`: a page that is a day late wakes somebody for nothing.
    """
    if outcome.ok or outcome.permanent:
        return None
    doubled = FIRST_DELAY * 2 ** min(max(attempts - 1, 0), 16)
    asked = timedelta(seconds=min(max(outcome.retry_after_s or 0, 0), LONGEST_DELAY.total_seconds()))
    delay = max(min(doubled, LONGEST_DELAY), asked)
    planned = now + delay * (1 + JITTER * rng.random())
    return planned if planned - since <= GIVE_UP_AFTER else None
