"""A drill on another host: what one host saved, another restores, starts and asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fleet.roundsman import PASSWORD, Roundsman
from tests.fleet.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.hosts import Fleet

FILL = """
import sqlite3
db = sqlite3.connect("/srv/shop.db")
db.execute("PRAGMA journal_mode=wal")
db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP)")
db.executemany("INSERT INTO orders (id) VALUES (?)", [(n,) for n in range(1000)])
db.commit()
"""
LOAD = """
import sqlite3, time
db = sqlite3.connect("/srv/shop.db", timeout=30, isolation_level=None)
while True:
    db.execute("INSERT INTO orders (id) VALUES (NULL)")
    time.sleep(0.005)
"""
COUNT = """
import sqlite3
print(sqlite3.connect("/srv/shop.db").execute("SELECT count(*) FROM orders").fetchone()[0])
"""


def test_another_host_proves_what_was_saved_under_load_and_what_is_lost_comes_back(
    fleet: Fleet, tmp_path: Path
) -> None:
    vault = fleet.backup_server("vault1", append_only=True)
    app = fleet.host("app1")
    spare = fleet.host("spare1", release="trixie")
    app.vars.update(
        roundsman_backups=[
            {"id": "shop", "type": "sqlite", "path": "/srv/shop.db", "canary": "SELECT max(at) FROM orders"},
            {"id": "etc", "type": "files", "paths": ["/etc"]},
        ],
        roundsman_repository=vault.rest("app1"),
        roundsman_repository_password=PASSWORD,
        roundsman_drill_host="spare1",
        roundsman_drill_self_test=True,
    )
    app.write("/root/fill.py", FILL)
    app.write("/root/load.py", LOAD)
    app.write("/root/count.py", COUNT)
    app.run("python3 /root/fill.py; systemd-run --quiet --unit=load python3 /root/load.py")
    app.run(until("test $(python3 /root/count.py) -gt 1000"))
    roundsman = Roundsman(tmp_path, fleet.inventory())
    only = ("--limit", "app1")
    assert roundsman.run("backup", "run", *only).returncode == 0

    shop, etc = drilled(roundsman, *only)

    assert (shop["level"], shop["outcome"], shop["where"]) == ("proven", "ok", "spare1")
    rows = {one["what"]: one["found"] for one in shop["findings"]}["rows of orders"]
    assert rows > 1000
    assert shop["canary_at"] > "2026"
    assert (etc["level"], etc["outcome"], etc["where"]) == ("restored", "ok", "spare1"), etc
    assert not app.run("ls /var/lib/roundsman/spool").stdout
    assert not spare.run("ls /var/lib/roundsman/scratch").stdout
    listed = {one["source"]: one["level"] for one in roundsman.json("backup", "list", *only)}
    assert listed == {"shop": "proven", "etc": "restored"}

    app.run("systemctl stop load; rm /srv/shop.db*")
    back = roundsman.run("restore", "app1", "--source", "shop", "--in-place", "--yes")
    assert back.returncode == 0, back.stdout + back.stderr
    assert int(app.run("python3 /root/count.py").stdout) == rows


def drilled(roundsman: Roundsman, *options: str) -> list[dict[str, Any]]:
    done = roundsman.run("backup", "verify", "--level", "proven", "--json", *options)
    (host,) = json.loads(done.stdout)["hosts"]
    found: list[dict[str, Any]] = host["verifications"]
    assert len(found) == 2, done.stdout
    return found
