"""PostgreSQL under load: saved, proven on another host, lost and put back; and every way in which a dump can fail."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fleet import base
from tests.fleet.putting_back import put_back, restored
from tests.fleet.roundsman import PASSWORD, Roundsman
from tests.fleet.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

START = "systemctl start postgresql && until su postgres -c 'psql -qc \"SELECT 1\"' > /dev/null; do sleep .1; done"
SCHEMA = """
CREATE ROLE seller LOGIN PASSWORD 'opensesame'; CREATE ROLE "odd role";
CREATE DATABASE shop OWNER seller;
\\c shop
CREATE EXTENSION pg_trgm;
CREATE TABLE orders (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), note text);
CREATE TABLE "Odd ""Lines" (orders bigint REFERENCES orders);
CREATE INDEX ON orders USING gin (note gin_trgm_ops);
ALTER TABLE orders OWNER TO seller; GRANT SELECT ON orders TO "odd role";
INSERT INTO orders (note) SELECT 'note ' || n FROM generate_series(1, 5000) n;
SELECT lo_from_bytea(0, 'large');
"""
# With pauses, for the others on the machine.
LOAD = """while sleep .02; do echo "WITH one AS (INSERT INTO orders (note) VALUES ('more') RETURNING id)
INSERT INTO \\"Odd \\"\\"Lines\\" SELECT id FROM one;"; done | su postgres -c 'psql -q shop'"""
SOURCE = {"id": "shop", "type": "postgresql", "database": "shop", "canary": "SELECT max(at) FROM orders"}


def sql(host: Host, statement: str, database: str = "shop") -> str:
    return host.run(f"su postgres -c 'psql -XAtq {database}'", text_in=statement).stdout.strip()


def database_host(fleet: Fleet, name: str, release: str) -> Host:
    host = fleet.host(name, release=release, tree=base.servers_tree)
    host.run(START)
    sql(host, SCHEMA, "postgres")
    return host


@contextlib.contextmanager
def instead_of(host: Host, tool: str, script: str) -> Iterator[None]:
    """A shell script in place of a program, which is called TOOL.real meanwhile."""
    host.run(f"mv {tool} {tool}.real")
    host.write(tool, f"#!/bin/sh\n{script}\n", mode="0755")
    yield
    host.run(f"mv {tool}.real {tool}")


def drilled(roundsman: Roundsman) -> dict[str, Any]:
    done = roundsman.run("backup", "verify", "--level", "proven", "--limit", "db1", "--json")
    (host,) = json.loads(done.stdout)["hosts"]
    (found,) = host["verifications"]
    return dict(found)


@pytest.mark.parametrize(("release", "spare"), [("bookworm", "trixie"), ("trixie", "trixie")])
def test_under_load_it_is_proven_elsewhere_and_put_back(fleet: Fleet, tmp_path: Path, release: str, spare: str) -> None:
    vault = fleet.backup_server("vault1", append_only=True)
    db1 = database_host(fleet, "db1", release)
    fleet.host("spare1", release=spare, tree=base.servers_tree)
    db1.vars.update(
        roundsman_backups=[SOURCE], roundsman_repository=vault.rest("db1"), roundsman_repository_password=PASSWORD,
        roundsman_drill_host="spare1", roundsman_drill_self_test=True,
    )  # fmt: skip
    roundsman = Roundsman(tmp_path, fleet.inventory())
    db1.write("/root/load", LOAD)
    db1.run("systemd-run --unit load bash /root/load")
    db1.run(until("test $(echo 'SELECT count(*) FROM orders' | su postgres -c 'psql -XAtq shop') -gt 5000"))
    assert roundsman.run("backup", "run", "--limit", "db1").returncode == 0
    assert db1.run("systemctl is-active load").stdout == "active\n"
    assert not db1.run("ls /var/lib/roundsman/spool").stdout

    proof = drilled(roundsman)

    assert (proof["outcome"], proof["level"], proof["where"]) == ("ok", "proven", "spare1"), proof
    found = {one["what"]: one["found"] for one in proof["findings"]}
    # The rows that came meanwhile came in pairs, so only one state of both tables has as many of them.
    assert found["rows of shop.public.orders"] == found['rows of shop.public.Odd "Lines'] + 5000 > 5000
    assert found["large objects of shop"] == 1
    assert proof["canary_at"] > "2026"

    db1.run("systemctl stop load")
    sql(db1, "DROP DATABASE shop WITH (FORCE)", "postgres")
    sql(db1, 'DROP ROLE "odd role"; ALTER ROLE seller PASSWORD NULL', "postgres")
    in_place = ("restore", "db1", "--source", "shop", "--in-place", "--yes", "--json")
    record = restored(roundsman.run(*in_place))["shop"]
    said = "nothing was there that needed a safety snapshot: there is no database shop"
    assert record["done"] == [said, 'made role "odd role"', "restored database shop"]
    assert int(sql(db1, "SELECT count(*) FROM orders")) == found["rows of shop.public.orders"]
    assert sql(db1, "SELECT max(at) FROM orders") == found["canary"]
    assert sql(db1, "SELECT tableowner FROM pg_tables WHERE tablename = 'orders'") == "seller"
    # Once more, over what is there: that steps aside.
    sql(db1, 'DELETE FROM "Odd ""Lines"')
    record = restored(roundsman.run(*in_place))["shop"]
    _saved, said = record["done"]
    assert record["safety"]
    aside = said.partition("database shop_before_")[2].partition(":")[0]
    assert int(sql(db1, 'SELECT count(*) FROM "Odd ""Lines"')) == found['rows of shop.public.Odd "Lines']
    assert sql(db1, f"SELECT count(*) FROM pg_database WHERE datname = 'shop_before_{aside}'") == "1"
    # A dump that breaks off half way leaves what was there.
    assert roundsman.run("restore", "db1", "--source", "shop", "--to", "/srv/back").returncode == 0
    copy = "/srv/back/var/lib/roundsman/spool/shop"
    db1.run(f"truncate -s -100K {copy}/shop.dump")
    failed = put_back(db1, SOURCE, copy)
    assert failed["reason"] == "engine_failed"
    assert failed["message"].endswith("The database is again what it was before. Put back before: nothing.")
    assert sql(db1, "SELECT max(at) FROM orders") == found["canary"]


