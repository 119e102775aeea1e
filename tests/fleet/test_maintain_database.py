"""Databases maintained on a real host while their applications work."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tests.fleet import base
from tests.fleet.roundsman import Roundsman, backed_up
from tests.fleet.test_backup_postgresql import START, sql

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

LOCK_WAIT_S = 3
# How much longer a transaction may take for being on a machine that is hard at work.
STALL_S = 10
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
MARIADB = """
CREATE DATABASE shop; USE shop;
CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(1000), state INT DEFAULT 0, KEY (state));
INSERT INTO orders (note) SELECT REPEAT('x', 900) FROM seq_1_to_20000;
DELETE FROM orders WHERE id > 3000;
CREATE TABLE found (words TEXT, FULLTEXT KEY (words)); INSERT INTO found SELECT REPEAT('word ', 200) FROM seq_1_to_8000;
DELETE FROM found LIMIT 7900;
CREATE TABLE stale (id INT PRIMARY KEY); INSERT INTO stale VALUES (1);
UPDATE mysql.innodb_table_stats SET last_update = '2026-01-01' WHERE table_name = 'stale';
"""
# What was deleted is free once the server has purged it.
WORN_MARIADB = """mariadb && until mariadb -e "SELECT 1 FROM information_schema.TABLES WHERE TABLE_NAME = 'orders'
    AND DATA_FREE > .4 * (DATA_LENGTH + INDEX_LENGTH + DATA_FREE)" | grep -q 1; do sleep .1; done"""
STANDBY = """cd /var/lib/postgresql
as_postgres() { su postgres -c "$*"; }
as_postgres pg_basebackup -D standby -R -c fast --no-sync
as_postgres "cp /etc/postgresql/15/main/pg_hba.conf standby && touch standby/postgresql.conf"
as_postgres /usr/lib/postgresql/15/bin/pg_ctl -w -D standby -l standby.log -o "'-p 5433 -k /run/postgresql'" start
"""
# A program with a database of its own: one that makes it, and then writes to it and says how long that took (in us).
NOTES = """
import sqlite3, sys, time
db = sqlite3.connect("/srv/load/notes.db", timeout=30, isolation_level=None)
db.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)")
if sys.argv[1] == "make":
    db.execute("PRAGMA journal_mode=wal")
    db.executemany("INSERT INTO notes (text) VALUES (?)", [("x" * 1000,)] * 8000)
    db.execute("DELETE FROM notes WHERE id > 1000")
while sys.argv[1] == "write":
    began = time.monotonic()
    db.execute("UPDATE notes SET text = ? WHERE id = 1", (str(began),))
    print(int(1e6 * (time.monotonic() - began)), flush=True)
    time.sleep(.05)
"""
# With pauses: what is never at rest takes the processors from those whom it is to wait for.
LOADS = {
    "notes": "python3 /srv/load/notes write > /srv/load/notes.us",
    # How long a transaction takes, the start of the client included.
    "orders": """while began=$(date +%s%N); do
    mariadb shop -e 'BEGIN; UPDATE orders SET state = state + 1 WHERE id = 1; INSERT INTO orders () VALUES (); COMMIT'
    echo $(( ($(date +%s%N) - began) / 1000 )); sleep .1; done > /srv/load/orders.us""",
    "pgbench": "cd /srv/load && exec su postgres -c 'pgbench -n -c 2 -T 3600 -f script -l --log-prefix=latency shop'",
}
PGBENCH = f"""\\set id random(1, {ROWS // 4})
UPDATE orders SET state = state + 1 WHERE id = :id;
SELECT code FROM orders WHERE id = :id;
\\sleep 50 ms
"""
STATE = """SELECT relname, relfilenode, pg_relation_size(c.oid), n_dead_tup, last_vacuum, last_analyze, indisvalid
    FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid LEFT JOIN pg_index x ON x.indexrelid = c.oid
    WHERE relname ~ '^orders' ORDER BY 1"""


def maintained(roundsman: Roundsman, *options: str) -> list[dict[str, Any]]:
    """The record of each host, in order."""
    done = roundsman.run("maintain", "database", "--json", *options)
    hosts = json.loads(done.stdout)["hosts"]
    print(json.dumps(hosts, indent=1))  # shown when the test fails
    assert done.returncode in (0, 1)
    return [record for host in sorted(hosts, key=lambda host: str(host["host"])) for record in host["maintenance"]]


def actions(record: dict[str, Any], outcome: str) -> set[tuple[str, str]]:
    return {(one["action"], one["target"]) for one in record["actions"] if one["outcome"] == outcome}


def sizes(host: Host) -> dict[str, int]:
    """In bytes, of what is to become smaller."""
    found = sql(host, "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relname ~ '^orders_'").splitlines()
    files = host.run("stat -c '%n|%s' /var/lib/mysql/shop/orders.ibd /srv/load/notes.db").stdout.splitlines()
    return {name: int(size) for name, size in (line.split("|") for line in [*found, *files])}


def worn_older(host: Host) -> None:
    """A host with the MariaDB of Debian 12, and a standby of PostgreSQL that must be left alone."""
    host.run("systemctl start mariadb")
    host.run(WORN_MARIADB, text_in=MARIADB)
    host.run(START)
    sql(host, "CREATE TABLE never_analyzed AS SELECT 1", "postgres")
    host.run(STANDBY)
    host.run("systemctl stop postgresql@15-main")
    host.vars.update(roundsman_default_checks=[], roundsman_database_bloat_bytes=1 << 20)


