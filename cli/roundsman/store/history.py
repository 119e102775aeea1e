"""What checks measured, over time: as it came for some days, then by the hour, then by the day, then no more.

A measurement is in one of the three tables at any time, so that reading them together counts nothing twice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from .. import perfdata
from .database import Row, Transaction, rows
from .downsample import DAY_S, HOUR_S, Span, downsample, sample
from .schema import daily, hourly, samples
from .schema import series as series_table

# A plugin that invents labels (with a process id, say) must not fill the store.
MOST_LABELS = 100
CONDENSE_EVERY = timedelta(days=1)
SERIES_PER_TURN = 250

# (check, label, unit): the label is that of an item of performance data, or empty for the value that is judged.
Name = tuple[str, str, str]
# (host, check, label)
Measured = tuple[str, str, str]


@dataclass(frozen=True)
class Retention:
    """How old a measurement gets as it came, by the hour, by the day."""

    raw: timedelta
    hourly: timedelta
    daily: timedelta


def record(tx: Transaction, host: str, at: datetime, checks: Iterable[Mapping[str, Any]]) -> None:
    """Keep what a host's check results measured at one time. Keeping them again changes nothing."""
    at_s = _seconds(at)
    found = list(_measurements(checks))
    known = _ids(tx, host)
    if new := _new(known, (name for name, _ in found)):
        values = [dict(zip(("check", "label", "unit"), name, strict=True)) for name in new]
        tx.execute(sa.insert(series_table), [{"host": host, "condensed_at": at_s, **one} for one in values])
        known = _ids(tx, host)
    taken = [{"series": known[name], "at": at_s, "value": value} for name, value in found if name in known]
    if taken:
        tx.execute(insert(samples).on_conflict_do_nothing(), taken)


def _ids(tx: Transaction, host: str) -> dict[Name, int]:
    return {(row["check"], row["label"], row["unit"]): row["id"] for row in series(tx, host)}


def _new(known: Collection[Name], names: Iterable[Name]) -> list[Name]:
    """The names that get a series of their own, which are so many of each check at most."""
    labels = Counter(check for check, _label, _unit in known)
    new: dict[Name, None] = {}
    for name in names:
        if name not in known and name not in new and labels[name[0]] < MOST_LABELS:
            labels[name[0]] += 1
            new[name] = None
    return list(new)


def series(tx: Transaction, host: str) -> list[Row]:
    """`id, host, check, label, unit, condensed_at` of everything that is measured on a host."""
    query = sa.select(series_table).where(series_table.c.host == host)
    return rows(tx.execute(query.order_by(series_table.c.check, series_table.c.label, series_table.c.unit)))


def points(
    tx: Transaction, host: str, check: str, label: str, since: datetime, until: datetime | None = None
) -> list[tuple[datetime, float]]:
    """(when, value) of one measurement, oldest first."""
    wanted = sa.and_(series_table.c.host == host, series_table.c.check == check, series_table.c.label == label)
    return points_of(tx, wanted, [(since, until)]).get((host, check, label), [])


def values_of(hosts: Collection[str]) -> sa.ColumnElement[bool]:
    """The series of the values that thresholds judge."""
    return sa.and_(series_table.c.host.in_(hosts), series_table.c.label == "")


def exactly(keys: Collection[Measured]) -> sa.ColumnElement[bool]:
    """The series of these hosts, checks and labels."""
    return sa.tuple_(series_table.c.host, series_table.c.check, series_table.c.label).in_(list(keys))


