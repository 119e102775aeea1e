"""Who is on call: the schedules of roundsman.yml with their calendars, and the overrides in the store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from .alerts import oncall
from .alerts.ical import Calendar
from .alerts.oncall import Override, Schedule, Shift
from .calendars import Calendars
from .config import Settings
from .times import seconds
from .words import counted

# Long enough to find somebody for it.
AHEAD = timedelta(days=30)


@dataclass(frozen=True)
class Duty:
    """All that is known about who is on call, as of a moment."""

    settings: Settings
    now: datetime
    schedules: Mapping[str, Schedule]
    overrides: Mapping[int, Override]
    faults: Sequence[str]

    def who(self, name: str) -> tuple[str, ...]:
        """The people, or the receiver, that the name of a person, a schedule or a receiver means now."""
        schedule = self.schedules.get(name)
        return (name,) if schedule is None else oncall.who(schedule, self.now, self._overrides)

    def shifts(self, name: str, end: datetime) -> list[Shift]:
        return oncall.shifts(self.schedules[name], self.now, end, self._overrides)

    def zone(self, name: str) -> ZoneInfo:
        return next(one.zone for one in self.settings.alerts.schedules if one.name == name)

    def warnings(self) -> Iterator[str]:
        """What a person should mend before it is night."""
        yield from self.faults
        for name, schedule in self.schedules.items():
            gaps = [shift for shift in self.shifts(name, self.now + AHEAD) if not shift.people]
            if gaps:
                yield f"{name}: {self._gaps(gaps, self.zone(name))}"
            for layer in schedule.layers:
                if isinstance(layer, Calendar):
                    for title in layer.strangers(self.now, self.now + AHEAD):
                        yield f"{name}: nobody in alerts.people is meant by {title!r} in its calendar"
        for number, one in self.overrides.items():
            if one.schedule not in self.schedules or one.person not in self.settings.alerts.people:
                gone = one.schedule if one.schedule not in self.schedules else one.person
                yield f"override {number} is about {gone}, and roundsman.yml has none of that name"

    def _gaps(self, gaps: Sequence[Shift], zone: ZoneInfo) -> str:
        first, last = (at.astimezone(zone) for at in (gaps[0].start, gaps[0].end))
        until = "" if gaps[0].end == self.now + AHEAD else f" until {last:%a %Y-%m-%d %H:%M}"
        more = f", and {counted(len(gaps) - 1, 'time')} more within {AHEAD.days} days" if len(gaps) > 1 else ""
        return f"nobody is on call from {first:%a %Y-%m-%d %H:%M}{until} ({zone}){more}"

    @property
    def _overrides(self) -> Sequence[Override]:
        """One for somebody who is gone must not hide who would be on call."""
        return [one for one in self.overrides.values() if one.person in self.settings.alerts.people]


def duty(settings: Settings, overrides: Mapping[int, Override], now: datetime) -> Duty:
    """As of now. Calendars may be fetched, which takes time: no transaction should wait for it."""
    calendars = Calendars(settings.state_dir / "calendars", now)
    alerts = settings.alerts
    schedules = {one.name: one.schedule(alerts.people, calendars.read) for one in alerts.schedules}
    return Duty(settings, now, schedules, overrides, calendars.faults)


def moment(text: str, base: datetime, zone: ZoneInfo, *, ends: bool = False) -> datetime:
    """A moment as people write it: `2026-12-24T18:00` in the zone, a whole day, RFC 3339, or `8h` after `base`.

    Raises ValueError with what is wrong.
    """
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            day = datetime.fromisoformat(text) + timedelta(days=1 if ends else 0)
            return day.replace(tzinfo=zone).astimezone(UTC)
        if "T" in text:
            at = datetime.fromisoformat(text)
            return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
        return base + timedelta(seconds=seconds(text))
    except (ValueError, OverflowError):
        raise ValueError("is no time; write for example 2026-12-24, 2026-12-24T18:00 or 8h") from None
