"""Alertmanager's time intervals: recurring times by the clock on some wall, exact over changes of that clock."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

Range = tuple[int, int]  # both ends included, but for the minutes of a day

_DAY_MINUTES = 24 * 60
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip


@dataclass(frozen=True)
class Interval:
    """The moments that fulfil every condition; one that is None is none, an empty one is never fulfilled."""

    times: Sequence[Range] | None = None
    weekdays: Sequence[Range] | None = None
    days_of_month: Sequence[Range] | None = None
    months: Sequence[Range] | None = None
    years: Sequence[Range] | None = None
    location: tzinfo = UTC

    def contains(self, at: datetime) -> bool:
        local = at.astimezone(self.location)
        length = monthrange(local.year, local.month)[1]
        minute = local.hour * 60 + local.minute
        return (
            _within(self.times and [(begin, end - 1) for begin, end in self.times], minute)
            and _within(self.weekdays, local.isoweekday() % 7)
            and _within(self.days_of_month and [_from_start(days, length) for days in self.days_of_month], local.day)
            and _within(self.months, local.month)
            and _within(self.years, local.year)
        )


# By name, as `time_intervals` in a configuration: any of the list will do.
Intervals = Mapping[str, Sequence[Interval]]


def containing(names: Sequence[str], at: datetime, intervals: Intervals) -> tuple[str, ...]:
    """Those of the named intervals that contain the moment; a name that means nothing contains none."""
    return tuple(name for name in names if any(one.contains(at) for one in intervals.get(name, ())))


def _within(ranges: Sequence[Range] | None, value: int) -> bool:
    return ranges is None or any(begin <= value <= end for begin, end in ranges)


def _from_start(days: Range, length: int) -> Range:
    """Negative days count from the end of the month: -1 is its last."""
    begin, end = (day if day > 0 else length + day + 1 for day in days)
    return begin, end


def clock_range(start_time: str, end_time: str) -> Range:
    """`09:00` to `17:00`, without its last minute; `24:00` ends a day. Raises ValueError like those below."""
    begin, end = _minute(start_time), _minute(end_time)
    if begin >= end:
        raise ValueError(f"{start_time} is not before {end_time}; write a time over midnight as two")
    return begin, end


def _minute(text: str) -> int:
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)|24:00", text)
    if match is None:
        raise ValueError(f"{text!r} is no time of day; write for example 09:00")
    return int(match[1]) * 60 + int(match[2]) if match[1] else _DAY_MINUTES


def weekday_range(text: str) -> Range:
    """`monday:friday` or `sunday`; weeks begin on Sunday."""
    begin, end = _ends(text)
    if begin not in WEEKDAYS or end not in WEEKDAYS:
        raise ValueError(f"{text!r} is no day of the week; write for example monday:friday")
    return _ordered(text, WEEKDAYS.index(begin), WEEKDAYS.index(end))


def month_range(text: str) -> Range:
    """`january:march`, `1:3` or `12`."""
    names = [str(MONTHS.index(end) + 1) if end in MONTHS else end for end in _ends(text)]
    return _ordered(text, *_numbers(text, names, range(1, 13), "month"))


def year_range(text: str) -> Range:
    """`2026:2030` or `2026`."""
    return _ordered(text, *_numbers(text, _ends(text), range(1, 10000), "year"))


def day_of_month_range(text: str) -> Range:
    """`1:5`, `-3:-1` or `15`."""
    days = [day for day in range(-31, 32) if day]
    begin, end = _numbers(text, _ends(text), days, "day of a month")
    if begin < 0 < end:
        raise ValueError(f"{text}: the end must be negative, too")
    # In the shortest month, so that what passes here is in order in most.
    _ordered(text, *(day if day > 0 else 28 + day for day in (begin, end)))
    return begin, end


def _ends(text: str) -> tuple[str, str]:
    begin, colon, end = text.lower().partition(":")
    return begin, end if colon else begin


def _numbers(text: str, ends: Sequence[str], allowed: Sequence[int], what: str) -> Range:
    if not all(re.fullmatch(r"-?\d{1,4}", end) and int(end) in allowed for end in ends):
        raise ValueError(f"{text!r} is no {what}")
    return int(ends[0]), int(ends[1])


def _ordered(text: str, begin: int, end: int) -> Range:
    if begin > end:
        raise ValueError(f"{text}: ends before it begins; write it as two")
    return begin, end