def points_of(
    tx: Transaction, wanted: sa.ColumnElement[bool], windows: Iterable[tuple[datetime, datetime | None]]
) -> dict[Measured, list[tuple[datetime, float]]]:
    """(when, value), oldest first, inside the windows, of all the series that are wanted.

    An hour or a day that was condensed stands in its middle, with its mean. Where the unit changed meanwhile, what was
    measured last counts.
    """
    ids = sa.select(series_table.c.id).where(wanted)
    tiers = ((samples, 0, samples.c.value), (hourly, HOUR_S // 2, hourly.c.mean), (daily, DAY_S // 2, daily.c.mean))
    found: dict[int, list[tuple[int, float]]] = {}
    for since, until in windows:
        for tier, middle, value in tiers:
            query = sa.select(tier.c.series, tier.c.at, value).where(
                tier.c.series.in_(ids), tier.c.at >= _seconds(since) - middle
            )
            chosen = tx.execute(query if until is None else query.where(tier.c.at <= _seconds(until) - middle))
            for one, at, number in chosen.all():
                found.setdefault(one, []).append((at + middle, number))
    named = {}
    for row in tx.execute(sa.select(series_table).where(wanted)):
        if measured := found.get(row.id):
            named[max(measured), row.id] = (row.host, row.check, row.label)
    # In the order of their newest: the last of one name stays.
    return {
        name: [(datetime.fromtimestamp(at, UTC), value) for at, value in sorted(found[one])]
        for (_newest, one), name in sorted(named.items())
    }


def condense(tx: Transaction, now: datetime, keep: Retention, most: int = SERIES_PER_TURN) -> int:
    """Condense what is due, at most `most` series, the longest forgotten first; how many it were.

    A series that nobody writes any more vanishes when its last measurement is too old.
    """
    now_s = _seconds(now)
    turn = series_table.c.condensed_at
    # One from the future was condensed when the clock was wrong.
    due = sa.or_(turn < now_s - _whole(CONDENSE_EVERY), turn > now_s)
    ids = list(tx.scalars(sa.select(series_table.c.id).where(due).order_by(turn).limit(most)))
    for one in ids:
        _move(tx, one, samples, hourly, now_s - _whole(keep.raw), HOUR_S)
        _move(tx, one, hourly, daily, now_s - _whole(keep.hourly), DAY_S)
        tx.execute(sa.delete(daily).where(daily.c.series == one, daily.c.at < now_s - _whole(keep.daily)))
        tx.execute(sa.update(series_table).where(series_table.c.id == one).values(condensed_at=now_s))
    empty = [~sa.exists().where(tier.c.series == series_table.c.id) for tier in (samples, hourly, daily)]
    tx.execute(sa.delete(series_table).where(series_table.c.id.in_(ids), *empty))
    return len(ids)


def _move(tx: Transaction, one: int, source: sa.Table, target: sa.Table, before_s: int, step_s: int) -> None:
    """Whole steps from a finer table into a coarser one, joined with what is there already."""
    old = sa.and_(source.c.series == one, source.c.at < before_s // step_s * step_s)
    moved = _spans(tx, sa.select(source).where(old))
    if not moved:
        return
    begin = min(span.at for span in moved) // step_s * step_s
    there = _spans(tx, sa.select(target).where(target.c.series == one, target.c.at >= begin))
    steps = {span.at // step_s for span in moved}
    joined = downsample([*moved, *(span for span in there if span.at // step_s in steps)], step_s)
    upsert = insert(target)
    replaced = {column: upsert.excluded[column] for column in ("n", "low", "high", "mean")}
    tx.execute(
        upsert.on_conflict_do_update(index_elements=["series", "at"], set_=replaced),
        [{"series": one, **vars(span)} for span in joined],
    )
    tx.execute(sa.delete(source).where(old))


def _spans(tx: Transaction, query: sa.Select[Any]) -> list[Span]:
    return [
        sample(row["at"], row["value"]) if "value" in row
        else Span(row["at"], row["n"], row["low"], row["high"], row["mean"])
        for row in rows(tx.execute(query))
    ]  # fmt: skip


def _measurements(checks: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Name, float]]:
    for check in checks:
        if (value := _number(check.get("value"))) is not None:
            yield (check["id"], "", check.get("unit") or ""), value
        for item in perfdata.parse(check.get("perfdata") or ""):
            yield (check["id"], item.label, item.unit), item.value


def _number(value: object) -> float | None:
    """The value as the store can hold it; a number from outside may be too large for that."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _whole(span: timedelta) -> int:
    return int(span.total_seconds())
