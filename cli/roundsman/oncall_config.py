"""The people of roundsman.yml, and when each is on call."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from .alerts import oncall
from .alerts.ical import REMOTE, Calendar
from .alerts.intervals import weekday_range
from .alerts_config import Fault, Place, Rules, zone_of
from .config_base import Duration, Secret, Section
from .escalation_config import Escalation, Step
from .receivers_config import Receiver

Zone = Annotated[ZoneInfo, PlainValidator(zone_of)]
UTC = ZoneInfo("UTC")
LENGTHS = {"day": timedelta(days=1), "week": timedelta(weeks=1)}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _clock(value: object) -> time:
    """A time of day; 24:00 is the next one's 00:00, as an end."""
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)|24:00", str(value))
    if match is None:
        raise ValueError(f"{value!r} is no time of day; write for example 09:00")
    return time(int(match[1]), int(match[2])) if match[1] else time()


def _days(value: object) -> frozenset[int]:
    given = value if isinstance(value, list) else [value]
    found = [weekday_range(str(one)) for one in given]
    # There weeks begin on Sunday, in Python on Monday.
    return frozenset((day - 1) % 7 for begin, end in found for day in range(begin, end + 1))


def _length(value: object) -> object:
    return LENGTHS.get(value, value) if isinstance(value, str) else value