def worn(host: Host) -> None:
    """A host whose databases need everything, and whose applications do not work yet."""
    host.run(START)
    host.run("printf 'appendonly yes\\nauto-aof-rewrite-percentage 0\\n' >> /etc/redis/redis.conf")
    host.run("systemctl start mariadb redis-server && redis-cli -r 60000 set counter 1 > /dev/null")
    sql(host, POSTGRESQL, "postgres")
    host.run(FAILING)
    host.run(WORN_MARIADB, text_in=MARIADB)
    host.run("install -d -m 0777 /srv/load")
    host.write("/srv/load/script", PGBENCH)
    host.write("/srv/load/notes", NOTES)
    host.run("python3 /srv/load/notes make")
    sources = [
        {"id": "shop", "type": "postgresql", "database": "shop"},
        {"id": "notes", "type": "sqlite", "path": "/srv/load/notes.db"},
    ]
    host.vars.update(
        backed_up(), roundsman_backups=sources, roundsman_database_lock_wait_s=LOCK_WAIT_S,
        roundsman_database_bloat_bytes=1 << 20, roundsman_database_aof_bytes=1 << 20,
    )  # fmt: skip


def test_databases_under_load_become_fit_and_nobody_waits(fleet: Fleet, tmp_path: Path) -> None:
    db1 = fleet.host("db1", release="trixie", tree=base.servers_tree)
    db2 = fleet.host("db2", release="bookworm", tree=base.servers_tree)
    with ThreadPoolExecutor() as both:
        list(both.map(lambda wear, host: wear(host), (worn, worn_older), (db1, db2)))
    roundsman = Roundsman(tmp_path, fleet.inventory())
    before, large = sql(db1, STATE), sizes(db1)
    plan, older_plan = maintained(roundsman, "--plan")
    assert (sql(db1, STATE), sizes(db1)) == (before, large)
    assert {one["outcome"] for one in plan["actions"] + older_plan["actions"]} == {"planned"}

    for name, script in LOADS.items():
        db1.write(f"/srv/load/{name}.sh", script)
        db1.run(f"systemd-run --unit load-{name} bash /srv/load/{name}.sh")
    record, older = maintained(roundsman)
    db1.run("systemctl is-active load-notes load-orders load-pgbench && systemctl stop 'load-*'")

    wanted = {
        ("vacuum", "shop.public.orders"),
        ("remove", "shop.public.orders_state_ccnew"),
        ("reindex", "shop.public.orders_state"),
        ("reindex", "shop.public.orders_code"),
        ("reindex", "shop.public.orders_pkey"),
        ("vacuum", "/srv/load/notes.db"),
        ("rewrite", "127.0.0.1:6379 append-only file"),
    }
    of_mariadb = {("rebuild", "shop.orders"), ("analyze", "shop.stale")}
    assert wanted | of_mariadb <= actions(record, "done")
    assert wanted | of_mariadb <= actions(plan, "planned")
    # On the older one there is nothing else: its PostgreSQL is a standby.
    assert of_mariadb == actions(older, "done")
    assert of_mariadb < actions(older_plan, "planned")
    assert "left standby /run/postgresql:5433 to its primary" in older["message"]
    assert int(db2.run("stat -c %s /var/lib/mysql/shop/orders.ibd").stdout) < 10 << 20
    assert (record["backup"]["status"], len(record["backup"]["snapshots"])) == ("made", 2)
    assert sql(db1, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "0"
    assert record["before"]["redis_aof_bytes"] > 1 << 20 > 10 * record["after"]["redis_aof_bytes"]
    assert record["before"]["postgresql_dead_rows"] > ROWS > 10 * record["after"]["postgresql_dead_rows"]
    for name, size in sizes(db1).items():
        assert name == "orders_state" or size < large[name] / 2, name
    for warnings in (record["warnings"], older["warnings"]):
        (full_text,) = (one for one in warnings if "OPTIMIZE TABLE" in one)
        assert full_text.startswith("shop.found cannot be built anew while others write.")
    assert record["reclaimed_bytes"] > 20 << 20
    for name, latencies_us in latencies(db1).items():
        assert len(latencies_us) > 50, name
        assert max(latencies_us) < (LOCK_WAIT_S + STALL_S) * 1e6, name
    # What PostgreSQL says of every wait for a lock longer than 100 ms.
    log = db1.run("cat /var/log/postgresql/*").stdout
    waits_ms = re.findall(r"(?:waiting for|acquired) \w+Lock .* after ([\d.]+) ms", log)
    assert max(map(float, waits_ms), default=0) < (LOCK_WAIT_S + STALL_S) * 1e3


def latencies(host: Host) -> dict[str, list[int]]:
    """How long each transaction of each load took, in us."""
    found = {name: host.read(f"/srv/load/{name}.us").splitlines() for name in ("notes", "orders")}
    # Stopped as it writes, each thread of pgbench may leave half of a line, of six numbers.
    lines = [line.split() for line in host.run("cat /srv/load/latency.*").stdout.splitlines()]
    found["pgbench"] = [fields[2] for fields in lines if len(fields) == 6]
    return {name: list(map(int, lines)) for name, lines in found.items()}
