"""Whatever happens, in whatever order: the promises about alerts, held by a state machine of random events."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from roundsman.alerts.decide import Reason
from roundsman.alerts.model import NotifyKind, Phase, Status

from .cast import Tale

MINUTES_BACK = st.sampled_from([0, 0, 0, 1, 5])


class OneAlert(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.tale = Tale()
        self.seen_critical: set[int] = set()  # episodes in which somebody knew of CRITICAL
        self.inhibited = False
        self.knows: bool = False  # whether the team was told of a problem and not yet of its end

    def happens(self, word: str, back: float = 0, *, inhibited: bool = False) -> None:
        self.inhibited = inhibited
        before = self.tale.state
        new = self.tale.tell(f"({word})" if inhibited else word, back)
        decision, state = self.tale.decision, self.tale.state
        assert decision is not None
        if decision.reason is Reason.STALE or decision.refused:
            assert state == before
        if word == "no data" and before is not None and state is not None:
            assert state.phase is before.phase
        if before is not None and decision.reason is not Reason.STALE:
            assert state is not None
            assert state.updated_at >= before.updated_at
        self.seen_critical |= {one.alert.episode for one in new if one.alert.known_status is Status.CRITICAL}
        assert len(new) <= 1
        for one in new:
            # Resolved follows fired, and what has not ended is not told as new.
            assert self.knows is (one.kind is not NotifyKind.OPENED)
            self.knows = one.kind is not NotifyKind.RESOLVED

    @rule(status=st.sampled_from(["OK", "WARNING", "CRITICAL", "UNKNOWN"]), back=MINUTES_BACK, inhibited=st.booleans())
    def is_measured(self, status: str, back: float, inhibited: bool) -> None:
        self.happens(status, back, inhibited=inhibited)

    @rule(back=MINUTES_BACK, inhibited=st.booleans())
    def is_not_measured(self, back: float, inhibited: bool) -> None:
        self.happens("no data", back, inhibited=inhibited)

    @rule(word=st.sampled_from(["unack", "resolve"]))
    def is_handled(self, word: str) -> None:
        self.happens(word)

    @rule()
    def is_acknowledged(self) -> None:
        shown = self.tale.state
        if shown is not None and shown.is_open and Status.CRITICAL in (shown.status, shown.last_known):
            self.seen_critical.add(shown.episode)
        self.happens("ack")

    @rule()
    def is_forgotten(self) -> None:
        self.happens("night")

    @invariant()
    def every_acknowledgement_has_an_end(self) -> None:
        state = self.tale.state
        if state and state.phase is Phase.ACKNOWLEDGED:
            assert state.acknowledged_until is not None

    @invariant()
    def whoever_was_told_is_told_of_the_end(self) -> None:
        state = self.tale.state
        if state and not state.is_open:
            assert not self.knows
            assert not any(group.told for group in self.tale.groups.values())

    @invariant()
    def no_notification_is_doubled(self) -> None:
        keys = [news.key for news in self.tale.heard]
        assert len(keys) == len(set(keys))

    @invariant()
    def no_open_critical_is_unknown_to_everybody(self) -> None:
        state = self.tale.state
        if state and state.is_open and state.status is Status.CRITICAL and not self.inhibited:
            assert state.episode in self.seen_critical

    @invariant()
    def an_acknowledgement_never_covers_more_than_was_known(self) -> None:
        state = self.tale.state
        if state and state.phase is Phase.ACKNOWLEDGED:
            assert state.acknowledged_status is not None
            assert state.known_status.rank <= state.acknowledged_status.rank


TestOneAlert = OneAlert.TestCase
TestOneAlert.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