def _named(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {name: {**one, "name": str(name)} if isinstance(one, dict) else one for name, one in value.items()}


Clock = Annotated[time, PlainValidator(_clock)]
Length = Annotated[Duration, BeforeValidator(_length), Field(ge=timedelta(hours=1), le=timedelta(days=366))]


_NO_TARGETS = {"name", "title", "text", "fallback", "fallback_after", "also_called", "zone"}


class Person(Receiver):
    """Somebody, with every way to reach that person."""

    also_called: list[str] = Field(default_factory=list)
    zone: Zone = UTC

    @model_validator(mode="after")
    def _can_be_told(self) -> Person:
        if self.escalate or self.escalation:
            raise ValueError("a person has no escalation; a receiver may have one")
        if not self.model_fields_set - _NO_TARGETS:
            raise ValueError("has nothing by which to be told: give urls, for example")
        return self


People = Annotated[dict[str, Person], BeforeValidator(_named)]


class Hours(Section):
    """Part of a day; until a time that is not later is until that time next day."""

    weekdays: Annotated[frozenset[int], PlainValidator(_days)] = oncall.EVERY_DAY
    from_: Clock = Field(default=time(), alias="from")
    until: Clock = time()


class Layer(Section):
    """People who take turns, or a calendar that somebody else keeps: one of the two."""

    people: list[str] = Field(default_factory=list)
    start: date | None = None
    every: Length = LENGTHS["week"]
    at: Clock = time()
    on: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] | None = None
    zone: Zone | None = None
    during: list[Hours] = Field(default_factory=list)
    ical: Secret | None = None

    @field_validator("ical")
    @classmethod
    def _from_here(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """A relative path begins at the configuration file's own directory."""
        if value is None or value.get_secret_value().startswith(REMOTE):
            return value
        return SecretStr(str((info.context or Path()).joinpath(Path(value.get_secret_value()).expanduser())))

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Layer:
        if bool(self.people) == bool(self.ical):
            raise ValueError("has either people or ical")
        if self.people and self.start is None:
            raise ValueError("needs a start: the day of the first hand-over, such as 2026-11-02")
        if self.ical and self.model_fields_set - {"ical", "zone"}:
            raise ValueError("its calendar says who and when: nothing goes with ical but zone")
        if self.every % timedelta(hours=1):
            raise ValueError("every: whole hours, day or week")
        return self

    def layer(
        self, zone: ZoneInfo, people: Mapping[str, Sequence[str]], read: Callable[[str], str | None]
    ) -> oncall.Layer | None:
        """None when the calendar cannot be had."""
        if self.ical is not None:
            text = read(self.ical.get_secret_value())
            return None if text is None else Calendar(text, self.zone or zone, people)
        assert self.start is not None  # noqa: S101 - _one_of_the_two
        hours = [oncall.Hours(one.weekdays, one.from_, one.until) for one in self.during]
        weekday = WEEKDAYS.index(self.on) if self.on else None
        return oncall.Rotation(self.people, self.zone or zone, self.start, self.every, self.at, weekday, hours)


class Schedule(Section):
    """Layers, each over those before it."""

    name: str = Field(min_length=1)
    zone: Zone = UTC
    layers: list[Layer] = Field(min_length=1)

    def schedule(self, people: Mapping[str, Person], read: Callable[[str], str | None]) -> oncall.Schedule:
        names = {name: one.also_called for name, one in people.items()}
        layers = [layer for one in self.layers if (layer := one.layer(self.zone, names, read))]
        return oncall.Schedule(self.name, layers)


class OnCall(Rules):
    """Who is told when nobody takes an alert on: people, their schedules, and the escalations that name them."""

    people: People = Field(default_factory=dict)
    schedules: list[Schedule] = Field(default_factory=list)
    escalations: list[Escalation] = Field(default_factory=list)


def faults(alerts: OnCall, receivers: Sequence[Receiver], intervals: Collection[str]) -> Iterator[Fault]:
    """Names that mean nothing, or two things."""
    names = [*alerts.people, *(one.name for one in alerts.schedules), *(one.name for one in receivers)]
    for name in _doubled(names):
        yield (), f"{name} is the name of two: people, schedules and receivers are told apart by name alone"
    shared = [one.name for one in alerts.escalations]
    for name in _doubled(shared):
        yield ("escalations",), f"{name} is declared twice"
    yield from _faults_of_schedules(alerts)
    for number, receiver in enumerate(receivers):
        if receiver.escalation is not None and receiver.escalation not in shared:
            yield ("receivers", number, "escalation"), _unknown("escalation", receiver.escalation, shared)
        if receiver.escalation is not None and receiver.escalate:
            yield ("receivers", number), "has steps of its own, or names an escalation: one of the two"
    yield from _faults_of_steps(alerts, receivers, names, intervals)


def _faults_of_schedules(alerts: OnCall) -> Iterator[Fault]:
    for number, schedule in enumerate(alerts.schedules):
        for at, layer in enumerate(schedule.layers):
            for turn, name in enumerate(layer.people):
                if name not in alerts.people:
                    yield ("schedules", number, "layers", at, "people", turn), _unknown("person", name, alerts.people)


def _faults_of_steps(
    alerts: OnCall, receivers: Sequence[Receiver], names: Sequence[str], intervals: Collection[str]
) -> Iterator[Fault]:
    escalating = [one.name for one in receivers if one.escalate or one.escalation]
    for place, step in _steps(alerts, receivers):
        for at, name in enumerate(step.notify):
            if name not in names:
                yield (*place, "notify", at), _unknown("person, schedule or receiver", name, names)
            elif name in escalating:
                said = f"{name} escalates itself; name a person, a schedule or another receiver"
                yield (*place, "notify", at), said
        for key in ("active_time_intervals", "mute_time_intervals"):
            for at, name in enumerate(getattr(step, key)):
                if name not in intervals:
                    yield (*place, key, at), _unknown("time interval", name, intervals)


def _steps(alerts: OnCall, receivers: Sequence[Receiver]) -> Iterator[tuple[Place, Step]]:
    """Each with where it stands; the last word of an escalation is a step as well."""
    for number, one in enumerate(alerts.escalations):
        for at, step in enumerate(one.steps):
            yield ("escalations", number, "steps", at), step
        if one.repeat and one.repeat.then:
            yield ("escalations", number, "repeat", "then"), Step(notify=one.repeat.then)
    for number, receiver in enumerate(receivers):
        for at, step in enumerate(receiver.escalate):
            yield ("receivers", number, "escalate", at), step


def _doubled(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    return f"there is no {what} {name!r} (there are: {', '.join(known) or 'none'})"
