"""Databases maintained on a real host while their applications work."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.fleet import base
from tests.fleet.roundsman import Roundsman, backed_up
from tests.fleet.test_backup_postgresql import START, sql

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

LOCK_WAIT_S = 3
ROWS = 200_000
# Every row updated once and three of four deleted: so the indexes are mostly empty, and autovacuum has not come yet.
POSTGRESQL = f"""
ALTER SYSTEM SET log_lock_waits = on; ALTER SYSTEM SET deadlock_timeout = '100ms'; SELECT pg_reload_conf();
CREATE DATABASE shop;
\\c shop
CREATE EXTENSION amcheck;
CREATE TABLE orders (id int PRIMARY KEY, code text, state int DEFAULT 0) WITH (autovacuum_enabled = off);
CREATE INDEX orders_code ON orders (code);
INSERT INTO orders SELECT n, md5(n::text) FROM generate_series(1, {ROWS}) n;
\\c shop
ANALYZE orders;
UPDATE orders SET state = 1;
DELETE FROM orders WHERE id > {ROWS // 4};
"""
# A transaction that is in the way makes the building of an index fail, and what is left is invalid.
FAILING = """
ask() { su postgres -c 'psql -XAtq shop'; }
(echo 'BEGIN; INSERT INTO orders VALUES (0);'; until test -e /tmp/failed; do sleep .1; done) | ask &
until echo "SELECT state FROM pg_stat_activity WHERE state ~ 'in transaction'" | ask | grep -q .; do sleep .1; done
for statement in 'CREATE INDEX CONCURRENTLY orders_state ON orders (state)' \\
    'REINDEX INDEX CONCURRENTLY orders_state'; do
  (echo "SET lock_timeout = '100ms';"; echo "$statement;") | ask
done
touch /tmp/failed
wait
"""
PGBENCH = f"""\\set id random(1, {ROWS // 4})
UPDATE orders SET state = state + 1 WHERE id = :id;
SELECT code FROM orders WHERE id = :id;
\\sleep 10 ms
"""
WITH_LOAD = "cd /srv/load && exec pgbench -n -c 3 -T 300 -f script -l --log-prefix=latency shop"
STATE = """SELECT relname, relfilenode, pg_relation_size(c.oid), n_dead_tup, last_vacuum, last_analyze, indisvalid
    FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid LEFT JOIN pg_index x ON x.indexrelid = c.oid
    WHERE relname ~ '^orders' ORDER BY 1"""


def maintained(roundsman: Roundsman, *options: str) -> dict[str, Any]:
    done = roundsman.run("maintain", "database", "--limit", "db1", "--json", *options)
    (host,) = json.loads(done.stdout)["hosts"]
    print(json.dumps(host, indent=1))  # shown when the test fails
    (record,) = host["maintenance"]
    assert done.returncode in (0, 1), record
    return dict(record)


def sizes(host: Host) -> dict[str, int]:
    found = sql(host, "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relname ~ '^orders'")
    return {name: int(size) for name, size in (line.split("|") for line in found.splitlines())}


def test_databases_under_load_become_fit_and_nobody_waits(fleet: Fleet, tmp_path: Path) -> None:
    db1 = fleet.host("db1", release="trixie", tree=base.servers_tree)
    db1.run(START)
    sql(db1, POSTGRESQL, "postgres")
    db1.run(FAILING)
    source = {"id": "shop", "type": "postgresql", "database": "shop"}
    limits = {"roundsman_database_lock_wait_s": LOCK_WAIT_S, "roundsman_database_bloat_bytes": 1 << 20}
    db1.vars.update(backed_up(), roundsman_backups=[source], **limits)
    roundsman = Roundsman(tmp_path, fleet.inventory())

    before, large = sql(db1, STATE), sizes(db1)
    plan = maintained(roundsman, "--plan")
    assert sql(db1, STATE) == before
    assert {one["outcome"] for one in plan["actions"]} == {"planned"}

    db1.run("install -d -o postgres /srv/load")
    db1.write("/srv/load/script", PGBENCH)
    db1.run(f"systemd-run --unit load -p User=postgres sh -c '{WITH_LOAD}'")
    record = maintained(roundsman)
    db1.run("systemctl is-active load && systemctl stop load")

    done = {(one["action"], one["target"]) for one in record["actions"] if one["outcome"] == "done"}
    wanted = {
        ("vacuum", "shop.public.orders"),
        ("remove", "shop.public.orders_state_ccnew"),
        ("reindex", "shop.public.orders_state"),
        ("reindex", "shop.public.orders_code"),
        ("reindex", "shop.public.orders_pkey"),
    }
    assert wanted <= done
    assert wanted <= {(one["action"], one["target"]) for one in plan["actions"]}
    assert record["backup"]["status"] == "made"
    assert len(record["backup"]["snapshots"]) == 1
    assert sql(db1, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "0"
    small = sizes(db1)
    assert small["orders_code"] < large["orders_code"] / 2
    assert small["orders_pkey"] < large["orders_pkey"] / 2
    assert record["before"]["postgresql_dead_rows"] > ROWS > 10 * record["after"]["postgresql_dead_rows"]
    assert record["reclaimed_bytes"] > 10 << 20
    latencies_us = [int(line.split()[2]) for line in db1.run("cat /srv/load/latency*").stdout.splitlines()]
    assert len(latencies_us) > 500
    assert max(latencies_us) < LOCK_WAIT_S * 1e6
    # What the server says of every wait for a lock longer than 100 ms.
    waits_ms = re.findall(
        r"(?:waiting for|acquired) \w+Lock .* after ([\d.]+) ms", db1.run("cat /var/log/postgresql/*").stdout
    )
    assert max(map(float, waits_ms), default=0) < LOCK_WAIT_S * 1e3 + 100
