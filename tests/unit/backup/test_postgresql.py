"""PostgreSQL by dumps and by base backups, with a real server of this machine's own PostgreSQL."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.base import BackupError
from ansible_collections.roundsman.fleet.plugins.module_utils.sources import postgresql_server, registry
from ansible_collections.roundsman.fleet.plugins.module_utils.sources.base import Effects
from ansible_collections.roundsman.fleet.plugins.module_utils.state import State

from tests.postgresql import AS_POSTGRES, HOMES, Server, cluster

from .cast import Anna
from .test_backup import reason_of, record_of, wait_for

pytestmark = pytest.mark.skipif(not HOMES, reason="PostgreSQL is not installed")
SCHEMA = """
CREATE DATABASE shop; CREATE ROLE seller;
ALTER DATABASE shop SET timezone = 'Asia/Kolkata'; ALTER DATABASE shop SET datestyle = 'German';
ALTER DATABASE shop SET idle_in_transaction_session_timeout = '20ms'; ALTER DATABASE shop SET statement_timeout = '1s';
\\c shop
CREATE TABLE orders (id bigserial PRIMARY KEY, at timestamptz DEFAULT now());
CREATE TABLE lines (orders bigint);
CREATE TABLE log (line text);
INSERT INTO orders SELECT FROM generate_series(1, 2000); INSERT INTO lines SELECT id FROM orders;
INSERT INTO log SELECT repeat(md5(n::text), 20) FROM generate_series(1, 500) n;
"""
PAIR = """WITH one AS (INSERT INTO orders DEFAULT VALUES RETURNING id) INSERT INTO lines SELECT id FROM one;
SELECT pg_sleep(.01);"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with cluster() as made:
        made.sql(SCHEMA, "postgres")
        yield made


@pytest.fixture
def anna(tmp_path: Path) -> Anna:
    return Anna(tmp_path / "anna").with_repository()


def back_up(anna: Anna, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    result = anna.call("backup", **anna.arguments(source=spec, **more))
    print(result["msg"])  # shown when the test fails
    return result


def proven(anna: Anna, **more: Any) -> dict[str, Any]:
    (record,) = anna.verify(level="proven", **more)["verifications"]
    assert (record["outcome"], record["level"]) == ("ok", "proven"), record["message"]
    assert not list((anna.state / "scratch").iterdir())
    found: dict[str, Any] = {one["what"]: one["found"] for one in record["findings"]}
    return found


@contextlib.contextmanager
def load(server: Server) -> Iterator[None]:
    """Orders and lines that come in pairs, one transaction each."""
    argv = [str(server.home / "psql"), "-Xq", "-h", str(server.root), "-U", "postgres", "shop"]
    yes = subprocess.Popen(["yes", PAIR], stdout=subprocess.PIPE)
    writer = subprocess.Popen(argv, stdin=yes.stdout, stdout=subprocess.DEVNULL)
    try:
        before = server.sql("SELECT count(*) FROM orders")
        wait_for(lambda: server.sql("SELECT count(*) FROM orders") != before)
        yield
        assert writer.poll() is None
    finally:
        for process in (writer, yes):
            process.kill()
            process.wait()


def test_a_dump_under_load_is_of_one_moment_and_proven(anna: Anna, server: Server) -> None:
    spec = server.spec(database="shop", canary="SELECT max(at) FROM orders;", uncounted=["*.log"])
    with load(server):
        record_of(back_up(anna, spec))
    assert not list((anna.state / "spool").iterdir())
    found = proven(anna, self_test=True)  # in a server that knows nothing of the database's zone and style
    assert found["rows of shop.public.orders"] == found["rows of shop.public.lines"] > 2000
    assert found["table shop.public.log"] == "there"
    assert found["canary"] > "2026"
    assert found["canary"].endswith("+00")


def test_a_base_backup_under_load_is_proven(anna: Anna, server: Server) -> None:
    user = {"user": "postgres"} if AS_POSTGRES else {}
    with load(server):
        record_of(back_up(anna, server.spec(method="basebackup", **user)))
    assert not list((anna.state / "spool").iterdir())
    assert proven(anna, self_test=True)["databases"] == "postgres, shop, template0, template1"


def test_a_base_backup_and_a_later_archive_reach_the_time_between_two_writes(anna: Anna, server: Server) -> None:
    """The steps are those of docs/backup.md."""
    spec = server.spec(method="basebackup", wal_archive=str(server.archive))
    server.sql("CREATE TABLE writes (name text)")
    first = record_of(back_up(anna, spec))["snapshot"]
    server.sql("INSERT INTO writes VALUES ('wanted')")
    moment = server.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00')")
    time.sleep(0.05)
    server.sql("INSERT INTO writes VALUES ('by mistake')")
    record_of(back_up(anna, spec))
    restored = {}
    for which, snapshot in (("base", first), ("latest", "latest")):
        target = server.root / which
        anna.restore(target=str(target), snapshot=snapshot)
        restored[which] = target
    data = restored["base"] / str(anna.state / "spool" / "data" / "data").lstrip("/")
    wal = restored["latest"] / str(server.archive).lstrip("/")
    twin = Server(server.root / "twin", server.home)
    twin.root.mkdir()
    shutil.move(data, twin.data)
    shutil.move(wal, twin.root / "wal")
    twin.archive.mkdir()
    with (twin.data / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"restore_command = 'cp {twin.root}/wal/%f %p'\n")
        settings.write(f"recovery_target_time = '{moment}'\nrecovery_target_action = 'promote'\n")
    (twin.data / "recovery.signal").touch()
    if AS_POSTGRES:
        subprocess.run(["chown", "-R", "postgres:", str(twin.root)], check=True)
    twin.start()
    try:
        assert twin.sql("SELECT name FROM writes") == "wanted"
    finally:
        twin.stop()
    assert server.sql("SELECT count(*) FROM writes") == "2"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ('{tool} "$@" | head -c 3000; kill -9 $$', "dump_failed"),
        ('{tool} "$@" | head -c 3000', "dump_failed"),
        ("echo No space left on device >&2; exit 1", "no_space"),
        ("sleep 60", "timeout"),
    ],
)
def test_a_dump_that_fails_leaves_nothing(anna: Anna, server: Server, script: str, reason: str) -> None:
    stub = anna.bin / "pg_dump"
    stub.write_text("#!/bin/sh\n" + script.format(tool=server.home / "pg_dump"))
    stub.chmod(0o755)
    more = {"timeout_s": 3} if reason == "timeout" else {}
    assert reason_of(back_up(anna, server.spec(database="shop"), **more)) == reason
    assert not list((anna.state / "spool").iterdir())
    assert not anna.snapshots()
    stub.unlink()
    assert len(record_of(back_up(anna, server.spec(database="shop")))["snapshots"]) == 1


