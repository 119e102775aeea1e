"""What is on a real host and saved by nobody: databases of running servers, SQLite, directories."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from tests.fleet import base
from tests.fleet.roundsman import Roundsman, backed_up

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.hosts import Fleet

SETUP = """
set -e
systemctl start postgresql@15-main redis-server
runuser -u postgres -- psql -qc 'CREATE DATABASE shop'
runuser -u postgres -- psql -qc 'CREATE DATABASE crm'
redis-cli SET a 1 >/dev/null
mkdir -p /srv/data /srv/scratch /srv/saved
head -c 100000 /dev/urandom > /srv/data/file
head -c 1000 /dev/urandom > /srv/saved/file
head -c 1000 /dev/urandom > /srv/scratch/file
python3 -c 'import sqlite3; c = sqlite3.connect("/srv/saved/app.db"); c.execute("CREATE TABLE t (n)"); c.commit()'
"""


def test_what_nobody_saves_is_found_and_its_lines_close_it(fleet: Fleet, tmp_path: Path) -> None:
    db = fleet.host("db1", tree=base.servers_tree, variables=backed_up("/srv/saved"))
    bare = fleet.host("bare1")
    db.vars.update(roundsman_coverage_ignore=[{"pattern": "/srv/scratch", "reason": "made again every night"}])
    db.run(SETUP)
    roundsman = Roundsman(tmp_path, fleet.inventory())

    done = roundsman.run("backup", "coverage", "--json")

    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    of_db = {(one["kind"], one["name"]): one for one in said["gaps"] if one["host"] == db.name}
    assert {("postgresql", "crm"), ("postgresql", "shop"), ("directory", "/srv/data")} <= set(of_db)
    assert of_db["postgresql", "shop"]["size_bytes"] > 1_000_000
    assert of_db["directory", "/srv/data"]["size_bytes"] == 100_000
    assert "torn" in of_db["sqlite", "/srv/saved/app.db"]["reason"]
    assert of_db["redis", "127.0.0.1:6379"]["size_bytes"] > 0
    # MariaDB is installed and does not run: nobody can say what it holds.
    assert of_db["mariadb", "/var/lib/mysql"]["status"] == "unknown"
    assert not {name for _kind, name in of_db} & {"/srv/scratch", "/srv/saved", "postgres", "/var/lib/postgresql"}
    assert ("host", "bare1") in {(one["kind"], one["name"]) for one in said["gaps"] if one["host"] == bare.name}
    assert of_db["directory", "/srv/data"]["fix"] == "{id: srv-data, type: files, paths: [/srv/data], every: 24h}"
    shown = roundsman.run("backup", "coverage", "--last", "--limit", "db1").stdout
    assert "/srv/data" in shown
    assert "roundsman_backups:" in shown

    # The lines do what they promise, and the report says so.
    db.vars["roundsman_backups"] = [
        *db.vars["roundsman_backups"],
        *(yaml.safe_load(of_db[one]["fix"]) for one in (("postgresql", "shop"), ("directory", "/srv/data"))),
    ]
    fleet.inventory()
    for command in (("backup", "run"), ("backup", "verify"), ("backup", "coverage")):
        roundsman.run(*command, "--limit", "db1")
    page = tmp_path / "report.html"
    report = roundsman.json("backup", "report", "--limit", "db1", "--html", str(page))
    of = {one["source"]: one for one in report["sources"]}
    assert {name: one["status"] for name, one in of.items()} == dict.fromkeys(
        ("data", "srv-data", "postgresql-shop"), "good"
    )
    assert of["srv-data"]["objective_s"] == 86400
    assert of["postgresql-shop"]["restores"]
    assert not {("directory", "/srv/data"), ("postgresql", "shop")} & {(g["kind"], g["name"]) for g in report["gaps"]}
    assert "postgresql-shop" in page.read_text()
