"""The flow of escalations: what a receiver was told goes on to people, step by step, until somebody takes it on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from .alerts.escalation import Circumstances, Escalation, Page, Policy, advance, begin, follow
from .alerts.grouping import Group, worst_first
from .alerts.groups import GroupState
from .alerts.model import AlertState, Notify, NotifyKind
from .oncall import Duty
from .store import Transaction, alerts, escalations
from .times import stamp

Key = tuple[str, str]  # fingerprint and receiver
Tell = Callable[[str, Group], None]  # a person or receiver, and what it is told


@dataclass(frozen=True)
class Seen:
    """What a turn has found: all alerts, all groups, who may be told of what now, and what became worse."""

    alerts: Mapping[str, AlertState]
    groups: Sequence[GroupState]
    free: Collection[Key]
    worse: Collection[Key]


@dataclass(frozen=True)
class Escalating:
    """Which receivers escalate and how, and who is on call now."""

    policies: Mapping[str, Policy]
    duty: Duty
    is_in: Callable[[str], bool]  # whether it is now within a time interval
    priority: Callable[[AlertState], int | None] = field(default=lambda _: None)

    def go_on(self, tx: Transaction, seen: Seen, now: datetime, tell: Tell) -> None:
        """Do what is due. Whatever a receiver that escalates was told, and still fires, is escalated."""
        known = {key: Escalation.from_dict(state) for key, state in escalations.every(tx).items()}
        groups = {
            (fingerprint, group.receiver): group
            for group in seen.groups
            if group.receiver in self.policies
            for fingerprint in group.told
        }
        pages: list[tuple[Page, GroupState | None]] = []
        for key in sorted({*known, *groups}):
            pages += [(_of(key[1], page), groups.get(key)) for page in self._one(tx, seen, key, known.get(key), now)]
        for message in _messages(pages):
            tell(message.receiver, message)

    def _one(self, tx: Transaction, seen: Seen, key: Key, known: Escalation | None, now: datetime) -> Sequence[Page]:
        """One alert for one receiver that escalates, or did when it began."""
        alert, policy = seen.alerts.get(key[0]), self.policies.get(key[1])
        if alert is None or not alert.is_open:
            escalations.remove(tx, *key)
            return _end(known, alert) if known and alert else ()
        if policy is None:
            return ()
        after = known or begin(None, alert, policy, NotifyKind.OPENED, now)
        if known and key in seen.worse:
            after = begin(known, alert, policy, NotifyKind.WORSENED, now)
        world = Circumstances(self.duty.who, self.is_in, self.priority(alert), held=key not in seen.free)
        done = advance(follow(after, alert, now), alert, policy, now, world)
        if done.escalation != known:
            escalations.save(tx, key[1], done.escalation.to_dict())
        for sentence in done.sentences:
            alerts.note(tx, key[0], stamp(now), "escalated", sentence)
        return done.pages


def _end(known: Escalation, alert: AlertState) -> Sequence[Page]:
    """Everybody who was told of the problem is told of its end."""
    key = f"{alert.fingerprint}/{alert.episode}/step/{known.begun}.end"
    return [Page(known.told, Notify(NotifyKind.RESOLVED, alert, key))] if known.told else ()


def _of(receiver: str, page: Page) -> Page:
    """What two receivers escalate to the same person is news twice: whoever drops repeats must not drop the second."""
    return replace(page, notify=replace(page.notify, key=f"{page.notify.key}/{receiver}"))


def _messages(pages: Iterable[tuple[Page, GroupState | None]]) -> list[Group]:
    """One for each person and group, however many of its alerts are escalated at once."""
    news: dict[tuple[str, str], list[Notify]] = defaultdict(list)
    labels: dict[str, Mapping[str, str]] = {}
    for page, group in pages:
        host = page.notify.alert.host
        key = group.key if group else f"escalation/{host}"
        labels[key] = group.labels if group else {"host": host}
        for name in page.to:
            news[name, key].append(page.notify)
    return [Group(name, key, labels[key], worst_first(told)) for (name, key), told in news.items()]