def test_what_is_not_there_is_said(anna: Anna, server: Server) -> None:
    assert reason_of(back_up(anna, server.spec(database=["shop", "never"]))) == "source_missing"
    assert reason_of(back_up(anna, server.spec(method="basebackup", wal_archive="/never"))) == "source_missing"
    refused = back_up(anna, server.spec(database="shop", login="nobody", password="not-that-one"))
    assert reason_of(refused) == "dump_failed"
    assert "not-that-one" not in str(refused)


@pytest.mark.parametrize(("wanted", "exactly"), [(99, False), (1, True)])
def test_programs_of_another_version_will_not_do(tmp_path: Path, wanted: int, exactly: bool) -> None:
    effects = Effects(State(str(tmp_path)), [], None, lambda: None, lambda: 60.0, str)
    assert postgresql_server.programs(effects, 1) == str(HOMES[-1].parent)
    with pytest.raises(BackupError, match=f"copy is of PostgreSQL {wanted}") as raised:
        postgresql_server.programs(effects, wanted, exactly)
    assert raised.value.reason == "application_missing"


# It tells nobody anything but the server of a proof, which is made to wait.
ENDLESS = "SELECT CASE WHEN session_user = 'roundsman_proof' THEN pg_sleep(600)::text ELSE 'live' END"


def test_a_proof_that_is_killed_leaves_no_server_and_the_next_one_no_files(anna: Anna, server: Server) -> None:
    record_of(back_up(anna, server.spec(database="shop", canary=ENDLESS)))
    running = anna.start("backup_verify", **anna.arguments(sources=["data"], level="proven"))
    children: list[psutil.Process] = []

    def serves() -> bool:
        children[:] = psutil.Process(running.pid).children(recursive=True)
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            return any(child.name() == "postgres" for child in children)
        return False

    wait_for(serves)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    _gone, alive = psutil.wait_procs(children, timeout=60)
    assert not alive
    assert list((anna.state / "scratch").iterdir())
    record_of(back_up(anna, server.spec(database="shop"), lock_timeout_s=60))
    proven(anna)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"database": ["a", ""]}, "database: '' is no name"),
        ({"database": 5}, "database: 5 is no name"),
        ({"canary": "SELECT 1"}, "canary needs exactly one database"),
        ({"database": "a", "canary": " "}, "canary must be text that is not empty"),
        ({"uncounted": "all"}, "uncounted must be a list"),
        ({"uncounted": [1]}, "uncounted: 1 is no pattern"),
        ({"wal_archive": "/a"}, "wal_archive belongs to method basebackup"),
        ({"globals": "no"}, "globals must be true or false"),
        ({"port": "x"}, "port must be a number"),
        ({"method": "rsync"}, "method must be dump or basebackup"),
        ({"method": "basebackup", "database": "a"}, "database belongs to method dump"),
        ({"method": "basebackup", "wal_archive": "a"}, "wal_archive: 'a' is not an absolute path"),
        ({"method": "basebackup", "port": "x"}, "port must be a number"),
    ],
)
def test_faulty_definitions_are_refused(more: dict[str, Any], words: str) -> None:
    (fault,) = registry.faults([{"id": "data", "type": "postgresql", **more}])
    assert words in fault


def test_the_copy_that_nothing_put_there_is_refused(tmp_path: Path) -> None:
    for spec in ({"id": "a", "type": "postgresql"}, {"id": "a", "type": "postgresql", "method": "basebackup"}):
        with pytest.raises(BackupError, match="the copy holds no readable") as raised:
            registry.source_of(spec).prove(str(tmp_path), {}, None)
        assert raised.value.reason == "proof_failed"
