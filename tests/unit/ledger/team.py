"""The team that is told: one receiver with one webhook, one message for each host."""

from __future__ import annotations

from datetime import datetime, timedelta

from roundsman.alerts.routing import tree
from roundsman.alerts.turn import Rules
from roundsman.store import Store
from roundsman.telling import Telling, tell

CHANNEL = "team/webhook/1"
RULES = Rules(tree({"receiver": "team", "group_by": ("host",), "group_wait": timedelta(seconds=30)}))
TEAM = Telling(RULES, {"team": (CHANNEL,)})


def tell_team(store: Store, now: datetime) -> None:
    """What a command does at its end."""
    with store.write() as tx:
        tell(tx, TEAM, now, lambda _: True)
