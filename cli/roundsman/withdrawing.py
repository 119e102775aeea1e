"""The flow that takes back what waits to be told, and nobody needs any more or no target is there for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from .alerts.grouping import STORM, Group
from .alerts.groups import GroupState
from .alerts.model import AlertState, NotifyKind
from .alerts.outdated import outdated
from .store import Transaction, alerts, groups, outbox
from .times import stamp

# A server that runs on with an older roundsman.yml does not know the targets of a newer one, whose commands deliver.
REMOVED_AFTER = timedelta(minutes=5)
REMOVED = "roundsman.yml has no such target any more"


def withdraw(tx: Transaction, now: datetime) -> None:
    """Whoever acknowledges or ends an alert stops its pages, also those that are to be tried again.

    What is being sent at this moment is left alone; when that fails, it is found here the next time.
    """
    for row in outbox.perhaps_outdated(tx, now):
        group = Group.from_dict(row["notification"])
        names = {news.alert.fingerprint for news in group.notifications}
        states = {state["fingerprint"]: AlertState.from_dict(state) for state in alerts.these(tx, names)}
        if why := outdated(group, states):
            _take_back(tx, row, names, why, now)
            pages = {one.alert.fingerprint for one in group.notifications if one.kind is not NotifyKind.ACKNOWLEDGED}
            _remember(tx, group, pages)


def redirect(tx: Transaction, channels: Mapping[str, Collection[str]], now: datetime) -> None:
    """What waits for a target that was removed goes to those that its receiver has now.

    Not what they know better: whatever they were, or are to be, told of an alert since then.
    """
    for row in outbox.left_alone(tx, now - REMOVED_AFTER, now, set(chain.from_iterable(channels.values()))):
        group = Group.from_dict(row["notification"])
        names = {news.alert.fingerprint for news in group.notifications}
        _take_back(tx, row, names, REMOVED, now)
        # Who has an alert, only those are told who were told of it.
        wanted = [news for news in group.notifications if news.kind is not NotifyKind.ACKNOWLEDGED]
        for channel in channels.get(row["receiver"], ()):
            known = outbox.told_after(tx, channel, names, row["created_at"])
            if news := tuple(one for one in wanted if one.alert.fingerprint not in known):
                instead_of = {**group.instead_of, row["channel"]: REMOVED}
                told = replace(group, notifications=news, instead_of=instead_of)
                outbox.add(tx, channel=channel, group=told, run_id=row["run_id"], now=now)


def _take_back(tx: Transaction, row: Mapping[str, Any], names: Collection[str], why: str, now: datetime) -> None:
    outbox.withdraw(tx, row["key"], why)
    said = f"{row['channel']} is not told any more: {why}"
    alerts.note_all(tx, [(name, stamp(now), "withdrawn", said, None) for name in sorted(names)])


def _remember(tx: Transaction, withdrawn: Group, names: Collection[str]) -> None:
    """For the receiver whose group it was; also when another one was to be told in its place."""
    for state in map(GroupState.from_dict, groups.every(tx)):
        is_its = state.receiver == withdrawn.receiver or withdrawn.instead_of
        if is_its and withdrawn.key in (state.key, STORM) and not state.told.keys().isdisjoint(names):
            after = state.has_missed(names)
            groups.replace(tx, [state.id], [(state.id, state.flush_at, after.to_dict())])
