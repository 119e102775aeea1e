"""A real PostgreSQL standby beside its primary: well, behind, replaying from an archive, and without each other."""

from __future__ import annotations

import pytest

from tests.fleet import base, waiting
from tests.fleet.looking import look, look_until, verdict

# The copy is taken over the primary's socket, and -R makes it a standby that streams from there.
MAKE_STANDBY = """
systemctl start postgresql@15-main
pg_createcluster --port 5433 15 standby
cd /var/lib/postgresql/15 && rm -r standby
runuser -u postgres -- pg_basebackup -R --checkpoint=fast -D /var/lib/postgresql/15/standby
systemctl start postgresql@15-standby
"""
PRIMARY = {"id": "primary", "type": "postgresql", "query": "lag", "standbys": 1, "warn": "1s"}
STANDBY = {"id": "standby", "type": "postgresql", "query": "lag", "port": 5433, "warn": "1s"}
STREAMS = "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn = pg_current_wal_lsn()"


@pytest.fixture(scope="module")
def db1(shared_fleet):
    host = shared_fleet.host("db1", tree=base.servers_tree)
    host.run(f"set -e; {MAKE_STANDBY}")
    psql(host, "CREATE TABLE orders (id int)")
    until(host, STREAMS)
    return host


def psql(host, sql, port=5432):
    return host.run(f"cd / && runuser -u postgres -- psql -XAtq -p {port}", text_in=sql).stdout.strip()


def until(host, sql, port=5432):
    """Wait until a statement says yes."""
    ask = f'[ "$(runuser -u postgres -- psql -XAtqc "{sql}" -p {port})" = t ]'
    host.run(f"cd /; {waiting.until(ask)}")


def lag(host):
    return {each["id"]: verdict(each) for each in look(host, PRIMARY, STANDBY, user="root")}


def lag_until(host, primary, standby):
    """The first of a few looks at which both sides are so, or the last one."""
    return look_until(lambda: lag(host), lambda found: (found["primary"][0], found["standby"][0]) == (primary, standby))


def test_a_standby_that_streams_is_ok_on_both_sides(db1):
    # What the server itself writes now and then is on its way for a moment.
    found = lag_until(db1, "OK", "OK")
    assert found["primary"][0] == "OK", found
    assert found["primary"][1].endswith("primary with 1 streaming standbys")
    assert found["standby"] == ("OK", "replication lag 0.0 s, standby, streaming")


def test_a_standby_that_falls_behind_is_seen_from_both_sides(db1):
    psql(db1, "SELECT pg_wal_replay_pause()", 5433)
    until(db1, "SELECT pg_get_wal_replay_pause_state() = 'paused'", 5433)
    # The primary learns of the lag when the standby answers to what came later.
    for number in (1, 2):
        psql(db1, f"INSERT INTO orders VALUES ({number})")
        db1.run("sleep 1.2")
    psql(db1, "INSERT INTO orders VALUES (3)")
    behind = lag_until(db1, "WARNING", "WARNING")
    psql(db1, "SELECT pg_wal_replay_resume()", 5433)
    until(db1, STREAMS)
    assert {name: status for name, (status, _words) in behind.items()} == {"primary": "WARNING", "standby": "WARNING"}
    assert "(warn 1s), primary with 1 streaming standbys" in behind["primary"][1]
    assert "(warn 1s), standby, streaming" in behind["standby"][1]
    assert lag_until(db1, "OK", "OK")["standby"][0] == "OK"


def test_a_primary_and_a_standby_that_lost_each_other(db1):
    db1.run("systemctl stop postgresql@15-standby")
    until(db1, "SELECT NOT EXISTS (SELECT 1 FROM pg_stat_replication)")
    alone = lag(db1)
    db1.run("systemctl start postgresql@15-standby")
    until(db1, STREAMS)
    db1.run("systemctl stop postgresql@15-main")
    until(db1, "SELECT NOT EXISTS (SELECT 1 FROM pg_stat_wal_receiver)", 5433)
    orphaned = lag(db1)
    db1.run("systemctl start postgresql@15-main")
    until(db1, STREAMS)
    assert alone["primary"][0] == "CRITICAL"
    assert alone["primary"][1].endswith("primary with 0 streaming standbys, 1 expected")
    assert alone["standby"][0] == "CRITICAL", alone
    assert orphaned["primary"][0] == "CRITICAL"
    assert orphaned["standby"][0] == "CRITICAL"
    assert orphaned["standby"][1].endswith("standby without a connection to its primary")


def test_a_standby_that_replays_from_an_archive_only_is_judged_by_its_lag(db1):
    # The primary's own log serves as the archive.
    settings = (
        "ALTER SYSTEM SET primary_conninfo = ''; ALTER SYSTEM SET restore_command = '{}'; SELECT pg_reload_conf()"
    )
    psql(db1, settings.format("cp /var/lib/postgresql/15/main/pg_wal/%f %p").replace("; ", ";\n"), 5433)
    until(db1, "SELECT NOT EXISTS (SELECT 1 FROM pg_stat_wal_receiver)", 5433)
    psql(db1, "INSERT INTO orders VALUES (4);\nSELECT pg_switch_wal()")
    until(db1, "SELECT max(id) = 4 FROM orders", 5433)
    checks = dict(STANDBY, warn="10min", crit="20min"), dict(STANDBY, id="strict", warn="1ms")
    relaxed, strict = look(db1, *checks, user="root")
    assert relaxed["status"] == "OK", relaxed
    assert relaxed["message"].endswith("standby that replays from an archive")
    assert strict["status"] == "WARNING", strict
