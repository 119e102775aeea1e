"""PostgreSQL maintained by need, with a real server of this machine's own PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.postgresql import HOMES, Server, cluster

from .calling import call_module

pytestmark = pytest.mark.skipif(not HOMES, reason="PostgreSQL is not installed")
ROWS = 40_000
SCHEMA = """
CREATE DATABASE shop;
\\c shop
CREATE TABLE orders (id int PRIMARY KEY, code text NOT NULL, state int);
"""
# What an application leaves that updated every row, deleted most of them, and has an index that could not be built.
WORN = f"""
SET client_min_messages = error; DROP TABLE IF EXISTS orders, "Odd "" name", twice;
CREATE TABLE orders (id int PRIMARY KEY, code text NOT NULL, state int) WITH (autovacuum_enabled = off);
CREATE INDEX orders_code ON orders (code);
INSERT INTO orders SELECT n, md5(n::text), 1 FROM generate_series(1, {ROWS}) n;
CREATE TABLE "Odd "" name" (id int) WITH (autovacuum_enabled = off);
INSERT INTO "Odd "" name" VALUES (1);
CREATE INDEX "odd "" index" ON "Odd "" name" (id);
CREATE TABLE twice (id int) WITH (autovacuum_enabled = off); INSERT INTO twice VALUES (1), (1);
"""
LIMITS = {"bloat_bytes": 100_000, "dead_rows": 100}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with cluster() as made:
        made.sql(SCHEMA, "postgres")
        yield made


@pytest.fixture
def worn(server: Server) -> Server:
    # A session counts its rows when it ends, and ANALYZE at once.
    for statement in (WORN, "ANALYZE orders", f"DELETE FROM orders WHERE id > {ROWS // 10}"):
        server.sql(statement)
    # What the statistics collector (PostgreSQL 14 and older) has not counted yet, nobody can see.
    wait_until(lambda: int(server.sql("SELECT max(n_dead_tup) FROM pg_stat_user_tables")) > ROWS // 2)
    return server


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


@contextlib.contextmanager
def transaction(server: Server, statement: str) -> Iterator[None]:
    """Somebody's transaction that stays open after a statement."""
    argv = [str(server.home / "psql"), "-Xq", "-h", str(server.root), "-U", "postgres", "shop"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, text=True) as session:
        assert session.stdin
        session.stdin.write(f"BEGIN; {statement};\n")
        session.stdin.flush()
        opened = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        wait_until(lambda: server.sql(opened) == "1")
        yield
        session.stdin.close()


def leave_invalid(server: Server, statement: str) -> None:
    """Let what builds an index concurrently fail on its way."""
    with transaction(server, "INSERT INTO twice VALUES (1)"), contextlib.suppress(subprocess.CalledProcessError):
        server.sql("SET lock_timeout = '100ms';\n" + statement)


def call(server: Server, tmp_path: Path, **more: Any) -> Any:
    spec = {"host": str(server.root), "login": "postgres"}
    return call_module("database_postgresql", tmp_path / "state", **{"servers": [spec], **LIMITS, **more})


def actions(result: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["action"], one["target"]) for one in result["maintenance"]["actions"]}


STATE = """SELECT c.relname, c.relfilenode, c.reltuples, pg_relation_size(c.oid), s.last_vacuum, s.last_analyze
    FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1"""


