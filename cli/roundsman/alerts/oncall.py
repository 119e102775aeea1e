"""Who is on call when: rotations by the clock on the wall, exact over its changes.

Hand-overs are reckoned in local time and only then become moments: one at 09:00 stays at 09:00. One that the clock
skips comes as much later as was skipped; one that it shows twice happens the first time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Protocol
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True)
class Span:
    """Somebody's time, in UTC; the end is the next one's."""

    start: datetime
    end: datetime
    person: str

    def within(self, start: datetime, end: datetime) -> Span | None:
        """What of it lies between the two; None when nothing does."""
        begin, over = max(self.start, start), min(self.end, end)
        return Span(begin, over, self.person) if begin < over else None


@dataclass(frozen=True)
class Hours:
    """Part of a day, local time; until a time that is not later than its beginning is until that time next day."""

    days: frozenset[int] = EVERY_DAY  # on which it begins, Monday is 0
    start: time = time()
    end: time = time()

    def on(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
        if day.weekday() not in self.days:
            return None
        last = day if self.start < self.end else day + DAY
        return _moment(datetime.combine(day, self.start), zone), _moment(datetime.combine(last, self.end), zone)


class Layer(Protocol):
    """A part of a schedule."""

    def spans(self, start: datetime, end: datetime) -> Sequence[Span]:
        """Whose time it is between the two; what lies outside of them may be there, too."""


@dataclass(frozen=True)
class Rotation:
    """People take turns of one length, from a day on, at a time of day; a weekday moves the first hand-over there."""

    people: Sequence[str]
    zone: ZoneInfo
    start: date
    length: timedelta
    at: time
    weekday: int | None = None
    hours: Sequence[Hours] = ()

    def spans(self, start: datetime, end: datetime) -> Sequence[Span]:
        since = _moment(self._start, self.zone)
        turns = [turn for one in self._turns(start, end) if (turn := one.within(since, end))]
        if not self.hours:
            return turns
        wanted = list(self._wanted(start, end))
        return [part for turn in turns for begin, over in wanted if (part := turn.within(begin, over))]

    @property
    def _start(self) -> datetime:
        return datetime.combine(self.start, self.at)

    def _turns(self, start: datetime, end: datetime) -> Iterator[Span]:
        first = self._start
        if self.weekday is not None:
            first -= (self.start.weekday() - self.weekday) % 7 * DAY
        # One earlier than local time says, because a clock that is set back shows times again.
        turn = (_local(start, self.zone) - first) // self.length - 1
        begin = _moment(first + turn * self.length, self.zone)
        while begin < end:
            over = _moment(first + (turn + 1) * self.length, self.zone)
            yield Span(begin, over, self.people[turn % len(self.people)])
            turn, begin = turn + 1, over

    def _wanted(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        day, last = _local(start, self.zone).date() - DAY, _local(end, self.zone).date()
        found = []
        while day <= last:
            found += [hours for one in self.hours if (hours := one.on(day, self.zone))]
            day += DAY
        # Hours that overlap are one time, not two.
        over = datetime.min.replace(tzinfo=UTC)
        for begin, until in sorted(found):
            if until > over:
                yield max(begin, over), until
                over = until


@dataclass(frozen=True)
class Override:
    """Somebody is on call instead of whoever would be."""

    schedule: str
    person: str
    start: datetime
    end: datetime
    why: str
    by: str
    made_at: datetime


@dataclass(frozen=True)
class Schedule:
    """Layers, each over those before it: the last one that has somebody counts."""

    name: str
    layers: Sequence[Layer]


@dataclass(frozen=True)
class Shift:
    """A time in which the same people are on call; without any it is a gap."""

    start: datetime
    end: datetime
    people: tuple[str, ...]


def shifts(schedule: Schedule, start: datetime, end: datetime, overrides: Sequence[Override] = ()) -> list[Shift]:
    """Everything between two moments, gaps included, without a seam. Of two overrides the one made later counts."""
    changes: dict[datetime, list[tuple[int, str, int]]] = defaultdict(list, {start: [], end: []})
    for rank, span in _ranked(schedule, start, end, overrides):
        if part := span.within(start, end):
            changes[part.start].append((rank, part.person, 1))
            changes[part.end].append((rank, part.person, -1))
    on_call: defaultdict[int, Counter[str]] = defaultdict(Counter)
    found: list[Shift] = []
    for begin, over in pairwise(sorted(changes)):
        for rank, person, more in changes[begin]:
            on_call[rank][person] += more
        people = next((tuple(sorted(+on_call[rank])) for rank in sorted(on_call, reverse=True) if +on_call[rank]), ())
        since = found.pop().start if found and found[-1].people == people else begin
        found.append(Shift(since, over, people))
    return found


def who(schedule: Schedule, at: datetime, overrides: Sequence[Override] = ()) -> tuple[str, ...]:
    """Who is on call at a moment: nobody in a gap, several only when a calendar says so."""
    (shift,) = shifts(schedule, at, at + timedelta.resolution, overrides)
    return shift.people


def _ranked(
    schedule: Schedule, start: datetime, end: datetime, overrides: Sequence[Override]
) -> Iterator[tuple[int, Span]]:
    """The higher the number, the more it counts."""
    for rank, layer in enumerate(schedule.layers):
        yield from ((rank, span) for span in layer.spans(start, end))
    mine = [one for one in overrides if one.schedule == schedule.name]
    for rank, one in enumerate(sorted(mine, key=lambda one: one.made_at), start=len(schedule.layers)):
        yield rank, Span(one.start, one.end, one.person)


def _moment(local: datetime, zone: ZoneInfo) -> datetime:
    # fold=0 reads a skipped time by the clock before the change, which is later by what was skipped.
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)
