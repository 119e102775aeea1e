"""Escalation: who is told next while nobody takes an alert on. The state is a row with a due time; nothing waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from roundsman.alerts.acknowledgement import end_of
from roundsman.alerts.model import AlertState, Notify, NotifyKind, Phase, Status

# Later than this is more than a slow tick: Roundsman was down, and steps that are over are not made up for.
GRACE = timedelta(minutes=5)
# Whoever was to be called that long ago is not woken in a chain today.
STALE_AFTER = timedelta(hours=24)
# How soon an escalation that reached nobody at all begins again.
AGAIN_AFTER = timedelta(minutes=5)


@dataclass(frozen=True)
class Step:
    """Who is told, and how long that person has until the next step."""

    notify: Sequence[str]  # names of people, schedules, receivers
    wait: timedelta
    severity: Status = Status.WARNING  # only alerts at least as bad
    priority: int | None = None  # only alerts at least as urgent; 1 is most urgent
    active: Sequence[str] = ()  # only within one of these time intervals
    mute: Sequence[str] = ()  # not within these


@dataclass(frozen=True)
class Policy:
    """Steps, all of them again `repeats` times, `every` after the last one; then `finally_`."""

    name: str
    steps: Sequence[Step]
    repeats: int = 0
    every: timedelta = timedelta(minutes=30)
    finally_: Sequence[str] = ()

    @property
    def length(self) -> int:
        return len(self.steps) * (1 + self.repeats) + bool(self.finally_)

    def step(self, position: int) -> Step:
        """The position counts through all rounds; the last step of a round waits for the next round."""
        if self.finally_ and position == self.length - 1:
            return Step(self.finally_, timedelta())
        step = self.steps[position % len(self.steps)]
        return step if (position + 1) % len(self.steps) else replace(step, wait=self.every)


@dataclass(frozen=True)
class Escalation:
    """How far one alert's escalation has come."""

    fingerprint: str
    episode: int
    policy: str
    kind: NotifyKind  # why it began
    decided_at: datetime
    begun: int = 1  # how often it has begun in this episode
    position: int = 0  # of the step that is next
    due_at: datetime | None = None  # when it is; None when nothing more will be
    paused: bool = False  # somebody has acknowledged the alert
    held: bool = False  # when its step was due, the alert was inhibited or silenced
    reached: bool = False  # since it began, somebody was told
    in_vain: bool = False  # since it began, all steps were tried once and nobody was there
    told: tuple[str, ...] = ()  # everybody who was told, and has not been told of the end

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        times = {"decided_at": self.decided_at.isoformat(), "due_at": self.due_at and self.due_at.isoformat()}
        return {**asdict(self), **times, "kind": str(self.kind), "told": list(self.told)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        times = {key: plain[key] and datetime.fromisoformat(plain[key]) for key in ("decided_at", "due_at")}
        return cls(**{**plain, **times, "kind": NotifyKind(plain["kind"]), "told": tuple(plain["told"])})


@dataclass(frozen=True)
class Circumstances:
    """What the world says at the moment of a decision."""

    who: Callable[[str], Sequence[str]]  # the people, or the receiver, that a step's name means now
    is_in: Callable[[str], bool]  # whether it is now within a time interval
    priority: int | None = None
    held: bool = False  # the alert is inhibited or silenced


@dataclass(frozen=True)
class Page:
    """Effect: tell these people and receivers."""

    to: tuple[str, ...]
    notify: Notify


@dataclass(frozen=True)
class Advance:
    """What a moment changes, and why, in sentences for the timeline."""

    escalation: Escalation
    pages: tuple[Page, ...] = ()
    sentences: tuple[str, ...] = ()


def begin(before: Escalation | None, alert: AlertState, policy: Policy, kind: NotifyKind, now: datetime) -> Escalation:
    """The alert opened or became worse: from the first step on, for those who were told of less as well."""
    due_at = _since(alert, now)
    if before is None:
        return Escalation(alert.fingerprint, alert.episode, policy.name, kind, now, due_at=due_at)
    return _again(replace(before, episode=alert.episode, policy=policy.name), kind, due_at, now)


def follow(escalation: Escalation, alert: AlertState, now: datetime) -> Escalation:
    """What becomes of it when people, or a result, changed the alert."""
    if not alert.is_open:
        return replace(escalation, due_at=None, paused=False)
    if alert.phase is Phase.ACKNOWLEDGED:
        end = end_of(alert)
        already = escalation.paused and escalation.due_at == end and escalation.episode == alert.episode
        paused = replace(escalation, episode=alert.episode, position=0, due_at=end, paused=True, decided_at=now)
        return escalation if already else paused
    if alert.episode != escalation.episode:
        # It ended and came back before anybody was told of the end.
        return _again(replace(escalation, episode=alert.episode), NotifyKind.OPENED, now, now)
    if not escalation.paused or escalation.due_at is None:
        return escalation
    # From when the acknowledgement ended, not from when that was noticed: after a long time down that tells how late.
    kind = NotifyKind.EXPIRED if escalation.due_at <= now else NotifyKind.ESCALATED
    return _again(escalation, kind, min(escalation.due_at, now), now)


def advance(escalation: Escalation, alert: AlertState, policy: Policy, now: datetime, world: Circumstances) -> Advance:
    """Do what is due. Steps that are over since long are left out, but for the one where it should be by now."""
    escalation = _not_of_the_future(escalation, now)
    if escalation.due_at is None or now < escalation.due_at or escalation.paused or not alert.is_open:
        return Advance(escalation)
    if world.held:
        return Advance(escalation if escalation.held else replace(escalation, held=True, decided_at=now))
    if escalation.held:
        # Nobody was told meanwhile.
        escalation = _again(escalation, escalation.kind, _since(alert, now), now)
    if escalation.due_at is not None and now - escalation.due_at > STALE_AFTER:
        return _one_notice(escalation, alert, policy, now, world)
    due, following, at, sentences = _walk(escalation, alert, policy, now, world)
    if not due:
        return _nobody(escalation, now, sentences)
    told = [one for one in due if now - one.at <= GRACE] or due[-1:]
    if len(told) < len(due):
        sentences += (f"{len(due) - len(told)} earlier steps were due while nothing ran, and are left out",)
    if now - due[-1].at > GRACE:
        at = now + policy.step(due[-1].position).wait
    after = replace(
        escalation,
        position=following,
        due_at=at if following < policy.length else None,
        decided_at=now,
        reached=True,
        told=_all(escalation.told, *(one.people for one in told)),
    )
    pages = tuple(Page(one.people, _notify(escalation, alert, one.position)) for one in told)
    return Advance(after, pages, (*sentences, *(_sentence(one, policy) for one in told)))


def _not_of_the_future(escalation: Escalation, now: datetime) -> Escalation:
    """The clock was ahead when this was decided and is right now: what was to be waited for is a length of time."""
    if escalation.due_at is None or escalation.paused or escalation.decided_at <= now:
        return escalation
    return replace(escalation, due_at=escalation.due_at - (escalation.decided_at - now), decided_at=now)


@dataclass(frozen=True)
class _Due:
    position: int
    at: datetime
    people: tuple[str, ...]


def _walk(
    escalation: Escalation, alert: AlertState, policy: Policy, now: datetime, world: Circumstances
) -> tuple[list[_Due], int, datetime, tuple[str, ...]]:
    """The steps that are due, the position and the time of the next one; a step that tells nobody takes no time."""
    position, at = escalation.position, escalation.due_at or now
    due, sentences = [], []
    while position < policy.length and at <= now:
        step = policy.step(position)
        why_not = _unwanted(step, alert, world)
        people = () if why_not else _all(*(world.who(name) for name in step.notify))
        if people:
            due.append(_Due(position, at, people))
            at += step.wait
        else:
            nobody = why_not or f"nobody is on call in {', '.join(step.notify)}"
            sentences.append(f"step {position + 1} of {policy.name} is left out: {nobody}")
        position += 1
    return due, position, at, tuple(sentences)


def _unwanted(step: Step, alert: AlertState, world: Circumstances) -> str | None:
    if alert.severity.rank < step.severity.rank:
        return f"it is for {step.severity} or worse"
    if step.priority is not None and world.priority is not None and world.priority > step.priority:
        return f"it is for P{step.priority} or more urgent"
    if step.active and not any(world.is_in(name) for name in step.active):
        return f"it is outside of {', '.join(step.active)}"
    muting = next((name for name in step.mute if world.is_in(name)), None)
    return f"it is {muting}" if muting else None


def _one_notice(
    escalation: Escalation, alert: AlertState, policy: Policy, now: datetime, world: Circumstances
) -> Advance:
    late = f"the next step was due at {escalation.due_at:%Y-%m-%d %H:%M %Z}, and nothing ran until now"
    people = _all(*(world.who(name) for name in policy.step(0).notify))
    if not people:
        # As late as it is; there will be somebody.
        return Advance(escalation)
    after = replace(escalation, due_at=None, decided_at=now, reached=True, told=_all(escalation.told, people))
    page = Page(people, _notify(escalation, alert, escalation.position))
    return Advance(after, (page,), (f"{late}: {', '.join(people)} told once, and nobody after",))


def _nobody(escalation: Escalation, now: datetime, sentences: tuple[str, ...]) -> Advance:
    """At its end. If it has reached nobody it begins again: nights pass, and gaps in schedules do."""
    if escalation.reached:
        return Advance(replace(escalation, due_at=None, decided_at=now), sentences=sentences)
    after = replace(escalation, position=0, due_at=now + AGAIN_AFTER, decided_at=now, in_vain=True)
    return Advance(after, sentences=() if escalation.in_vain else sentences)


def _again(escalation: Escalation, kind: NotifyKind, at: datetime, now: datetime) -> Escalation:
    return replace(
        escalation,
        kind=kind,
        begun=escalation.begun + 1,
        position=0,
        due_at=at,
        decided_at=now,
        paused=False,
        held=False,
        reached=False,
        in_vain=False,
    )


def _since(alert: AlertState, now: datetime) -> datetime:
    """Now; but what was measured that long ago, and comes to light today, is as late as any step."""
    return alert.updated_at if now - alert.updated_at > STALE_AFTER else now


def _all(*names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for some in names for name in some))


def _notify(escalation: Escalation, alert: AlertState, position: int) -> Notify:
    """The key is the same however often the step is decided."""
    key = f"{alert.fingerprint}/{alert.episode}/step/{escalation.begun}.{position}"
    return Notify(NotifyKind.ESCALATED if position else escalation.kind, alert, key)


def _sentence(due: _Due, policy: Policy) -> str:
    return f"step {due.position + 1} of {policy.name}: {', '.join(due.people)} told"
