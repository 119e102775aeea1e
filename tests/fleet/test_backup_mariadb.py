"""MariaDB and Redis under write load: saved, proven on another host, lost, put back; and every way that this fails."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.fleet import base
from tests.fleet.databases import CACHE, DATABASE_PASSWORD, LOAD, NOTES, SCHEMA, SHOP
from tests.fleet.putting_back import is_back, lose_and_restore, lose_data, lose_servers
from tests.fleet.source_calls import call, command, install
from tests.fleet.test_backup import PASSWORD, PLAYBOOK
from tests.fleet.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fleet.backup_server import BackupServer
    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

COPY = "/srv/shop/var/lib/roundsman/spool/shop"


@pytest.fixture(scope="module")
def vault(shared_fleet: Fleet) -> BackupServer:
    """Where the repositories are, and where drills are held."""
    return shared_fleet.backup_server("vault", append_only=True, tree=base.servers_tree, release="trixie")


@pytest.fixture(scope="module")
def hosts(shared_fleet: Fleet, vault: BackupServer) -> list[Host]:
    """One of each release, with MariaDB and Redis."""
    made = [
        shared_fleet.host(
            f"db-{release}",
            release=release,
            tree=base.servers_tree,
            variables={
                "roundsman_backups": [SHOP, CACHE, NOTES],
                "roundsman_repository": vault.rest(f"db-{release}"),
                "roundsman_repository_password": PASSWORD,
                "roundsman_drill_host": "vault",
                "roundsman_drill_self_test": True,
            },
        )
        for release in base.RELEASES
    ]
    for host in made:
        host.run(f"printf 'requirepass {DATABASE_PASSWORD}\\nappendonly yes\\n' >> /etc/redis/redis.conf")
        host.run("systemctl start mariadb redis-server", timeout=300)
        host.run("mariadb --default-character-set=utf8mb4", text_in=SCHEMA)
        host.run("mkdir /srv/notes && date > /srv/notes/book")
        host.write("/opt/load", LOAD.format(password=DATABASE_PASSWORD), mode="0755")
        install(host)
    return made


class Play:
    """What a playbook on the databases' hosts said, and what the ledger keeps of it by host and source."""

    def __init__(self, fleet: Fleet, folder: Path, name: str, **variables: Any) -> None:
        environment = {
            "ANSIBLE_CALLBACKS_ENABLED": "roundsman.fleet.ledger",
            "ROUNDSMAN_LEDGER_DIR": str(folder / name),
        }
        argv = [str(PLAYBOOK), "-i", str(fleet.inventory()), f"roundsman.fleet.{name}", "--limit", "db-*"]
        said = subprocess.run(
            [*argv, "-e", json.dumps(variables)],
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        self.ok = said.returncode == 0
        self.said = said.stdout + said.stderr
        kept = "".join(path.read_text() for path in (folder / name).glob("*.jsonl"))
        assert DATABASE_PASSWORD not in self.said + kept
        self.found: dict[tuple[str, str], Any] = {}
        for record in map(json.loads, kept.splitlines()):
            data = record.get("data", {})
            for one in [*data.get("verifications", []), *([data["backup"]] if "backup" in data else [])]:
                self.found[record["host"], one["source"]] = one


@pytest.fixture
def play(shared_fleet: Fleet, hosts: list[Host], tmp_path: Path) -> Callable[..., Play]:
    return lambda name, **variables: Play(shared_fleet, tmp_path, name, **variables)


def test_saved_under_load_proven_elsewhere_lost_and_put_back(
    play: Callable[..., Play], hosts: list[Host], vault: BackupServer, shared_fleet: Fleet, tmp_path: Path
) -> None:
    for host in hosts:
        host.run("systemd-run --quiet --unit=load /opt/load")
    saved = play("backup")
    for host in hosts:
        host.run("systemctl stop load")
    assert saved.ok, saved.said
    drilled = play("drill")
    assert drilled.ok, drilled.said
    vault.host.run("! pgrep -l 'mariadbd|redis-server' && test -z \"$(ls /var/lib/roundsman/scratch)\"")
    for host in hosts:
        assert any("shop.hits (MyISAM)" in told for told in saved.found[host.name, "shop"]["warnings"])
        found = [drilled.found[host.name, source] for source in ("shop", "cache", "notes")]
        assert [(one["level"], one["where"]) for one in found] == [("proven", "vault")] * 3

    inventory = shared_fleet.inventory()
    with ThreadPoolExecutor() as pool:
        lost = [lose_servers, lose_data]
        done = list(pool.map(lambda host, lose: lose_and_restore(host, lose, tmp_path, inventory), hosts, lost))
    for host in hosts:
        shop, cache, notes = (drilled.found[host.name, source] for source in ("shop", "cache", "notes"))
        is_back(host, judge_shop(shop), judge_cache(cache), values(notes))
        put_back_half_way(host, vault)
    killed, whole = done
    assert all(killed[source]["unfinished"]["touched"] for source in ("shop", "cache"))
    assert "took back the replication that an earlier restore had begun" in killed["cache"]["done"]
    assert whole["shop"]["gone"] == ["there is no database shop"]
    # Its accounts are overwritten, so they were saved.
    assert whole["shop"]["safety"]
    assert whole["notes"]["done"][0].startswith("nothing was there that needed a safety snapshot: The dump of notes")
    assert whole["cache"]["done"][-1].startswith("replaced 0 keys by the 1 of the copy")


def values(found: dict[str, Any]) -> dict[str, Any]:
    return {one["what"]: one["found"] for one in found["findings"]}


def judge_shop(found: dict[str, Any]) -> dict[str, Any]:
    shop = values(found)
    assert shop["rows of shop.order_lines"] == 3 * shop["rows of shop.orders"] > 6000
    assert shop["rows of shop.odd `name`; ä"] == 2
    assert shop["rows of shop.hits"] == "not counted (MyISAM)"
    assert [shop[f"{what} of shop"] for what in ("views", "routines", "triggers", "events")] == [1, 1, 1, 1]
    assert shop["accounts"] == 2
    assert found["canary_at"] == shop["canary"].replace(" ", "T")[:-3] + "Z"
    return shop


def judge_cache(found: dict[str, Any]) -> dict[str, Any]:
    cache = values(found)
    assert cache["keys of db0"] == 1
    assert cache["keys of db3 with an expiry"] == cache["keys of db3"] > 0
    assert found["canary_at"]
    return cache


def put_back_half_way(host: Host, vault: BackupServer) -> None:
    """A copy that the server refuses in the middle, and one that was cut."""
    restic = f"RESTIC_PASSWORD={PASSWORD} restic -r {vault.rest(host.name)} --no-cache -q"
    host.run(f"{restic} restore latest --tag source=shop,complete --target /srv/shop")
    spec, dump = {"id": "shop", "type": "mariadb"}, f"{COPY}/dump.sql"
    host.run(f"sed -i 's/^INSERT INTO `order_lines`/INSERT INTO `nowhere`/' {dump}")
    told = call(host, spec, "put_back", COPY, {})["message"]
    assert "It stopped at table order_lines of database shop" in told
    host.run(f"truncate -s -20 {dump}")
    told = call(host, spec, "put_back", COPY, {})
    assert told == {"reason": "repository_damaged", "message": "dump.sql breaks off: its last line is missing"}


BROKEN = [
    {**SHOP, "id": "wrong-password", "password": "falsch"},
    {**CACHE, "id": "cache-wrong-password", "password": "falsch"},
    {**SHOP, "id": "no-database", "database": ["shop", "nowhere"]},
    {**SHOP, "id": "no-canary", "canary": "SELECT nothing FROM nowhere"},
]


def test_what_is_broken_is_told_and_leaves_no_snapshot(play: Callable[..., Play], hosts: list[Host]) -> None:
    broken = play("backup", roundsman_backups=BROKEN)
    assert not broken.ok
    assert [one["snapshot"] for one in broken.found.values()] == [None] * 8
    assert {source: one["reason"] for (_host, source), one in broken.found.items()} == {
        "wrong-password": "dump_failed",
        "cache-wrong-password": "dump_failed",
        "no-database": "source_missing",
        "no-canary": "dump_failed",
    }
    assert "Access denied for user 'backup'" in broken.said
    assert "WRONGPASS" in broken.said
    assert "The server has not nowhere. Nothing was saved." in broken.said
    for host in hosts:
        host.run('test -z "$(ls /var/lib/roundsman/spool)"')


# What a tool does instead of its work, and the message that tells of it.
FAULTY = [
    ("mariadb-dump", SHOP, '"$0" "$@" | head -c 60000; kill -9 $$', "mariadb-dump ended with -9"),
    ("mariadb-dump", SHOP, '"$0" "$@" | head -c 60000', "dump.sql breaks off: its last line is missing"),
    ("mariadb-dump", SHOP, "sleep 1; exit 3", "mariadb-dump ended with 3: it said nothing. Nothing was saved."),
    ("redis-cli", CACHE, '"$0" "$@"; for file; do :; done; truncate -s -20 $file', "Checking the RDB file failed"),
    ("redis-cli", CACHE, "kill -9 $$", "Dumping Redis failed"),
]


@pytest.mark.parametrize(("tool", "spec", "script", "told"), FAULTY)
def test_a_dump_that_breaks_off(hosts: list[Host], tool: str, spec: dict[str, Any], script: str, told: str) -> None:
    for host in hosts:
        path = f"/usr/local/bin/{tool}"
        host.write(path, "#!/bin/sh\n" + script.replace('"$0"', f"/usr/bin/{tool}") + "\n", mode="0755")
        said = call(host, spec, "prepare")
        host.run(f"rm {path}")
        assert said["reason"] == "dump_failed"
        assert told in said["message"]
        host.run('test -z "$(ls /var/lib/roundsman/spool)"')


def test_servers_that_are_stopped_and_tools_that_are_missing(hosts: list[Host]) -> None:
    for host in hosts:
        host.run("systemctl stop mariadb redis-server")
        stopped = [call(host, spec, "prepare") for spec in (SHOP, CACHE)]
        host.run("systemctl start mariadb redis-server; mkdir -p /opt/away", timeout=120)
        host.run("mv /usr/bin/redis-cli /usr/bin/mariadb /usr/bin/mysql /opt/away")
        missing = [call(host, spec, "prepare")["reason"] for spec in (SHOP, CACHE)]
        host.run("mv /opt/away/* /usr/bin")
        assert [said["reason"] for said in stopped] == ["dump_failed"] * 2
        assert "Can't connect to local server" in stopped[0]["message"]
        assert "Is the server running?" in stopped[1]["message"]
        assert missing == ["application_missing"] * 2


def test_a_dump_that_fills_its_disk(hosts: list[Host]) -> None:
    """What compresses well on the server's disk does not in a dump."""
    fill = "CREATE DATABASE big; USE big; CREATE TABLE texts (t LONGTEXT COMPRESSED);"
    fill += " INSERT INTO texts SELECT REPEAT('a', 1000000) FROM seq_1_to_90"
    for host in hosts:
        host.run("mariadb", text_in=fill)
        host.run("mkdir -p /srv/spool && mount -t tmpfs -o size=72M spool /srv/spool")
        full = call(host, {"id": "big", "type": "mariadb", "database": "big"}, "prepare", spool_dir="/srv/spool")
        left = host.run("ls /srv/spool").stdout
        host.run("umount /srv/spool; mariadb -e 'DROP DATABASE big'")
        assert (full.get("reason"), left) == ("no_space", ""), full


def test_a_proof_that_is_killed_leaves_no_server(hosts: list[Host]) -> None:
    host = hosts[0]
    host.run("mkdir /srv/proof && printf -- '\\n-- Dump completed\\n' > /srv/proof/dump.sql")
    proof = command({"id": "shop", "type": "mariadb"}, "prove", "/srv/proof", {})
    running = "pgrep -f '^[^ ]*mariadbd --no-defaults --datadir=/mnt'"
    host.run(
        f"{proof} & for _ in $(seq 600); do {running} && break; sleep .1; done; kill -9 $!;"
        + until(f"! {running}")
    )
    assert call(host, {"id": "shop", "type": "mariadb"}, "prove", "/srv/proof", {}) == {"done": {}}
