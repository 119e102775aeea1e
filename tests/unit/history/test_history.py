"""What checks measured is kept once, condensed as it ages, and gone in the end; clocks may be wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from roundsman import ledger
from roundsman.store import Store, history, schema

from ..ledger.builders import Run, check

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEEP = history.Retention(timedelta(days=2), timedelta(days=42), timedelta(days=400))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/store.db")


def measured(value: object = 97.0, perfdata: str = "", name: str = "disk", unit: str = "%") -> dict[str, Any]:
    return check(name, "OK") | {"value": value, "perfdata": perfdata, "unit": unit}


def record(store: Store, at: datetime, *checks: dict[str, Any], host: str = "web1") -> None:
    with store.write() as tx:
        history.record(tx, host, at, checks)


def condense(store: Store, now: datetime, most: int = 100) -> int:
    with store.write() as tx:
        return history.condense(tx, now, KEEP, most)


def values(store: Store, label: str = "", since: datetime = datetime(2000, 1, 1, tzinfo=UTC)) -> list[float]:
    with store.read() as tx:
        return [value for _at, value in history.points(tx, "web1", "disk", label, since)]


def count(store: Store, *tables: sa.Table) -> list[int]:
    with store.read() as tx:
        return [tx.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in tables]


ALL = (schema.series, schema.samples, schema.hourly, schema.daily)


def test_the_value_and_every_item_of_performance_data_is_a_series(store: Store) -> None:
    record(store, NOW, measured(97.0, "'used'=97%;80;95 '/ free'=3GB broken=U"))
    with store.read() as tx:
        named = [(row["check"], row["label"], row["unit"]) for row in history.series(tx, "web1")]
        assert history.series(tx, "web2") == []
        assert history.points(tx, "web1", "disk", "/ free", NOW) == [(NOW, 3.0)]
        assert history.points(tx, "web1", "disk", "", NOW + timedelta(seconds=1)) == []
        assert history.points(tx, "web1", "disk", "", NOW, until=NOW - timedelta(seconds=1)) == []
    assert named == [("disk", "", "%"), ("disk", "/ free", "GB"), ("disk", "used", "%")]


def test_a_ledger_read_twice_is_kept_once_and_check_mode_never(store: Store, tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    Run().health("web1", disk="OK").finish(web1={}).write(directory)
    Run("20261123T030000Z-00cafe", check_mode=True).health("web1", disk="OK").write(directory)
    for _time in range(2):
        ledger.catch_up(store, directory, NOW)
    assert count(store, *ALL) == [1, 1, 0, 0]
    with store.write() as tx:
        tx.execute(sa.update(schema.runs).values(offset_bytes=0, seq=0, closed=False))
        tx.execute(sa.delete(schema.entries))
    ledger.catch_up(store, directory, NOW)
    assert count(store, *ALL) == [1, 1, 0, 0]


@pytest.mark.parametrize("value", [None, True, math.nan, math.inf, 10**400, "97", [1]])
def test_what_is_no_number_is_no_measurement(store: Store, value: object) -> None:
    record(store, NOW, measured(value))
    assert count(store, *ALL) == [0, 0, 0, 0]


def test_labels_that_a_plugin_invents_do_not_fill_the_store(store: Store) -> None:
    for minute in range(3):
        items = " ".join(f"'pid {minute * 90 + n}'=1" for n in range(90))
        record(store, NOW + timedelta(minutes=minute), measured(1, items), measured(2, name="load"))
    assert count(store, schema.series) == [history.MOST_LABELS + 1]
    assert len(values(store)) == 3


def test_measurements_age_into_hours_into_days_into_nothing(store: Store) -> None:
    for minutes in range(0, 180, 5):
        record(store, NOW + timedelta(minutes=minutes), measured(float(minutes)))
    assert condense(store, NOW) == 0
    assert count(store, *ALL) == [1, 36, 0, 0]

    assert condense(store, NOW + timedelta(days=2, hours=2)) == 1
    assert count(store, *ALL) == [1, 12, 2, 0]
    assert values(store) == pytest.approx([27.5, 87.5, *range(120, 180, 5)])
    with store.read() as tx:
        spans = [tuple(row)[1:] for row in tx.execute(sa.select(schema.hourly).order_by(schema.hourly.c.at))]
        at = [at for at, _value in history.points(tx, "web1", "disk", "", NOW)]
    start = int(NOW.timestamp())
    approximately = [pytest.approx(27.5), pytest.approx(87.5)]
    expected = [(start, 12, 0.0, 55.0), (start + 3600, 12, 60.0, 115.0)]
    assert spans == [(*rest, mean) for rest, mean in zip(expected, approximately, strict=True)]
    assert at[:3] == [NOW + timedelta(minutes=30), NOW + timedelta(minutes=90), NOW + timedelta(minutes=120)]

    condense(store, NOW + timedelta(days=43, hours=12))
    assert count(store, *ALL) == [1, 0, 0, 1]
    assert values(store) == [pytest.approx(87.5)]
    condense(store, NOW + timedelta(days=402))
    assert count(store, *ALL) == [0, 0, 0, 0]


def test_what_comes_late_joins_its_hour(store: Store) -> None:
    record(store, NOW, measured(10.0))
    later = NOW + timedelta(days=3)
    condense(store, later)
    record(store, NOW + timedelta(minutes=1), measured(30.0))
    condense(store, later + timedelta(days=2))
    assert count(store, *ALL) == [1, 0, 1, 0]
    assert values(store) == [20.0]


def test_a_sample_from_the_future_is_kept_and_blocks_nothing(store: Store) -> None:
    ahead = NOW + timedelta(days=700)
    record(store, NOW, measured(1.0))
    record(store, ahead, measured(2.0))
    record(store, ahead, measured(5.0, name="load"))  # first measured while the clock was wrong
    record(store, NOW, measured(6.0, name="load"))
    later = NOW + timedelta(days=4)
    assert condense(store, later) == 2
    assert condense(store, later) == 0
    assert count(store, *ALL) == [2, 2, 2, 0]
    assert values(store) == [1.0, 2.0]
    with store.read() as tx:
        assert [value for _at, value in history.points(tx, "web1", "disk", "", NOW, until=later)] == [1.0]


def test_turns_are_bounded_and_everybody_gets_one(store: Store) -> None:
    for number in range(5):
        record(store, NOW + timedelta(seconds=number), measured(name=f"check{number}"))
    later = NOW + timedelta(days=4)
    turns = [condense(store, later, most=2) for _turn in range(4)]
    assert turns == [2, 2, 1, 0]
    assert count(store, *ALL) == [5, 0, 5, 0]


def test_a_unit_that_changed_begins_a_series_of_its_own(store: Store) -> None:
    record(store, NOW, measured(1.0, unit="s"))
    record(store, NOW + timedelta(minutes=5), measured(1000.0, unit="ms"))
    assert values(store) == [1000.0]


def test_one_killed_in_the_middle_of_it_leaves_all_as_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for hour in range(3):
        record(store, NOW + timedelta(hours=hour), measured(float(hour)))
    moves: list[str] = []
    real = history._move

    def dies(tx: Any, one: int, source: sa.Table, *rest: Any) -> None:
        real(tx, one, source, *rest)
        moves.append(source.name)
        raise KeyboardInterrupt

    monkeypatch.setattr(history, "_move", dies)
    with pytest.raises(KeyboardInterrupt):
        condense(store, NOW + timedelta(days=3))
    monkeypatch.setattr(history, "_move", real)
    assert (moves, count(store, *ALL)) == (["samples"], [1, 3, 0, 0])
    condense(store, NOW + timedelta(days=3))
    assert count(store, *ALL) == [1, 0, 3, 0]


def test_an_entry_that_holds_garbage_is_kept_and_the_others_are_read(store: Store, tmp_path: Path) -> None:
    run = Run().add("health", host="web1", ok=True, data={"checks": [{"id": 5, "value": 1, "perfdata": ["x"]}]})
    run.health("web1", disk="OK").finish(web1={}).write(tmp_path / "ledger")
    ledger.catch_up(store, tmp_path / "ledger", NOW)
    assert values(store) == [97.0]


def test_the_size_that_the_documentation_states(store: Store, tmp_path: Path) -> None:
    """A year and more of rounds every five minutes, as it lies in the store when all tables are full."""
    page = Path(__file__).parents[3] / "docs/views.md"
    stated_kb = next(int(line.split()[1]) for line in page.read_text().splitlines() if line.startswith("About "))
    rows: dict[sa.Table, Sequence[dict[str, Any]]] = {
        schema.samples: [{"value": n / 7} for n in range(2 * 288 + 288)],
        schema.hourly: [{"n": 12, "low": n / 7, "high": n / 3, "mean": n / 5} for n in range(42 * 24)],
        schema.daily: [{"n": 288, "low": n / 7, "high": n / 3, "mean": n / 5} for n in range(400)],
    }
    kinds = 20
    record(store, NOW, *(measured(name=f"check{n}") for n in range(kinds)))
    with store.write() as tx:
        for table, measurements in rows.items():
            step_s = {"samples": 300, "hourly": 3600, "daily": 86400}[table.name]
            # As they come: one of each series at a time, which leaves the pages of the store less full.
            for n, row in enumerate(measurements):
                at = int(NOW.timestamp()) - 400 * 86400 + n * step_s
                tx.execute(sa.insert(table), [{"series": one, "at": at, **row} for one in range(1, kinds + 1)])
    with store.read() as tx:
        pages = tx.scalar(sa.text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"))
    assert pages is not None
    assert pages / kinds / 1000 == pytest.approx(stated_kb, rel=0.15), json.dumps(pages)
