"""Who is told next while nobody takes an alert on: steps of a receiver, and escalations that several share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from .alerts import escalation
from .alerts.model import Status
from .config_base import Duration, Section

Wait = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=7))]


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_several)]


class Step(Section):
    """Whom to tell, and how long they have until the next step."""

    notify: Annotated[Names, Field(min_length=1)]
    wait: Wait = timedelta(minutes=5)
    severity: Literal["warning", "unknown", "critical"] = "warning"
    priority: Literal["P1", "P2", "P3", "P4", "P5"] | None = None
    active_time_intervals: list[str] = Field(default_factory=list)
    mute_time_intervals: list[str] = Field(default_factory=list)

    def step(self) -> escalation.Step:
        return escalation.Step(
            tuple(self.notify),
            self.wait,
            Status(self.severity.upper()),
            int(self.priority[1:]) if self.priority else None,
            tuple(self.active_time_intervals),
            tuple(self.mute_time_intervals),
        )


class Repeat(Section):
    """All steps again, `every` after the last one; at the very end, `then`."""

    times: int = Field(default=1, ge=0, le=100)
    every: Wait = timedelta(minutes=30)
    then: Names = Field(default_factory=list)


Steps = Annotated[list[Step], Field(min_length=1, max_length=50)]


class Escalation(Section):
    """Steps by a name, for receivers that share them."""

    name: str = Field(min_length=1)
    steps: Steps
    repeat: Repeat | None = None

    def policy(self) -> escalation.Policy:
        return policy(self.name, self.steps, self.repeat)


def policy(name: str, steps: Sequence[Step], repeat: Repeat | None = None) -> escalation.Policy:
    known = [step.step() for step in steps]
    if repeat is None:
        return escalation.Policy(name, known)
    return escalation.Policy(name, known, repeat.times, repeat.every, tuple(repeat.then))
