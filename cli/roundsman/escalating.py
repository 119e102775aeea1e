"""The flow of escalations: what a receiver was told goes on to people, step by step, until somebody takes it on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .alerts.escalation import Advance, Circumstances, Escalation, Policy, advance, begin, follow
from .alerts.grouping import Group
from .alerts.labels import labels_of
from .alerts.model import AlertState, Notify, NotifyKind
from .oncall import Duty
from .store import Transaction, alerts, escalations
from .times import stamp

Tell = Callable[[str, Group], None]  # a person or receiver, and what it is told

_BEGINNINGS = (NotifyKind.OPENED, NotifyKind.WORSENED, NotifyKind.EXPIRED)


@dataclass(frozen=True)
class Escalating:
    """Which receivers escalate and how, and who is on call now."""

    policies: Mapping[str, Policy]
    duty: Duty
    is_in: Callable[[str], bool]  # whether it is now within a time interval
    priority: Callable[[AlertState], int | None] = field(default=lambda _: None)

    def news(self, tx: Transaction, receiver: str, news: Collection[Notify], now: datetime) -> None:
        """A receiver was told of these: what opened or became worse begins its escalation."""
        policy = self.policies.get(receiver)
        for one in news if policy else ():
            if policy and one.kind in _BEGINNINGS:
                known = escalations.get(tx, one.alert.fingerprint, receiver)
                before = Escalation.from_dict(known) if known else None
                escalations.save(tx, receiver, begin(before, one.alert, policy, one.kind, now).to_dict())

    def go_on(
        self,
        tx: Transaction,
        states: Mapping[str, AlertState],
        held: Collection[tuple[str, str]],
        now: datetime,
        tell: Tell,
    ) -> None:
        """Do what is due of all escalations.

        `held`: fingerprint and receiver of what is silenced, inhibited or muted.
        """
        for (fingerprint, receiver), plain in escalations.every(tx).items():
            before, alert = Escalation.from_dict(plain), states.get(fingerprint)
            policy = self.policies.get(receiver)
            if alert is None or policy is None:
                escalations.remove(tx, fingerprint, receiver)
                continue
            after = follow(before, alert, now)
            if not alert.is_open or alert.episode != before.episode:
                self._tell_of_the_end(after, alert, tell, now)
                escalations.remove(tx, fingerprint, receiver)
                continue
            world = Circumstances(self.duty.who, self.is_in, self.priority(alert), (fingerprint, receiver) in held)
            done = advance(after, alert, policy, now, world)
            if done.escalation != before:
                escalations.save(tx, receiver, done.escalation.to_dict())
            self._page(tx, done, now, tell)

    @staticmethod
    def _page(tx: Transaction, done: Advance, now: datetime, tell: Tell) -> None:
        for sentence in done.sentences:
            alerts.note(tx, done.escalation.fingerprint, stamp(now), "escalated", sentence)
        for page in done.pages:
            for name in page.to:
                tell(name, _group(name, page.notify))

    @staticmethod
    def _tell_of_the_end(escalation: Escalation, alert: AlertState, tell: Tell, now: datetime) -> None:
        for name in escalation.told:
            key = f"{alert.fingerprint}/{escalation.episode}/end/{name}/{now.isoformat()}"
            tell(name, _group(name, Notify(NotifyKind.RESOLVED, alert, key)))


def _group(name: str, news: Notify) -> Group:
    labels = {key: value for key, value in labels_of(news.alert).items() if key in ("host", "check")}
    return Group(name, f"escalation/{news.alert.fingerprint}", labels, (news,))
