"""An on-call calendar that somebody else keeps: each event is the time of the people whom it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from roundsman.alerts.oncall import DAY, Span

if TYPE_CHECKING:
    from icalendar import Calendar as Parsed
    from icalendar import Event

# What a calendar that has to be fetched begins with; every other one is a file.
REMOTE = ("https://", "http://", "webcal://")
# No shift recurs so often, and listing all that such a rule means would take for ever.
_TOO_OFTEN = re.compile(r"FREQ=(SECONDLY|MINUTELY)|INTERVAL=0+(?!\d)", re.IGNORECASE)
_FOLD = re.compile(r"\r?\n[ \t]")


class CalendarError(Exception):
    """The text is no calendar that can be used; says why."""


@dataclass(frozen=True)
class Calendar:
    """A layer of a schedule. Times without a zone, and whole days, are read in the schedule's."""

    text: str
    zone: ZoneInfo
    # person -> what else calendars call that person: full names, mail addresses.
    people: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def spans(self, start: datetime, end: datetime) -> Sequence[Span]:
        """Raises CalendarError."""
        return [Span(begin, over, one) for begin, over, event in self._events(start, end) for one in self._named(event)]

    def strangers(self, start: datetime, end: datetime) -> list[str]:
        """Titles of events between the two that name nobody who is known."""
        named_by = [(self._named(event), event) for _, _, event in self._events(start, end)]
        return sorted({str(event.get("SUMMARY", "without a title")) for people, event in named_by if not people})

    def _events(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, Event]]:
        import recurring_ical_events  # noqa: PLC0415 - takes long to import, and few have calendars

        # Whole days and times without a zone are meant in ours, which the library takes for UTC.
        try:
            events = recurring_ical_events.of(self._parsed).between(start - DAY, end + DAY)
            found = [(self._moment(event.start), self._moment(event.end), event) for event in events]
        except CalendarError:
            raise
        except Exception as error:  # what somebody else wrote may break these libraries in any way
            raise CalendarError(f"has an event that cannot be understood: {type(error).__name__}: {error}") from error
        for begin, over, event in found:
            if begin < end and over > start and event.get("STATUS") != "CANCELLED":
                yield begin, over, event

    @cached_property
    def _parsed(self) -> Parsed:
        """Raises CalendarError."""
        return parse(self.text)

    def _moment(self, at: date | datetime) -> datetime:
        moment = at if isinstance(at, datetime) else datetime.combine(at, datetime.min.time())
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).astimezone(UTC)

    def _named(self, event: Event) -> list[str]:
        mails = {str(mail).lower().removeprefix("mailto:") for mail in _listed(event.get("ATTENDEE"))}
        title = str(event.get("SUMMARY", ""))
        return [
            person
            for person, others in self.people.items()
            if any(name.lower() in mails or _mentions(title, name) for name in (person, *others))
        ]


def parse(text: str) -> Parsed:
    """The calendar of a text. Raises CalendarError."""
    from icalendar import Calendar as Parsed  # noqa: PLC0415 - takes long to import, and few have calendars

    if _TOO_OFTEN.search(_FOLD.sub("", text)):
        raise CalendarError("has an event that recurs every minute or second")
    try:
        return Parsed.from_ical(text)
    except ValueError as error:
        raise CalendarError(f"is no calendar: {error}") from error


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _mentions(title: str, name: str) -> bool:
    """As a whole word: `ann` is not meant by `On call: Anna`."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", title, re.IGNORECASE) is not None