def test_a_whole_server_is_proven_elsewhere_from_its_base_backup(fleet: Fleet, tmp_path: Path) -> None:
    vault = fleet.backup_server("vault1", append_only=True)
    db1 = database_host(fleet, "db1", "trixie")
    fleet.host("spare1", release="trixie", tree=base.servers_tree)
    db1.vars.update(
        roundsman_backups=[{"id": "server", "type": "postgresql", "method": "basebackup"}],
        roundsman_repository=vault.rest("db1"), roundsman_repository_password=PASSWORD,
        roundsman_drill_host="spare1", roundsman_drill_self_test=True,
    )  # fmt: skip
    roundsman = Roundsman(tmp_path, fleet.inventory())
    db1.write("/root/load", LOAD)
    db1.run("systemd-run --unit load bash /root/load")
    done = roundsman.run("backup", "run", "--limit", "db1")
    assert done.returncode == 0, done.stdout
    assert db1.run("systemctl is-active load").stdout == "active\n"
    assert not db1.run("ls /var/lib/roundsman/spool").stdout

    proof = drilled(roundsman)

    assert (proof["outcome"], proof["level"], proof["where"]) == ("ok", "proven", "spare1"), proof
    found = {one["what"]: one["found"] for one in proof["findings"]}
    assert found["databases"] == "postgres, shop, template0, template1"
    assert found["system identifier"] == sql(db1, "SELECT system_identifier FROM pg_control_system()")


def test_a_dump_that_fails_leaves_no_snapshot(fleet: Fleet, tmp_path: Path) -> None:
    db1 = database_host(fleet, "db1", "bookworm")
    db1.vars.update(roundsman_backups=[SOURCE], roundsman_repository_password=PASSWORD)
    roundsman = Roundsman(tmp_path, fleet.inventory())

    def fails(source: dict[str, Any], reason: str, words: str, **variables: Any) -> None:
        db1.vars.update(roundsman_backups=[source], **variables)
        fleet.inventory()
        done = roundsman.run("backup", "run", "--json")
        assert done.returncode == 2, done.stdout
        (host,) = json.loads(done.stdout)["hosts"]
        (backup,) = host["backups"]
        (problem,) = host["problems"]
        assert (backup["reason"], backup["snapshot"]) == (reason, None), problem
        assert words in problem["message"], problem
        assert not db1.run("ls /var/lib/roundsman/spool/shop", check=False).stdout
        assert [alert["check"] for alert in roundsman.json("alerts", "list")] == ["backup:shop"]

    tool = "/usr/lib/postgresql/15/bin/pg_dump"
    with instead_of(db1, tool, f'{tool}.real "$@" | head -c 20000; kill -9 $$'):
        fails({**SOURCE, "globals": False}, "dump_failed", "Dumping shop failed")
    fails({**SOURCE, "database": "never"}, "dump_failed", 'database "never" does not exist')
    secret = "not-that-one"
    fails({**SOURCE, "host": "127.0.0.1", "login": "seller", "password": secret}, "dump_failed", "password auth")
    assert secret not in roundsman.run("runs", "show", "--json").stdout + db1.run("journalctl --no-pager").stdout
    # The margin that must stay free is 64 MiB.
    db1.run("mkdir -p /srv/small && mount -t tmpfs -o size=60M none /srv/small")
    fails(SOURCE, "no_space", "the dump needs", roundsman_backup_spool_dir="/srv/small")
    db1.run("mount -o remount,size=120M /srv/small")
    with instead_of(db1, tool, f'dd if=/dev/zero of=/srv/small/filler bs=1M 2> /dev/null; exec {tool}.real "$@"'):
        fails(SOURCE, "no_space", "Dumping shop failed", roundsman_backup_spool_dir="/srv/small")
    db1.run("umount /srv/small; systemctl stop postgresql")
    fails(SOURCE, "dump_failed", "PostgreSQL refuses", roundsman_backup_spool_dir="/srv/small")
    db1.run("mv /usr/bin/psql /usr/bin/psql.gone")
    fails(SOURCE, "application_missing", "psql")
    db1.run("mv /usr/bin/psql.gone /usr/bin/psql")
    db1.run(START)
    assert roundsman.run("backup", "run").returncode == 0
    assert len(roundsman.json("backup", "list", "--all")) == 1
