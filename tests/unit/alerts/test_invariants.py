"""Whatever happens, in whatever order: the promises about alerts, held by a state machine of random events."""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from roundsman.alerts.decide import Reason, decide
from roundsman.alerts.model import AlertState, Notify, NotifyKind, Phase, Status

from .cast import MUCH_LATER, happening

MINUTES_BACK = st.sampled_from([0, 0, 0, 1, 5])


class OneAlert(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.state: AlertState | None = None
        self.minute = 0
        self.heard: list[Notify] = []
        self.seen_critical: set[int] = set()  # episodes in which somebody knew of CRITICAL

    def happens(self, word: str, back: int = 0, inhibited: bool = False) -> None:
        self.minute += 2
        before = self.state
        event = happening(word, self.minute - back)
        decision = decide(before, event, MUCH_LATER, inhibited_by="reach" if inhibited else None)
        self.state = decision.state
        self.heard += decision.effects
        if decision.reason is Reason.STALE or decision.refused:
            assert (self.state, decision.effects) == (before, ())
        if word == "no data" and before is not None and decision.state is not None:
            assert (decision.state.phase, decision.effects) == (before.phase, ())
        if before is not None and decision.reason is not Reason.STALE:
            assert decision.state is not None
            assert decision.state.updated_at >= before.updated_at
        self.seen_critical |= {e.alert.episode for e in decision.effects if e.alert.status is Status.CRITICAL}

    @rule(status=st.sampled_from(["OK", "WARNING", "CRITICAL", "UNKNOWN"]), back=MINUTES_BACK, inhibited=st.booleans())
    def is_measured(self, status: str, back: int, inhibited: bool) -> None:
        self.happens(status, back, inhibited)

    @rule(back=MINUTES_BACK, inhibited=st.booleans())
    def is_not_measured(self, back: int, inhibited: bool) -> None:
        self.happens("no data", back, inhibited)

    @rule(word=st.sampled_from(["unack", "resolve"]))
    def is_handled(self, word: str) -> None:
        self.happens(word)

    @rule()
    def is_acknowledged(self) -> None:
        shown = self.state
        if shown is not None and shown.is_open and Status.CRITICAL in (shown.status, shown.last_known):
            self.seen_critical.add(shown.episode)
        self.happens("ack")

    @rule()
    def is_forgotten(self) -> None:
        self.minute += 8 * 60
        self.happens("night")

    @invariant()
    def every_acknowledgement_has_an_end(self) -> None:
        if self.state and self.state.phase is Phase.ACKNOWLEDGED:
            assert self.state.acknowledged_until is not None

    @invariant()
    def resolved_follows_fired(self) -> None:
        for episode in {news.alert.episode for news in self.heard}:
            kinds = [news.kind for news in self.heard if news.alert.episode == episode]
            assert kinds[0] is NotifyKind.OPENED
            assert kinds.count(NotifyKind.OPENED) == 1
            over = self.state is not None and (self.state.episode > episode or not self.state.is_open)
            assert kinds.count(NotifyKind.RESOLVED) == int(over)
            assert not over or kinds[-1] is NotifyKind.RESOLVED

    @invariant()
    def no_notification_is_doubled(self) -> None:
        keys = [news.key for news in self.heard]
        assert len(keys) == len(set(keys))

    @invariant()
    def no_open_critical_is_unknown_to_everybody(self) -> None:
        state = self.state
        if state and state.is_open and state.status is Status.CRITICAL and state.inhibited_by is None:
            assert state.episode in self.seen_critical

    @invariant()
    def an_acknowledgement_never_covers_more_than_was_known(self) -> None:
        state = self.state
        if state and state.phase is Phase.ACKNOWLEDGED:
            assert state.told is not None
            assert state.status.rank <= state.told.rank or state.no_data

    @invariant()
    def the_store_gives_back_what_it_got(self) -> None:
        if self.state:
            assert AlertState.from_dict(json.loads(json.dumps(self.state.to_dict()))) == self.state


TestOneAlert = OneAlert.TestCase
TestOneAlert.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
