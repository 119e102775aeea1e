"""Who is on call: rotations against a clock that is read minute by minute, layers, restrictions, overrides, gaps."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundsman.alerts.oncall import EVERY_DAY, Hours, Layer, Override, Rotation, Schedule, Shift, Span, shifts, who

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY, WEEK = (timedelta(**{unit: 1}) for unit in ("minutes", "hours", "days", "weeks"))
WEEKDAYS = frozenset(range(5))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def rotation(people: str, **changes: object) -> Rotation:
    given: dict[str, object] = {
        "zone": BERLIN, "start": date(2026, 3, 2), "length": DAY, "at": time(9),
    }  # fmt: skip
    return Rotation(tuple(people.split()), **{**given, **changes})  # type: ignore[arg-type]


def schedule(*layers: Layer) -> Schedule:
    return Schedule("database", layers)


def listed(found: list[Shift], zone: ZoneInfo = BERLIN) -> list[str]:
    return [f"{one.start.astimezone(zone):%m-%d %H:%M} {'+'.join(one.people) or 'nobody'}" for one in found]


def test_a_hand_over_at_nine_stays_at_nine_when_the_clocks_change() -> None:
    for first, second in (("2026-03-28", "2026-03-30"), ("2026-10-24", "2026-10-26")):
        found = shifts(schedule(rotation("alice bob")), berlin(first), berlin(second))
        assert {one.start.astimezone(BERLIN).time() for one in found[1:]} == {time(9)}
        assert len(found) == 3


def test_a_hand_over_that_the_clock_skips_comes_later_once() -> None:
    found = shifts(
        schedule(rotation("alice bob", at=time(2, 30))), berlin("2026-03-28T12:00"), berlin("2026-03-30T12:00")
    )
    assert listed(found) == ["03-28 12:00 alice", "03-29 03:30 bob", "03-30 02:30 alice"]


def test_a_hand_over_that_the_clock_shows_twice_happens_the_first_time_only() -> None:
    found = shifts(
        schedule(rotation("alice bob", at=time(2, 30))), berlin("2026-10-24T12:00"), berlin("2026-10-26T12:00")
    )
    assert [one.start for one in found[1:]] == [utc("2026-10-25T00:30"), utc("2026-10-26T01:30")]


def test_a_week_is_handed_over_on_its_weekday() -> None:
    thursday = rotation("alice bob", start=date(2026, 11, 5), length=WEEK, weekday=0)
    found = shifts(schedule(thursday), berlin("2026-11-05"), berlin("2026-11-17"))
    assert listed(found) == ["11-05 00:00 nobody", "11-05 09:00 alice", "11-09 09:00 bob", "11-16 09:00 alice"]


def test_half_days_keep_to_the_clock_on_the_wall() -> None:
    found = shifts(schedule(rotation("alice bob", length=12 * HOUR)), berlin("2026-03-28T21:00"), berlin("2026-03-30"))
    assert listed(found) == ["03-28 21:00 bob", "03-29 09:00 alice", "03-29 21:00 bob"]
    assert found[0].end - found[0].start == 11 * HOUR


def test_the_sun_is_followed() -> None:
    day = Hours(EVERY_DAY, time(8), time(20))
    europe = rotation("alice", hours=[day])
    india = rotation("ravi", zone=ZoneInfo("Asia/Kolkata"), hours=[day])
    found = shifts(schedule(india, europe), utc("2026-11-02"), utc("2026-11-03"))
    assert listed(found, ZoneInfo("UTC")) == [
        "11-02 00:00 nobody", "11-02 02:30 ravi", "11-02 07:00 alice", "11-02 19:00 nobody",
    ]  # fmt: skip


def test_a_restriction_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    nights = rotation("alice", hours=[Hours(WEEKDAYS, time(22), time(6))])
    found = shifts(schedule(nights), berlin("2026-11-06T12:00"), berlin("2026-11-10T00:00"))
    assert listed(found) == [
        "11-06 12:00 nobody", "11-06 22:00 alice", "11-07 06:00 nobody", "11-09 22:00 alice",
    ]  # fmt: skip


def test_restrictions_that_overlap_are_one() -> None:
    both = rotation("alice", hours=[Hours(EVERY_DAY, time(8), time(12)), Hours(EVERY_DAY, time(10), time(14))])
    found = shifts(schedule(both), berlin("2026-11-06"), berlin("2026-11-07"))
    assert listed(found) == ["11-06 00:00 nobody", "11-06 08:00 alice", "11-06 14:00 nobody"]


def test_a_later_layer_counts_where_it_has_somebody() -> None:
    base = rotation("alice", length=WEEK)
    evenings = rotation("bob", hours=[Hours(WEEKDAYS, time(18), time())])
    found = shifts(schedule(base, evenings), berlin("2026-11-06T12:00"), berlin("2026-11-07T12:00"))
    assert listed(found) == ["11-06 12:00 alice", "11-06 18:00 bob", "11-07 00:00 alice"]


def override(person: str, start: str, end: str, made: str = "2026-11-01", of: str = "database") -> Override:
    return Override(of, person, berlin(start), berlin(end), "ill", "anna", utc(made))


def test_overrides_stand_above_all_and_the_newest_above_the_others() -> None:
    one = schedule(rotation("alice"))
    old = override("bob", "2026-11-06T10:00", "2026-11-06T14:00")
    new = override("carol", "2026-11-06T12:00", "2026-11-06T13:00", made="2026-11-02")
    elsewhere = override("dave", "2026-11-06T10:00", "2026-11-06T14:00", of="web")
    found = shifts(one, berlin("2026-11-06T09:00"), berlin("2026-11-06T15:00"), [new, elsewhere, old])
    assert listed(found) == [
        "11-06 09:00 alice", "11-06 10:00 bob", "11-06 12:00 carol", "11-06 13:00 bob", "11-06 14:00 alice",
    ]  # fmt: skip
    assert who(one, berlin("2026-11-06T12:00"), [old, new]) == ("carol",)
    assert who(one, berlin("2026-11-06T13:00"), [old, new]) == ("bob",)


def test_a_rotation_that_has_not_begun_is_a_gap() -> None:
    assert who(schedule(rotation("alice")), berlin("2026-03-02T08:59")) == ()
    assert who(schedule(rotation("alice")), berlin("2026-03-02T09:00")) == ("alice",)
    assert listed(shifts(schedule(), berlin("2026-11-06"), berlin("2026-11-07"))) == ["11-06 00:00 nobody"]


class _Fixed:
    """What a calendar with two events at the same time is to a schedule."""

    def spans(self, start: datetime, end: datetime) -> list[Span]:
        return [Span(utc("2026-11-06T08:00"), utc("2026-11-06T12:00"), name) for name in ("bob", "alice", "bob")]


def test_a_calendar_may_have_several_people_at_once() -> None:
    assert who(schedule(_Fixed()), utc("2026-11-06T09:00")) == ("alice", "bob")


# A quarter of a year around each change of Lord Howe's clock (half an hour) and of Berlin's.
ZONES = {
    "Europe/Berlin": [utc("2026-03-25"), utc("2026-10-21")],
    "Australia/Lord_Howe": [utc("2026-04-01"), utc("2026-10-01")],
    "America/St_Johns": [utc("2026-03-05"), utc("2026-10-29")],
}
STEP = 15 * MINUTE


@cache
def wall(zone: str, start: datetime) -> list[tuple[datetime, datetime]]:
    """What the clock on the wall shows, read all the time for two weeks."""
    moments = [start + n * STEP for n in range(14 * 96)]
    return [(at, at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for at in moments]


def happens(local: datetime, clock: list[tuple[datetime, datetime]]) -> datetime:
    """When that clock shows the time first; if never, as long after it was last earlier as the time is later."""
    for (at, seen), (_, after) in pairwise(clock):
        if seen == local:
            return at
        if seen < local < after:
            return at + (local - seen)
    raise AssertionError(local)


@settings(max_examples=30, deadline=None)
@given(
    zone=st.sampled_from(sorted(ZONES)),
    which=st.integers(0, 1),
    at=st.times().map(lambda one: one.replace(minute=one.minute // 15 * 15, second=0, microsecond=0)),
    length=st.sampled_from([HOUR, 6 * HOUR, 8 * HOUR, 12 * HOUR, DAY, 36 * HOUR, 2 * DAY, WEEK]),
    people=st.integers(1, 4),
)
def test_rotations_agree_with_reading_the_clock(
    zone: str, which: int, at: time, length: timedelta, people: int
) -> None:
    clock = wall(zone, ZONES[zone][which])
    begin = clock[0][1].date() + DAY
    names = [f"p{n}" for n in range(people)]
    turning = schedule(Rotation(names, ZoneInfo(zone), begin, length, at))
    local, hand_overs = datetime.combine(begin, at), []
    while local < clock[-1][1] - DAY:
        hand_overs.append(happens(local, clock))
        local += length
    end = hand_overs[-1]
    for moment in (moment for moment, _ in clock[::7] if moment < end):
        turn = sum(1 for one in hand_overs if one <= moment) - 1
        assert who(turning, moment) == ((names[turn % people],) if turn >= 0 else ())
    whole = shifts(turning, clock[0][0], end)
    # Of two that fall on one moment, because the clock skips it, the first is nobody's turn.
    turns = {one: names[turn % people] for turn, one in enumerate(hand_overs) if one < end}
    expected = [one for one, before in zip(turns, [None, *turns.values()], strict=False) if turns[one] != before]
    assert [one.start for one in whole[1:]] == expected


@settings(max_examples=30, deadline=None)
@given(
    start=st.timedeltas(timedelta(), 330 * DAY).map(lambda one: utc("2026-01-01") + one),
    length=st.timedeltas(MINUTE, 20 * DAY),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    begin=st.times(),
    end=st.times(),
    weekday=st.none() | st.integers(0, 6),
)
def test_shifts_have_no_seam_and_agree_with_who(
    start: datetime, length: timedelta, days: frozenset[int], begin: time, end: time, weekday: int | None
) -> None:
    plan = schedule(
        rotation("alice bob", weekday=weekday, length=WEEK), rotation("carol dave", hours=[Hours(days, begin, end)])
    )
    found = shifts(plan, start, start + length)
    assert (found[0].start, found[-1].end) == (start, start + length)
    for one, following in pairwise(found):
        assert one.end == following.start
        assert one.people != following.people
    for one in found:
        assert who(plan, one.start) == who(plan, one.end - timedelta.resolution) == one.people


@pytest.mark.parametrize("at", ["2026-03-29T01:30", "2026-10-25T00:30", "2026-10-25T01:30"])
def test_somebody_is_on_call_while_the_clocks_change(at: str) -> None:
    assert len(who(schedule(rotation("alice bob", length=HOUR)), utc(at))) == 1
