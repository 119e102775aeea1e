"""What PostgreSQL's tables and indexes need, from measurements alone."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import database_postgresql_need as need
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.database_postgresql_ask import sql_error
from hypothesis import given
from hypothesis import strategies as st

LIMITS = {
    "exclude": ["shop.audit.*"], "dead_rows": 1000, "dead_percent": 10.0, "stale_percent": 10.0,
    "wraparound_percent": 25.0, "bloat_bytes": 1 << 20, "bloat_percent": 40.0, "unused_bytes": 1 << 20,
    "unused_days": 30,
}  # fmt: skip
BIGINT = [8, 0.0, 8, "d"]
INTEGER = [4, 0.0, 4, "i"]
FLAG = [1, 0.0, 1, "c"]
TEXT = [33, 0.0, -1, "i"]


def table(**more: Any) -> dict[str, Any]:
    fresh = {
        "schema": "public", "name": "orders", "size_bytes": 1 << 30, "heap_bytes": 1 << 30, "rows": 1e6, "live": 10**6,
        "held": False,
        "dead": 0, "changed": 0, "never_analyzed": False, "wraparound_percent": 5.0, "fillfactor": 100,
        "block_bytes": 8192, "columns": [BIGINT],
    }  # fmt: skip
    return {**fresh, **more}


def index(**more: Any) -> dict[str, Any]:
    fresh = {
        "schema": "public", "table": "orders", "name": "orders_pkey", "size_bytes": 22_487_040, "rows": 1e6,
        "block_bytes": 8192, "valid": True, "partitioned": False, "method": "btree", "needed": False,
        "exclusion": False, "held": False,
        "scans": 1, "fillfactor": 90, "building": False, "leftover": False, "columns": [BIGINT],
    }  # fmt: skip
    return {**fresh, **more}


@pytest.mark.parametrize(
    ("measured", "statement"),
    [
        ({}, None),
        ({"dead": 999, "live": 0}, None),
        ({"dead": 1000, "live": 9001}, None),
        ({"dead": 1000, "live": 9000}, 'VACUUM (ANALYZE) "public"."orders"'),
        ({"changed": 99_999}, None),
        ({"changed": 100_000}, 'ANALYZE "public"."orders"'),
        ({"never_analyzed": True}, 'ANALYZE "public"."orders"'),
        ({"wraparound_percent": 25.0, "dead": 10**6}, 'VACUUM (FREEZE, ANALYZE) "public"."orders"'),
        ({"wraparound_percent": None}, None),
        ({"wraparound_percent": 90.0, "schema": "audit"}, None),
        ({"never_analyzed": True, "name": 'a"b'}, 'ANALYZE "public"."a""b"'),
    ],
)
def test_tables_get_what_they_need(measured: dict[str, Any], statement: str | None) -> None:
    works = need.table_work("shop", [table(**measured)], LIMITS)
    assert [one.statement for one in works] == ([statement] if statement else [])


def test_what_is_most_urgent_comes_first() -> None:
    tables = [table(name="a", never_analyzed=True), table(name="b", dead=10**6), table(name="c", wraparound_percent=30)]
    assert [one.action for one in need.table_work("shop", tables, LIMITS)] == ["freeze", "vacuum", "analyze"]


INVALID = {"valid": False, "size_bytes": 0}


@pytest.mark.parametrize(
    ("measured", "why"),
    [
        ({}, None),
        ({"size_bytes": 60 << 20}, "about 38.5 MiB of 60.0 MiB are empty"),
        ({"size_bytes": 60 << 20, "rows": -1}, None),
        ({"size_bytes": 60 << 20, "method": "gin"}, None),
        ({"size_bytes": 60 << 20, "exclusion": True}, None),
        ({"size_bytes": 60 << 20, "schema": "audit"}, None),
        ({"size_bytes": 2 << 20, "rows": 0}, "about 2.0 MiB of 2.0 MiB are empty"),
        (INVALID, "invalid"),
        ({**INVALID, "building": True}, None),
        ({**INVALID, "partitioned": True}, None),
        # Whoever chose such a name for an index of his own finds it in the warnings.
        ({**INVALID, "name": "orders_ccnew"}, None),
        ({**INVALID, "schema": "pg_toast"}, None),
    ],
)
def test_indexes_are_rebuilt_for_a_reason(measured: dict[str, Any], why: str | None) -> None:
    assert [one.why for one in need.index_work("shop", [index(**measured)], LIMITS)] == ([why] if why else [])


def test_only_proven_leftovers_that_nobody_builds_are_dropped() -> None:
    left = index(name="orders_pkey_ccnew1", valid=False, leftover=True)
    indexes = [left, {**left, "building": True}, {**left, "leftover": False}, {**left, "schema": "audit"}, index()]
    (work,) = need.leftovers("shop", indexes, LIMITS)
    assert work.statement == 'DROP INDEX CONCURRENTLY "public"."orders_pkey_ccnew1"'


@pytest.mark.parametrize(
    ("measured", "days", "found"),
    [
        ({"scans": 0}, 30, True),
        ({"scans": 0}, 29, False),
        ({"scans": 1}, 30, False),
        ({"scans": 0, "needed": True}, 30, False),
        ({"scans": 0, "valid": False}, 30, False),
        ({"scans": 0, "size_bytes": 1000}, 30, False),
    ],
)
def test_unused_indexes(measured: dict[str, Any], days: int, found: bool) -> None:
    assert bool(need.unused([index(**measured)], days, LIMITS)) is found


@pytest.mark.parametrize(
    ("columns", "rows", "size_bytes"),
    [
        # As PostgreSQL 15 built them, of a million rows.
        ([BIGINT], 1e6, 22_487_040),
        ([INTEGER], 1e6, 22_487_040),
        ([TEXT], 1e6, 59_064_320),
        ([INTEGER, BIGINT], 1e6, 31_522_816),
        ([FLAG, BIGINT], 1e6, 31_563_776),
    ],
)
def test_an_index_that_was_just_built_is_not_bloated(columns: list[Any], rows: float, size_bytes: int) -> None:
    empty = need.index_bloat(index(columns=columns, rows=rows, size_bytes=size_bytes))
    assert empty < size_bytes * 0.05
    assert need.index_bloat(index(columns=columns, rows=rows / 2, size_bytes=size_bytes)) > size_bytes * 0.4


WIDTHS = st.lists(st.sampled_from([BIGINT, INTEGER, FLAG, TEXT, [None, None, 8, "d"]]), min_size=1, max_size=5)


@given(WIDTHS, st.floats(0, 1e9), st.integers(0, 1 << 40))
def test_no_more_is_empty_than_there_is(columns: list[Any], rows: float, size_bytes: int) -> None:
    measured = {"columns": columns, "rows": rows, "size_bytes": size_bytes, "heap_bytes": size_bytes}
    assert 0 <= need.index_bloat(index(**measured)) <= size_bytes
    assert 0 <= need.table_bloat(table(**measured)) <= size_bytes


def test_a_full_table_is_not_wasteful_and_an_empty_one_is() -> None:
    # A tuple of one bigint takes 36 bytes with its pointer, so a page holds 226.
    full = table(heap_bytes=4425 * 8192)
    assert need.table_bloat(full) == 0
    assert need.is_wasteful({**full, "rows": 1e5}, LIMITS)
    assert not need.is_wasteful(full, LIMITS)


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ("PostgreSQL refuses: ERROR:  55P03: canceling statement | LOCATION:  here", "55P03", "canceling statement"),
        ("PostgreSQL refuses: FEHLER:  23505: kein | DETAIL:  Key (mail)=(a@b): 12345: x", "23505", "kein"),
        (
            "PostgreSQL refuses: psql: error: connection refused",
            None,
            "PostgreSQL refuses: psql: error: connection refused",
        ),
    ],
)
def test_what_the_server_refuses(said: str, code: str | None, words: str) -> None:
    error = sql_error(said)
    assert (error.code, error.message) == (code, words)
    assert error.is_damage is False
