"""settle(state, event, policy, now) -> (state, what alerting shall see, reason): soft and hard states of one check.

A check that is amiss is soft until it was amiss in `attempts` rounds in a row; then it is hard, and alerts see it. Once
hard, it is fine again only after it was seen fine for the recovery delay, which doubles with every flap. The numbers
and their reasons stand in docs/alerts.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from roundsman.alerts.model import CheckResult, Measurement, NoData, Status
from roundsman.times import span

# An alert that opens again within CALM of its end has flapped; each CALM without a flap takes one flap back.
CALM = timedelta(hours=6)
# Twice is bad luck, three times is a pattern: from then on even a check without a recovery delay has one.
FREE_FLAPS = 1
FIRST_DELAY_S = 600.0
LONGEST_DELAY_S = 4 * 3600.0
# The delay has long reached its cap; more would only take longer to decay.
MOST_FLAPS = 7


class Reason(StrEnum):
    """Why alerting sees a measurement, or does not; shown to people."""

    FINE = "fine"
    SOFT = "soft"
    SOFT_OVER = "soft_over"
    HARD = "hard"
    FLAPPED = "flapped"
    STILL_AMISS = "still_amiss"
    RECOVERING = "recovering"
    RELAPSED = "relapsed"
    RECOVERED = "recovered"
    CANNOT_LOOK = "cannot_look"
    STALE = "stale"


@dataclass(frozen=True)
class Policy:
    """What the inventory says about one check: docs/records.md, `attempts` and `recovery_s`."""

    attempts: int = 1
    recovery_s: float = 0.0

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> Self:
        """The policy in a check result; one of an older Roundsman has none."""
        return cls(max(1, int(result.get("attempts") or 1)), max(0.0, float(result.get("recovery_s") or 0)))


@dataclass(frozen=True)
class CheckState:
    """What is remembered of one check on one host. All times are in UTC."""

    hard: Status  # what alerting was last shown
    looked: Status  # what the newest measurement found; no data is UNKNOWN
    run: str
    seen_at: datetime  # of the newest measurement
    recovered_at: datetime | None = None  # when `hard` last became fine
    attempt: int = 0  # rounds in a row amiss, while `hard` is fine
    fine_s: float = 0.0  # how long it has been seen fine, while `hard` is amiss
    flaps: int = 0
    reason: Reason = Reason.FINE
    sentence: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; times as RFC 3339."""
        return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in vars(self).items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The state that `to_dict` wrote; keys of a later version are ignored."""
        known = {field.name: plain[field.name] for field in fields(cls) if field.name in plain}
        known |= {"hard": Status(plain["hard"]), "looked": Status(plain["looked"]), "reason": Reason(plain["reason"])}
        for key in ("seen_at", "recovered_at"):
            known[key] = datetime.fromisoformat(plain[key]) if plain.get(key) else None
        return cls(**known)


@dataclass(frozen=True)
class Settled:
    """The new state (None: there was none, and none is needed) and what alerting shall see (None: nothing)."""

    state: CheckState | None
    shown: Measurement | None
    reason: Reason
    sentence: str


def settle(state: CheckState | None, event: Measurement, policy: Policy, now: datetime) -> Settled:
    """Settle one measurement of a check. Entries that were taken before, and older ones, change nothing.

    A time later than `now` counts as `now`. A state later than `now` is of a clock that ran ahead and was set back:
    whatever is measured now is newer.
    """
    # In UTC: within one zone Python compares and subtracts what the clocks on the wall said.
    at, now = min(event.at, now).astimezone(UTC), now.astimezone(UTC)
    if state is not None:
        if at < state.seen_at <= now or (event.run == state.run and event.at <= state.seen_at):
            sentence = f"what was found at {at:%F %T} is older than what is known since {state.seen_at:%F %T}"
            return Settled(state, None, Reason.STALE, sentence)
        recovered_at = state.recovered_at and min(state.recovered_at, at)
        state = replace(state, seen_at=min(state.seen_at, at), recovered_at=recovered_at)
    if isinstance(event, NoData):
        return _no_data(state, event, at)
    before = state or CheckState(Status.OK, Status.UNKNOWN, event.run, at)
    after = replace(before, looked=event.status, run=event.run, seen_at=at)
    if event.status is Status.OK:
        return _fine(before, after, event, policy)
    return _first_amiss(before, after, event, policy) if before.hard is Status.OK else _amiss(before, after, event)


def delay_s(policy: Policy, flaps: int) -> float:
    """How long a check has to be fine before its alert is resolved, after so many flaps."""
    own = policy.recovery_s * 2.0**flaps
    everybodys = FIRST_DELAY_S * 2.0 ** (flaps - FREE_FLAPS - 1) if flaps > FREE_FLAPS else 0.0
    return min(max(own, everybodys), max(policy.recovery_s, LONGEST_DELAY_S))


def _fine(before: CheckState, after: CheckState, event: CheckResult, policy: Policy) -> Settled:
    if before.hard is Status.OK:
        again = f"fine again after {before.attempt} of {policy.attempts} attempts; nobody was alerted"
        reason, sentence = (Reason.SOFT_OVER, again) if before.attempt else (Reason.FINE, "fine, as before")
        return _settled(replace(after, attempt=0), event, reason, sentence)
    # Only time between two looks that both found it fine counts: what nobody saw is no evidence.
    watched_s = (after.seen_at - before.seen_at).total_seconds() if before.looked is Status.OK else 0.0
    after = replace(after, fine_s=before.fine_s + watched_s)
    needed_s = delay_s(policy, before.flaps)
    why = f" because it flaps ({before.flaps} times)" if needed_s > policy.recovery_s else ""
    if after.fine_s < needed_s:
        sentence = f"fine for {span(after.fine_s)} of the {span(needed_s)} that it has to be{why}"
        return _settled(after, None, Reason.RECOVERING, sentence)
    after = replace(after, hard=Status.OK, recovered_at=after.seen_at, attempt=0, fine_s=0.0)
    return _settled(after, event, Reason.RECOVERED, "fine again" + (f" for {span(needed_s)}{why}" if needed_s else ""))


def _first_amiss(before: CheckState, after: CheckState, event: CheckResult, policy: Policy) -> Settled:
    """Amiss, and alerts do not know it: UNKNOWN counts as well, or a check that hangs every other time never alerts."""
    attempt = before.attempt + 1
    if attempt < policy.attempts:
        sentence = f"attempt {attempt} of {policy.attempts}"
        return _settled(replace(after, attempt=attempt), None, Reason.SOFT, sentence)
    flaps = _flaps(before, after.seen_at)
    after = replace(after, hard=event.status, attempt=attempt, fine_s=0.0, flaps=flaps)
    if flaps > before.flaps:
        return _settled(after, event, Reason.FLAPPED, f"{event.status} again within {span(CALM.total_seconds())}")
    return _settled(after, event, Reason.HARD, f"{event.status}, attempt {attempt} of {policy.attempts}")


def _flaps(before: CheckState, at: datetime) -> int:
    if before.recovered_at is None:
        return 0
    calm = at - before.recovered_at
    return min(before.flaps + 1, MOST_FLAPS) if calm < CALM else max(0, before.flaps - calm // CALM)


def _amiss(before: CheckState, after: CheckState, event: CheckResult) -> Settled:
    """Amiss, and alerts know it. A check that got worse has been amiss long enough already: that is seen at once."""
    if event.status is Status.UNKNOWN and before.hard is not Status.UNKNOWN:
        shown = NoData(event.host, event.check, event.message, event.run, event.at)
        sentence = f"cannot look any more, was {before.hard}: neither a recovery nor a new failure"
        return _settled(after, shown, Reason.CANNOT_LOOK, sentence)
    after = replace(after, hard=event.status, fine_s=0.0)
    if before.looked is Status.OK:
        return _settled(after, event, Reason.RELAPSED, f"{event.status} again before it was fine for long enough")
    return _settled(after, event, Reason.STILL_AMISS, f"{event.status}, was {before.hard}")


def _no_data(state: CheckState | None, event: NoData, at: datetime) -> Settled:
    sentence = f"no data: {event.message}"
    if state is None:
        return Settled(None, event, Reason.CANNOT_LOOK, sentence)
    after = replace(state, looked=Status.UNKNOWN, run=event.run, seen_at=at)
    return _settled(after, event, Reason.CANNOT_LOOK, sentence)


def _settled(state: CheckState, shown: Measurement | None, reason: Reason, sentence: str) -> Settled:
    return Settled(replace(state, reason=reason, sentence=sentence), shown, reason, sentence)
