"""The printed runbook, with nothing but restic and the servers' own programs, on a host that never saw Roundsman."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fleet import base
from tests.fleet.roundsman import PASSWORD, Roundsman

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

SOURCES = [
    {"id": "all.pg", "type": "postgresql"},
    {"id": "crm", "type": "mariadb"},
    {"id": "cache", "type": "redis"},
    {"id": "books", "type": "sqlite", "path": "/srv/books/main.db"},
    {"id": "words", "type": "custom", "dump": "echo word", "into": "words.txt", "restore": "cp words.txt /srv/"},
    {"id": "srv-files", "paths": ["/srv/files"]},
]
START = """systemctl start postgresql mariadb redis-server
until su postgres -c 'psql -qc "SELECT 1"' && mariadb -e 'SELECT 1' && redis-cli ping; do sleep .1; done &> /dev/null"""
FILL = """set -e
su postgres -c 'psql -qX' << 'END'
CREATE ROLE "odd seller" LOGIN PASSWORD 'opensesame';
CREATE TABLE noted AS SELECT generate_series(1, 7) n;
CREATE DATABASE "my shop" OWNER "odd seller";
\\c "my shop"
CREATE TABLE orders AS SELECT generate_series(1, 5000) n;
ALTER TABLE orders OWNER TO "odd seller";
END
mariadb -e "CREATE DATABASE crm; CREATE TABLE crm.people AS SELECT seq, x'00FF27' AS photo FROM mysql.seq_1_to_300;
    CREATE USER app@localhost IDENTIFIED BY 'app'; GRANT SELECT ON crm.* TO app@localhost"
seq 500 | sed 's/.*/set key-& value-&/' | redis-cli > /dev/null
mkdir -p /srv/books /srv/files/deep
python3 -c 'import sqlite3
db = sqlite3.connect("/srv/books/main.db")
db.execute("CREATE TABLE pages (n)")
db.executemany("INSERT INTO pages VALUES (?)", [(n,) for n in range(900)])
db.commit()'
chown ops /srv/books/main.db && chmod 640 /srv/books/main.db
echo content > /srv/files/deep/file && ln -s deep/file /srv/files/link
"""
ASK = """set -e
su postgres -c 'psql -XAtq postgres' << 'END'
SELECT 'noted', count(*) FROM noted;
SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE NOT datistemplate ORDER BY 1;
\\c "my shop"
SELECT tableowner, (SELECT count(*) FROM orders) FROM pg_tables WHERE tablename = 'orders';
END
mariadb -N crm -e "SELECT COUNT(*), SUM(seq), HEX(MAX(photo)) FROM people"
mariadb -N -uapp -papp -e "SELECT COUNT(*) FROM crm.people"
redis-cli dbsize && redis-cli get key-77
python3 -c 'import sqlite3
print(sqlite3.connect("/srv/books/main.db").execute("SELECT count(*) FROM pages").fetchone())'
stat -c '%n %U %a' /srv/books/main.db / /srv /var/lib
cat /srv/files/link && readlink /srv/files/link
"""


def started(fleet: Fleet, name: str, release: str) -> Host:
    host = fleet.host(name, release=release, tree=base.servers_tree)
    host.run(START, timeout=300)
    return host


def test_every_application_comes_back_without_roundsman(fleet: Fleet, tmp_path: Path) -> None:
    vault = fleet.backup_server("vault1", append_only=True)
    app = started(fleet, "app1", "bookworm")
    app.vars.update(
        roundsman_backups=SOURCES,
        roundsman_repository=vault.rest("app1"),
        roundsman_repository_password=PASSWORD,
    )
    app.run("bash -s", text_in=FILL)
    lost = app.run("bash -s", text_in=ASK).stdout
    roundsman = Roundsman(tmp_path, fleet.inventory())
    made = roundsman.run("backup", "run", "--limit", "app1")
    assert made.returncode == 0, made.stdout + made.stderr
    printed = roundsman.run("backup", "runbook", "app1").stdout
    app.stop()

    fresh = started(fleet, "fresh1", "trixie")
    script = f"export RESTIC_PASSWORD={PASSWORD}\nset -eo pipefail\n{printed}"
    untouched = '[ ! -e /srv/books ] && [ "$(redis-cli dbsize)" = 0 ] && ! mariadb -e "USE crm" 2> /dev/null\n'
    loads = "\n".join(f"load_{source['id']}" for source in SOURCES)
    said = fresh.run("bash -s", text_in=f"{script}\n{untouched}{loads}\n", timeout=300).stdout
    assert "FAILED" not in said
    copy = "/srv/restored/words/var/lib/roundsman/spool/words"
    assert f"to be run as root with ROUNDSMAN_COPY={copy}: cp words.txt /srv/" in said
    assert fresh.run("bash -s", text_in=ASK).stdout == lost
