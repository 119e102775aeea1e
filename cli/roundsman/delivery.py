"""Drains the outbox: claim a message, send it, settle it. At least once, and recognisable when it is twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from . import times
from .alerts.grouping import Group
from .config import Alerts, Settings
from .fallback import Fallback, tell_instead
from .notify.backups import last_proven
from .notify.channel import Channel, Outcome
from .notify.message import Message, compose
from .notify.open import channels
from .notify.retry import next_attempt
from .notify.templates import Style
from .store import Store, outbox, snapshots

# Longer than any attempt takes; a claim of a process that died is free again after it.
LEASE = timedelta(minutes=5)
PAUSE_S = 0.5


def channels_of(settings: Settings) -> dict[str, dict[str, Channel]]:
    """The channels of everybody who can be told, by their names."""
    return {receiver.name: channels(receiver) for receiver in settings.alerts.everybody}


def faults(settings: Settings) -> list[str]:
    """What is wrong with the receivers' targets, in words without secrets."""
    named = [pair for known in channels_of(settings).values() for pair in known.items()]
    return [f"{name}: {fault}" for name, channel in named if (fault := channel.problem())]


@dataclass(frozen=True)
class Manner:
    """How a receiver is told, and who is when it cannot be."""

    style: Style = field(default_factory=Style)
    fallback: Fallback | None = None


def manners(alerts: Alerts) -> dict[str, Manner]:
    """By the receivers' names."""
    receivers = {one.name: one for one in alerts.everybody}
    return {
        name: Manner(
            Style(one.title, one.text, alerts.external_url),
            Fallback(one.fallback, tuple(channels(receivers[one.fallback])), one.fallback_after)
            if one.fallback
            else None,
        )
        for name, one in receivers.items()
    }


class Delivery:
    """Sends what is due, to each target by itself: one that hangs keeps no other waiting.

    Of one target at most one message is on its way, and one that fails is left alone until the next `start`: its next
    message would only wait as long again.
    """

    def __init__(
        self,
        store: Store,
        known: Mapping[str, Channel],
        told_how: Mapping[str, Manner] | None = None,
        rng: random.Random | None = None,
        clock: Callable[[], datetime] = times.now,
    ) -> None:
        self._store = store
        self._known = known
        self._told_how = told_how or {}
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._clock = clock
        # Of this process; others are kept apart by the store. SQLite lets those who wait for each other wait long.
        self._writing = threading.Lock()
        self._changing = threading.Lock()
        self._at_work: dict[str, threading.Thread] = {}
        self._wanted: set[str] = set()
        self._faults: list[BaseException] = []
        self._attempts = 0

    def start(self, over: Callable[[], bool] = lambda: False) -> None:
        """Begin with all targets for which something is due, until `over`. Raises what went wrong since the last time.

        The threads end with the process, which is then as if it was killed: what it has claimed is sent again.
        """
        self._raise_fault()
        self._begin(self._known, over)

    def wait(self) -> int:
        """Until all that was begun by now is done. Returns how many attempts were made since the last time."""
        with self._changing:
            begun = list(self._at_work.values())
        for thread in begun:
            thread.join()
        self._raise_fault()
        attempts, self._attempts = self._attempts, 0
        return attempts

    def _raise_fault(self) -> None:
        if self._faults:
            raise self._faults.pop()

    def _begin(self, targets: Collection[str], over: Callable[[], bool]) -> list[threading.Thread]:
        with self._store.read() as tx:
            due = outbox.due(tx, self._clock(), targets)
        with self._changing:
            self._wanted |= due & self._at_work.keys()
            begun = {
                target: threading.Thread(target=self._work, args=(target, over), daemon=True)
                for target in due - self._at_work.keys()
            }
            self._at_work |= begun
            for thread in begun.values():
                thread.start()
        return list(begun.values())

    def _work(self, target: str, over: Callable[[], bool]) -> None:
        begun: list[threading.Thread] = []
        try:
            while self._may_go_on(target, self._send_next(target, over, begun), over):
                pass
        except BaseException as error:  # noqa: BLE001 - raised again where somebody waits for it
            with self._changing:
                self._at_work.pop(target)
                self._faults.append(error)
        for thread in begun:
            thread.join()

    def _may_go_on(self, target: str, outcome: Outcome | None, over: Callable[[], bool]) -> bool:
        """What became due while the last message was looked for is not left to the next time."""
        works = outcome is None or outcome.ok or outcome.permanent
        with self._changing:
            wanted = outcome is not None or target in self._wanted
            self._wanted.discard(target)
            if works and wanted and not over():
                return True
            self._at_work.pop(target)
            return False

    def _send_next(self, target: str, over: Callable[[], bool], begun: list[threading.Thread]) -> Outcome | None:
        """What came of one attempt; None when nothing is due. `begun` are those who tell others instead."""
        with self._writing, self._store.write() as tx:
            message = outbox.claim(tx, self._clock(), LEASE, {target})
        if not message:
            return None
        manner = self._told_how.get(message["receiver"], Manner())
        outcome = self._known[target].send(_compose(self._store, message, manner.style))
        now = self._clock()
        since = times.moment(message["created_at"])
        retry_at = next_attempt(message["attempts"] + 1, since, now, outcome, self._rng)
        with self._writing, self._store.write() as tx:
            detail, given_up = outcome.detail, not outcome.ok and retry_at is None
            if manner.fallback and tell_instead(tx, message, outcome, manner.fallback, now, given_up=given_up):
                detail += f"; {manner.fallback.receiver} is told instead"
            outbox.settle(tx, message, now=now, ok=outcome.ok, detail=detail, retry_at=retry_at)
        if manner.fallback:
            begun += self._begin(self._known.keys() & set(manner.fallback.channels), over)
        with self._changing:
            self._attempts += 1
        return outcome

    def stay(self, limit: timedelta) -> None:
        """Deliver what is due and what becomes due within the limit; the rest waits for the next command."""
        end = times.now() + limit
        left = threading.Event()

        def over() -> bool:
            return left.is_set() or times.now() >= end

        try:
            while True:
                self.start(over)
                with self._store.read() as tx:
                    waiting = [row for row in outbox.waiting(tx) if row["status"] == "pending"]
                due = [times.moment(row["due_at"]) for row in waiting if row["channel"] in self._known]
                if not due or over() or min(due) > end:
                    break
                time.sleep(PAUSE_S)
            self.wait()
        finally:
            left.set()


def _compose(store: Store, message: Mapping[str, Any], style: Style) -> Message:
    group = Group.from_dict(message["notification"])
    with store.read() as tx:
        backups = last_proven(snapshots.held(tx, sorted({news.alert.host for news in group.notifications})))
    return compose(group, style, backups)
