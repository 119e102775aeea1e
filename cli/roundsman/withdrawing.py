"""The flow that takes back what waits to be told and nobody needs any more."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from .alerts.grouping import STORM, Group
from .alerts.groups import GroupState
from .alerts.model import AlertState, NotifyKind
from .alerts.outdated import outdated
from .store import Transaction, alerts, groups, outbox
from .times import stamp


def withdraw(tx: Transaction, now: datetime) -> None:
    """Whoever acknowledges or ends an alert stops its pages, also those that are to be tried again.

    What is being sent at this moment is left alone; when that fails, it is found here the next time.
    """
    for row in outbox.perhaps_outdated(tx, now):
        group = Group.from_dict(row["notification"])
        names = sorted({news.alert.fingerprint for news in group.notifications})
        states = {state["fingerprint"]: AlertState.from_dict(state) for state in alerts.these(tx, names)}
        if why := outdated(group, states):
            outbox.withdraw(tx, row["key"], why)
            said = f"{row['channel']} is not told any more: {why}"
            alerts.note_all(tx, [(name, stamp(now), "withdrawn", said, None) for name in names])
            pages = {one.alert.fingerprint for one in group.notifications if one.kind is not NotifyKind.ACKNOWLEDGED}
            _remember(tx, group, pages)


def _remember(tx: Transaction, withdrawn: Group, names: Collection[str]) -> None:
    """For the receiver whose group it was; also when another one was to be told in its place."""
    for state in map(GroupState.from_dict, groups.every(tx)):
        is_its = state.receiver == withdrawn.receiver or withdrawn.instead_of
        if is_its and withdrawn.key in (state.key, STORM) and not state.told.keys().isdisjoint(names):
            after = state.has_missed(names)
            groups.replace(tx, [state.id], [(state.id, state.flush_at, after.to_dict())])
