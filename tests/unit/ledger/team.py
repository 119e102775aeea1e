"""The team that is told: one receiver with one webhook, one message for each host."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta

from roundsman.alerts.routing import tree
from roundsman.alerts.turn import Rules
from roundsman.delivery import Delivery, Manner
from roundsman.notify.channel import Channel
from roundsman.store import Store
from roundsman.telling import Telling, tell

CHANNEL = "team/webhook/1"
RULES = Rules(tree({"receiver": "team", "group_by": ("host",), "group_wait": timedelta(seconds=30)}))
TEAM = Telling(RULES, {"team": (CHANNEL,)})


def deliver(
    store: Store, targets: Mapping[str, Channel], now: datetime, told_how: Mapping[str, Manner] | None = None,
    rng: random.Random | None = None,
) -> int:  # fmt: skip
    """Once, what is due then; how many attempts that were."""
    delivery = Delivery(store, targets, told_how, rng or random.Random(1), clock=lambda: now)
    delivery.start()
    return delivery.wait()


def tell_team(store: Store, now: datetime) -> None:
    """What a command does at its end."""
    with store.write() as tx:
        tell(tx, TEAM, now, lambda _: True)