def test_what_is_worn_is_mended_as_planned_and_a_second_run_has_nothing_to_do(worn: Server, tmp_path: Path) -> None:
    leave_invalid(worn, "CREATE INDEX CONCURRENTLY twice_id ON twice (id)")
    leave_invalid(worn, "REINDEX INDEX CONCURRENTLY twice_id")
    assert worn.sql("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "2"
    before = worn.sql(STATE)
    plan = call(worn, tmp_path, check=True)
    assert worn.sql(STATE) == before
    assert {one["outcome"] for one in plan["maintenance"]["actions"]} == {"planned"}
    assert actions(plan) >= {
        ("vacuum", "shop.public.orders"),
        ("analyze", 'shop.public.Odd " name'),
        ("remove", "shop.public.twice_id_ccnew"),
        ("reindex", "shop.public.twice_id"),
        ("reindex", "shop.public.orders_pkey"),
        ("reindex", "shop.public.orders_code"),
    }

    first = call(worn, tmp_path)

    record = first["maintenance"]
    assert actions(first) == actions(plan)
    assert {one["outcome"] for one in record["actions"]} == {"done"}, record
    then, now = record["before"], record["after"]
    assert (then["postgresql_invalid_indexes"], now["postgresql_invalid_indexes"]) == (2, 0)
    assert then["postgresql_dead_rows"] > ROWS // 2 > now["postgresql_dead_rows"]
    assert then["postgresql_index_bloat_bytes"] > 1_000_000 > 10 * now["postgresql_index_bloat_bytes"]
    assert record["reclaimed_bytes"] > 3_000_000
    assert record["warnings"] == []
    assert "without amcheck, which is not in postgres, shop" in record["message"]
    assert worn.sql("SELECT count(*) FROM pg_class WHERE relname ~ '_cc(new|old)'") == "0"
    assert worn.sql("SELECT count(*), sum(state) FROM orders") == f"{ROWS // 10}|{ROWS // 10}"
    second = call(worn, tmp_path, before=record["found"])
    assert not second["changed"]
    assert "tables as before" in second["msg"]
    again = call(worn, tmp_path)
    assert not again["changed"]
    assert "nothing was needed in 2 databases" in again["msg"]


def test_nothing_waits_for_a_lock_that_somebody_keeps(worn: Server, tmp_path: Path) -> None:
    """Nor does what came behind us wait longer than the lock timeout."""
    with transaction(worn, "LOCK TABLE orders IN SHARE UPDATE EXCLUSIVE MODE"):
        time.sleep(1.1)
        result = call(worn, tmp_path, lock_wait_s=1, attempts=2)
    assert "failed" not in result
    assert ("analyze", "shop.public.twice") in actions(result)
    failed = [one["target"] for one in result["maintenance"]["actions"] if one["outcome"] == "failed"]
    assert failed == ["shop.public.orders"]
    words = " ".join(result["maintenance"]["warnings"])
    assert 'shop.public.orders was left as it is: the lock for VACUUM (ANALYZE) "public"."orders" was not' in words
    assert "2 indexes of shop are to be rebuilt or removed, which was left: it would wait for the transaction" in words
    assert "dead rows" not in words


def test_who_keeps_dead_rows_alive_is_said(worn: Server, tmp_path: Path) -> None:
    with transaction(worn, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT FROM twice"):
        worn.sql("UPDATE orders SET state = 2")
        result = call(worn, tmp_path, depth="light")
    (held, *_others) = result["maintenance"]["warnings"]
    assert held.startswith("dead rows of shop cannot be removed while the transaction of pid ")


def test_a_rebuild_that_fails_is_cleaned_up(worn: Server, tmp_path: Path) -> None:
    """Duplicates keep a unique index from being built; their values are nobody's business."""
    worn.sql("INSERT INTO twice SELECT 4711 FROM generate_series(1, 2)")
    leave_invalid(worn, "CREATE UNIQUE INDEX CONCURRENTLY twice_id ON twice (id)")
    result = call(worn, tmp_path, exclude=["shop.public.orders*"])
    assert "failed" not in result
    (warning, invalid) = result["maintenance"]["warnings"]
    assert warning.startswith("shop.public.twice_id cannot be built: the table holds duplicates of its key.")
    assert "index shop.public.twice_id is invalid" in invalid
    assert "4711" not in json.dumps(result)
    assert worn.sql("SELECT relname FROM pg_class WHERE relname ~ '^twice_id'") == "twice_id"
    assert not {target for _action, target in actions(result) if "orders" in target}


def test_a_damaged_index_stops_the_work_on_its_database(worn: Server, tmp_path: Path) -> None:
    worn.sql("UPDATE pg_index SET indoption = '1' WHERE indexrelid = 'orders_code'::regclass")
    result = call(worn, tmp_path, create_amcheck=True)
    assert result["failed"]
    assert result["maintenance"]["reason"] == "damaged"
    assert "database shop is damaged, so nothing was changed in it: shop.public.orders_code: " in result["msg"]
    assert {action for action, target in actions(result) if "shop" in target} == {"create"}
    worn.sql("UPDATE pg_index SET indoption = '0' WHERE indexrelid = 'orders_code'::regclass")
    assert "failed" not in call(worn, tmp_path, depth="light")


def test_an_index_that_became_invalid_does_not_pass(worn: Server, tmp_path: Path) -> None:
    found = call(worn, tmp_path, check=True)["maintenance"]["found"]
    worn.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_code'::regclass")
    proof = call(worn, tmp_path, before=found)
    assert proof["failed"]
    assert proof["maintenance"]["reason"] == "verification_failed"
    assert proof["msg"] == "PostgreSQL is not as before: index shop.public.orders_code became invalid"


def test_a_standby_is_left_to_its_primary(worn: Server, tmp_path: Path) -> None:
    specs = [{"host": str(one), "login": "postgres"} for one in (worn.root, worn.root / "standby")]
    with worn.standby() as standby:
        worn.sql("UPDATE orders SET state = 2")
        wait_until(lambda: worn.sql("SELECT replay_lsn >= pg_current_wal_lsn() FROM pg_stat_replication") == "t")
        before = standby.sql(STATE)
        alone = call(worn, tmp_path, servers=specs[1:])
        assert (alone["changed"], alone["maintenance"]["actions"]) == (False, [])
        assert alone["msg"] == f"PostgreSQL: left standby {standby.root}:5432 to its primary"
        assert standby.sql(STATE) == before
        both = call(worn, tmp_path, servers=specs, depth="light")
        assert both["msg"].endswith(f"left standby {standby.root}:5432 to its primary")
        assert ("vacuum", "shop.public.orders") in actions(both)
        assert list(both["maintenance"]["found"]) == [f"{worn.root}:5432"]


def test_nobody_waits_for_what_somebody_holds_exclusively(worn: Server, tmp_path: Path) -> None:
    with transaction(worn, "LOCK TABLE orders"):
        result = call(worn, tmp_path, lock_wait_s=1, attempts=1)
    assert "failed" not in result
    assert ("analyze", "shop.public.twice") in actions(result)
    assert not [target for _action, target in actions(result) if "orders" in target]
    (warning,) = result["maintenance"]["warnings"]
    assert "tables of shop were left out" in warning
    assert warning.endswith("or waits to: orders. Run roundsman maintain database again when that is over")


# ANALYZE computes what an index of an expression holds, and takes its time for it.
SLOW = """CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('application_name') = 'roundsman' THEN PERFORM pg_sleep(60); END IF; RETURN $1; END $$;
    CREATE TABLE slow (id int) WITH (autovacuum_enabled = off); CREATE INDEX ON slow (slow(id));
    INSERT INTO slow VALUES (1);"""


def test_long_work_gives_way_to_who_waits_for_it(worn: Server, tmp_path: Path) -> None:
    """ALTER TABLE waits for ANALYZE, and every reader for ALTER TABLE."""
    waited_s: list[float] = []

    def alter() -> None:
        wait_until(lambda: worn.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1")
        began = time.monotonic()
        worn.sql("SET lock_timeout = '30s'; ALTER TABLE slow ADD more int")
        waited_s.append(time.monotonic() - began)

    worn.sql(SLOW)
    thread = threading.Thread(target=alter)
    thread.start()
    result = call(worn, tmp_path, depth="light", attempts=1)
    thread.join()
    worn.sql("DROP TABLE slow")
    assert "failed" not in result
    gave_way = 'shop.public.slow was left as it is: ANALYZE "public"."slow" gave way to others who waited for the table'
    assert [one for one in result["maintenance"]["warnings"] if one.startswith(gave_way)]
    assert ("vacuum", "shop.public.orders") in actions(result)
    assert waited_s


def test_transaction_numbers_that_run_out_are_given_back(worn: Server, tmp_path: Path) -> None:
    worn.grow_old(24)
    limits: dict[str, Any] = {"depth": "light", "wraparound_percent": 1}
    plan = call(worn, tmp_path, check=True, **limits)
    wanted = {("freeze", "shop.public.orders"), ("freeze", "template1.pg_catalog.pg_description")}
    assert wanted < actions(plan)
    # Not all of the catalogs, each of which takes a moment.
    record = call(worn, tmp_path, exclude=["postgres.*", "*.pg_catalog.pg_[!d]*"], **limits)["maintenance"]
    assert wanted < {(one["action"], one["target"]) for one in record["actions"] if one["outcome"] == "done"}
    (orders,) = (one for one in record["actions"] if one["target"] == "shop.public.orders")
    assert orders["detail"].startswith("1.2% of the transaction numbers used; now 0%")
    assert worn.sql("SELECT age(relfrozenxid) < 1000 FROM pg_class WHERE relname = 'orders'") == "t"
    warned = [one.split()[1] for one in record["warnings"] if "transaction numbers" in one]
    assert warned == ["postgres", "shop", "template0", "template1"]


def test_a_table_where_vacuum_is_at_work_is_left_to_it(worn: Server, tmp_path: Path) -> None:
    """A lock of ours would end autovacuum, and all that it did be lost."""

    def vacuum() -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            worn.sql("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1; VACUUM orders")

    thread = threading.Thread(target=vacuum)
    thread.start()
    try:
        wait_until(lambda: worn.sql("SELECT count(*) FROM pg_stat_progress_vacuum") == "1")
        result = call(worn, tmp_path, depth="light")
        assert worn.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_progress_vacuum") == "t"
    finally:
        thread.join()
    assert "failed" not in result
    assert [
        one
        for one in result["maintenance"]["warnings"]
        if one.startswith("shop.public.orders was left as it is: a VACUUM is")
    ]


def test_what_the_application_drops_meanwhile_is_no_failure(worn: Server, tmp_path: Path) -> None:
    found = call(worn, tmp_path, check=True)["maintenance"]["found"]
    gone = {"invalid": [], "size_bytes": 0}
    for databases in found.values():
        databases["dropped"] = gone
    assert "failed" not in call(worn, tmp_path, before=found)


def test_a_login_whose_vacuum_the_server_would_skip_is_refused(server: Server, tmp_path: Path) -> None:
    """With a warning to the client only: so it would be told as done."""
    server.sql("DROP ROLE IF EXISTS watcher; CREATE ROLE watcher LOGIN IN ROLE pg_monitor")
    spec = {"host": str(server.root), "login": "watcher"}
    result = call(server, tmp_path, servers=[spec])
    assert (result["failed"], result["maintenance"]["actions"]) == (True, [])
    assert result["msg"].startswith(f"PostgreSQL {server.root}:5432: the login is no superuser")
