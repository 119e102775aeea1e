"""What roundsman.yml and an alertmanager.yml say alike: routes, inhibition rules and time intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from .alerts import intervals, routing
from .alerts import priority as priorities
from .alerts.inhibition import Rule
from .alerts.matchers import Matcher, Matchers, Operator, from_maps, in_order, parse
from .alerts.priority import Priority
from .config_base import Duration, Section

Place = tuple[int | str, ...]


def _text(value: object) -> object:
    """Labels are text, even where YAML sees a number."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


def _matchers(value: object) -> Matchers:
    if isinstance(value, str):
        return parse(value)
    raise ValueError('a matcher is written as text, for example severity="critical"')


def _pattern(value: str) -> str:
    Matcher("match_re", Operator.REGEX, value)
    return value


def _every_label_alone(value: list[str]) -> list[str]:
    if routing.EVERY_LABEL in value and len(value) > 1:
        raise ValueError("`...` means every label and stands alone")
    return value


def _not_zero(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("cannot be zero")
    return value


def _times_of_day(value: object) -> intervals.Range:
    if not isinstance(value, dict) or set(value) != {"start_time", "end_time"}:
        raise ValueError("has start_time and end_time")
    return intervals.clock_range(str(value["start_time"]), str(value["end_time"]))


def _range(parse_range: Callable[[str], intervals.Range]) -> PlainValidator:
    return PlainValidator(lambda value: parse_range(str(value)))


def zone_of(value: object) -> ZoneInfo:
    try:
        if value == "Local":
            with Path("/etc/localtime").open("rb") as file:
                return ZoneInfo.from_file(file, "Local")
        return ZoneInfo(str(value))
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {value!r}; write for example Europe/Berlin") from None


Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[Text, Field(min_length=1)]
Pattern = Annotated[Text, AfterValidator(_pattern)]
MatchersOfText = Annotated[Matchers, PlainValidator(_matchers)]
Pace = Annotated[Duration, AfterValidator(_not_zero)]


class Part(Section):
    """A key without a value is one that is not there, as in Go."""

    @model_validator(mode="before")
    @classmethod
    def _without_nothing(cls, value: Any) -> Any:
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


class Route(Part):
    """A node of the tree; what it does not say it has from its parent."""

    receiver: Text = ""
    group_by: Annotated[list[Name], AfterValidator(_every_label_alone)] = Field(default_factory=list)
    group_wait: Duration | None = None
    group_interval: Pace | None = None
    repeat_interval: Pace | None = None
    matchers: list[MatchersOfText] = Field(default_factory=list)
    match: dict[Name, Text] = Field(default_factory=dict)
    match_re: dict[Name, Pattern] = Field(default_factory=dict)
    continues: bool = Field(default=False, alias="continue")
    mute_time_intervals: list[Name] = Field(default_factory=list)
    active_time_intervals: list[Name] = Field(default_factory=list)
    routes: list[Route] = Field(default_factory=list)

    def spec(self) -> dict[str, Any]:
        """As routing.tree takes it: of what is inherited only what is given."""
        inherited = {
            "receiver": self.receiver or None,
            "group_by": tuple(self.group_by) or None,
            "group_wait": self.group_wait,
            "group_interval": self.group_interval,
            "repeat_interval": self.repeat_interval,
        }
        return {name: value for name, value in inherited.items() if value is not None} | {
            "matchers": _joined(self.matchers, self.match, self.match_re),
            "continue": self.continues,
            "mute_time_intervals": self.mute_time_intervals,
            "active_time_intervals": self.active_time_intervals,
            "routes": [route.spec() for route in self.routes],
        }

    def walk(self, place: Place) -> Iterator[tuple[Place, Route]]:
        """This route and all below it, each with where it stands."""
        yield place, self
        for number, route in enumerate(self.routes):
            yield from route.walk((*place, "routes", number))


class InhibitRule(Part):
    """What matches the target is not told while something that matches the source fires and agrees in `equal`."""

    name: Text = ""
    source_matchers: list[MatchersOfText] = Field(default_factory=list)
    source_match: dict[Name, Text] = Field(default_factory=dict)
    source_match_re: dict[Name, Pattern] = Field(default_factory=dict)
    target_matchers: list[MatchersOfText] = Field(default_factory=list)
    target_match: dict[Name, Text] = Field(default_factory=dict)
    target_match_re: dict[Name, Pattern] = Field(default_factory=dict)
    equal: list[Name] = Field(default_factory=list)

    def rule(self) -> Rule:
        source = _joined(self.source_matchers, self.source_match, self.source_match_re)
        target = _joined(self.target_matchers, self.target_match, self.target_match_re)
        return Rule(source, target, tuple(self.equal), self.name)


def _joined(matchers: Sequence[Matchers], match: Mapping[str, str], match_re: Mapping[str, str]) -> Matchers:
    return in_order([*from_maps(match, match_re), *(one for several in matchers for one in several)])


class TimeInterval(Part):
    """The moments that fulfil all that is given."""

    times: list[Annotated[intervals.Range, PlainValidator(_times_of_day)]] | None = None
    weekdays: list[Annotated[intervals.Range, _range(intervals.weekday_range)]] | None = None
    days_of_month: list[Annotated[intervals.Range, _range(intervals.day_of_month_range)]] | None = None
    months: list[Annotated[intervals.Range, _range(intervals.month_range)]] | None = None
    years: list[Annotated[intervals.Range, _range(intervals.year_range)]] | None = None
    location: Annotated[ZoneInfo, PlainValidator(zone_of)] = ZoneInfo("UTC")

    def interval(self) -> intervals.Interval:
        return intervals.Interval(**{name: getattr(self, name) for name in type(self).model_fields})


class PriorityRule(Part):
    """Alerts that match are as urgent as this says, at these times."""

    matchers: list[MatchersOfText] = Field(default_factory=list)
    priority: Priority
    active_time_intervals: list[Name] = Field(default_factory=list)

    def rule(self) -> priorities.PriorityRule:
        return priorities.PriorityRule(_joined(self.matchers, {}, {}), self.priority)


class NamedIntervals(Part):
    """Time intervals that routes and silences name; any of them will do."""

    name: Name
    time_intervals: list[TimeInterval] = Field(default_factory=list)


class Rules(Part):
    """The part that both files have; each says itself what its receivers are."""

    receivers: Sequence[Any] = ()
    route: Route | None = None
    inhibit_rules: list[InhibitRule] = Field(default_factory=list)
    time_intervals: list[NamedIntervals] = Field(default_factory=list)
    mute_time_intervals: list[NamedIntervals] = Field(default_factory=list)

    @model_validator(mode="after")
    def _all_names_mean_something(self) -> Rules:
        receivers = [receiver.name for receiver in self.receivers]
        named = [one.name for one in (*self.mute_time_intervals, *self.time_intervals)]
        complain(
            [
                *_doubled("receivers", receivers),
                *_doubled("time_intervals", named),
                *(fault for route in self.routes() for fault in _faults_of(*route, receivers, named)),
            ]
        )
        return self

    def routes(self) -> Iterator[tuple[Place, Route]]:
        """All routes, each with where it stands."""
        if self.route is not None:
            yield from self.route.walk(("route",))

    def inhibition(self) -> tuple[Rule, ...]:
        return tuple(rule.rule() for rule in self.inhibit_rules)

    def intervals(self) -> intervals.Intervals:
        named = (*self.mute_time_intervals, *self.time_intervals)
        return {one.name: [interval.interval() for interval in one.time_intervals] for one in named}


Fault = tuple[Place, str]


def complain(faults: Sequence[Fault]) -> None:
    """Raise what a validator found wrong, each fault with its place below the section that is validated."""
    if faults:
        details = [
            InitErrorDetails(type=PydanticCustomError("fault", "{text}", {"text": text}), loc=place, input=None)
            for place, text in faults
        ]
        raise ValidationError.from_exception_data("alerts", details)


def _doubled(key: str, names: Sequence[str]) -> Iterator[Fault]:
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield (key,), f"{name} is declared twice"


def _faults_of(place: Place, route: Route, receivers: Sequence[str], named: Sequence[str]) -> Iterator[Fault]:
    if place == ("route",):
        yield from _faults_of_root(route)
    if route.receiver and route.receiver not in receivers:
        there = ", ".join(receivers) or "none"
        yield (*place, "receiver"), f"there is no receiver {route.receiver!r} (there are: {there})"
    for key in ("mute_time_intervals", "active_time_intervals"):
        yield from _unknown_intervals(place, key, route, named)


def faults_of_priorities(rules: Sequence[PriorityRule], named: Sequence[str]) -> Iterator[Fault]:
    for number, rule in enumerate(rules):
        yield from _unknown_intervals(("priorities", number), "active_time_intervals", rule, named)


def _unknown_intervals(place: Place, key: str, holder: object, named: Sequence[str]) -> Iterator[Fault]:
    for number, name in enumerate(getattr(holder, key)):
        if name not in named:
            there = ", ".join(named) or "none"
            yield (*place, key, number), f"there is no time interval {name!r} (there are: {there})"


def _faults_of_root(route: Route) -> Iterator[Fault]:
    if not route.receiver:
        yield ("route",), "names no receiver for what no route below it takes"
    for key in ("matchers", "match", "match_re", "mute_time_intervals", "active_time_intervals"):
        if getattr(route, key):
            yield ("route", key), "stands in routes below this one only: this one takes every alert"
