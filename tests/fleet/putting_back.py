"""Losses on hosts, and what puts them back: a source's own method, or the command, killed on the way or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fleet.databases import DATABASE_PASSWORD
from tests.fleet.roundsman import Roundsman
from tests.fleet.source_calls import call, install

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.fleet.host import Host


def put_back(host: Host, spec: dict[str, Any], copy: str) -> dict[str, Any]:
    """By its method, from a copy there: {"done": what was done}, or {"reason", "message"} of the failure."""
    install(host)
    return call(host, spec, "put_back", copy, {})


def lose_servers(host: Host) -> None:
    """The data of both servers are gone, and new servers were set up."""
    host.run("systemctl stop mariadb redis-server && rm -rf /var/lib/mysql/* /var/lib/redis/* /srv/notes")
    host.run("mariadb-install-db --user=mysql > /dev/null && systemctl start mariadb redis-server", timeout=300)


def lose_data(host: Host) -> None:
    """Somebody dropped them; the accounts are still there, one of them with another password."""
    host.run("mariadb -e \"DROP DATABASE shop; ALTER USER app@localhost IDENTIFIED BY 'new'\"; rm -r /srv/notes")
    host.run(f"REDISCLI_AUTH={DATABASE_PASSWORD} redis-cli flushall")


# Loads half of the database, and then the module is gone.
HALF = """#!/bin/sh
case "$*" in
*max-allowed*) head -c 60000 | /usr/bin/mariadb "$@"; kill -9 $PPID ;;
*) exec /usr/bin/mariadb "$@" ;;
esac
"""
# The same for the module that lets Redis take over the copy, which takes long enough to be met.
LENDER = """#!/bin/sh
exec /usr/bin/redis-server "$@" << END
$(cat)
repl-diskless-sync-delay 20
END
"""
WATCH = f"""export REDISCLI_AUTH={DATABASE_PASSWORD}
until redis-cli role | grep -q slave; do :; done
for lock in /var/lib/roundsman/locks/*.lock; do kill -9 $(cat $lock); done
"""


def kill_while_restored(host: Host, in_place: Callable[[], subprocess.CompletedProcess[str]]) -> None:
    host.write("/usr/local/bin/mariadb", HALF, mode="0755")
    host.write("/usr/local/bin/redis-server", LENDER, mode="0755")
    host.write("/opt/watch", WATCH)
    host.run("systemd-run --quiet --unit=watch sh /opt/watch")
    killed = in_place()
    assert killed.returncode != 0, killed.stdout
    host.run("rm /usr/local/bin/mariadb /usr/local/bin/redis-server; ! systemctl is-active --quiet watch")
    assert "slave" in host.run(f"REDISCLI_AUTH={DATABASE_PASSWORD} redis-cli role").stdout


def restored(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    assert DATABASE_PASSWORD not in done.stdout + done.stderr
    (host,) = json.loads(done.stdout)["hosts"]
    return {one["source"]: one for one in host["restores"]}


def is_back(host: Host, shop: dict[str, Any], cache: dict[str, Any], notes: dict[str, Any]) -> None:
    counted = host.run("mariadb -Nse 'SELECT COUNT(*) FROM order_lines; SELECT MAX(placed_at) FROM orders' shop")
    assert counted.stdout == f"{shop['rows of shop.order_lines']}\n{shop['canary']}\n"
    host.run("mariadb -u app -papp shop -e 'CALL work(1)'")
    # It is the server's own now, in its append-only file as well.
    host.run("systemctl restart redis-server")
    assert "db0:keys=1,expires=0" in host.run(f"REDISCLI_AUTH={DATABASE_PASSWORD} redis-cli info keyspace").stdout
    assert cache["keys of db0"] == 1
    assert host.run("wc -l < /srv/notes/book").stdout.strip() == notes["lines"]


def lose_and_restore(host: Host, lose: Callable[[Host], None], folder: Path, inventory: Path) -> dict[str, Any]:
    """By the command; after the greater loss it is killed once on the way."""
    roundsman = Roundsman(folder / host.name, inventory)

    def in_place() -> subprocess.CompletedProcess[str]:
        return roundsman.run("restore", host.name, "--in-place", "--yes", "--json")

    lose(host)
    if lose is lose_servers:
        kill_while_restored(host, in_place)
    return restored(in_place())
