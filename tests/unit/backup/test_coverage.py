"""What is covered by which source: the rules alone, and the walk on a tree of files."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import discovery, discovery_servers
from ansible_collections.roundsman.fleet.plugins.module_utils.coverage import finding, judge, judged
from ansible_collections.roundsman.fleet.plugins.module_utils.engines import process
from ansible_collections.roundsman.fleet.plugins.module_utils.mounts import Mount
from hypothesis import given, settings
from hypothesis import strategies as st

from .cast import Anna

DIRECTORY = finding("directory", "/srv/data", "a directory", "/srv/data", size_bytes=10)
SHOP = finding("postgresql", "shop", "a database", "/var/lib/postgresql/15/main", 5432, 10)
SQLITE = finding("sqlite", "/srv/data/a.db", "a SQLite database", "/srv/data/a.db")


def files(*paths: str, **more: Any) -> dict[str, Any]:
    return {"id": "data", "type": "files", "paths": list(paths), **more}


def verdict(found: dict[str, Any], *specs: dict[str, Any], ignore: Any = ()) -> tuple[str, list[str], str | None]:
    judged = judge(found, list(specs), list(ignore))
    return judged["status"], judged["sources"], judged["reason"]


@pytest.mark.parametrize("paths", [["/srv/data"], ["/srv"], ["/"], ["/srv/data/", "/etc"]])
def test_a_directory_is_covered_by_all_of_it(paths: list[str]) -> None:
    assert verdict(DIRECTORY, files(*paths)) == ("covered", ["data"], None)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (files("/srv/data2"), "no source saves it"),
        (files("/srv/data/in", "/srv/data/out"), "source data saves only /srv/data/in, /srv/data/out of it"),
        (files("/srv", excludes=["data"]), "source data leaves it out by excludes or include_logs"),
        (files("/srv", excludes=["/srv/d*"]), "source data leaves it out by excludes or include_logs"),
    ],
)
def test_a_directory_that_is_not_saved(spec: dict[str, Any], reason: str) -> None:
    assert verdict(DIRECTORY, spec) == ("gap", [], reason)


def test_a_source_of_one_filesystem_leaves_out_the_others() -> None:
    proc = finding("directory", "/proc", "a mounted filesystem", "/proc")
    etc = finding("directory", "/etc", "the system's", "/etc")
    assert verdict(proc, files("/"))[0] == "covered"
    one = files("/", one_file_system=True)
    assert verdict(proc, one)[2] == "source data stays on one filesystem, and this is another"
    assert verdict(etc, one)[0] == "covered"


def test_logs_are_left_out_when_the_source_says_so() -> None:
    logs = finding("directory", "/opt/logs", "a directory", "/opt/logs")
    assert verdict(logs, files("/opt"))[0] == "covered"
    assert verdict(logs, files("/opt", include_logs=False))[0] == "gap"


def test_files_do_not_cover_a_running_database() -> None:
    for found, words in ((SHOP, "no sound database"), (SQLITE, "torn")):
        status, sources, reason = verdict(found, files("/"))
        assert (status, sources) == ("gap", [])
        assert words in str(reason)
        assert verdict(found, files("/elsewhere")) == ("gap", [], "no source saves it")


def test_a_sqlite_database_is_covered_by_its_own_source() -> None:
    assert verdict(SQLITE, files("/"), {"id": "a", "type": "sqlite", "path": "/srv/data/a.db"})[:2] == (
        "covered",
        ["a"],
    )
    assert verdict(SQLITE, {"id": "a", "type": "sqlite", "path": "/srv/data/b.db"})[0] == "gap"


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, "covered"),
        ({"database": "shop"}, "covered"),
        ({"database": ["crm", "shop"]}, "covered"),
        ({"database": "shopping"}, "gap"),
        ({"port": 5432}, "covered"),
        ({"port": 5433}, "gap"),
        ({"host": "db2.example"}, "gap"),
        ({"host": "/run/postgresql"}, "covered"),
    ],
)
def test_a_database_is_covered_by_name_and_server(more: dict[str, Any], status: str) -> None:
    assert verdict(SHOP, {"id": "pg", "type": "postgresql", **more})[0] == status


def test_what_could_not_be_listed_is_unknown_and_never_covered_by_names() -> None:
    at = ("postgresql", "/var/lib/postgresql/15/main", "it refuses")
    silent = discovery_servers.unseen(*at, port=5432, apart=False)
    named = {"id": "pg", "type": "postgresql", "database": "shop"}
    assert verdict(silent) == ("unknown", [], "it refuses")
    assert verdict(silent, named)[0] == "unknown"
    assert verdict(silent, {"id": "pg", "type": "postgresql"})[0] == "covered"
    assert verdict(silent, {"id": "pg", "type": "postgresql", "port": 5433})[0] == "unknown"


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "redis"])
def test_a_source_of_the_host_s_server_does_not_cover_one_that_does_not_run_here(kind: str) -> None:
    """The volume of a container, or what an upgrade left: the source never reaches it."""
    volume = discovery_servers.unseen(kind, "/var/lib/docker/volumes/shop/_data", "it runs apart from this host")
    assert verdict(volume, {"id": "all", "type": kind}) == ("unknown", [], "it runs apart from this host")


def test_a_source_without_a_port_covers_one_server_of_several() -> None:
    other = finding("postgresql", "crm", "a database", "/var/lib/postgresql/17/main", 5433, 10)
    cache = finding("redis", "localhost:6380", "a server", None, 6380, 10)
    sources = [{"id": "pg", "type": "postgresql"}, {"id": "redis", "type": "redis"}]
    statuses = [one["status"] for one in judged([SHOP, other, cache], sources, [])]
    assert statuses == ["covered", "gap", "gap"]
    # Debian's client finds it, when it is the only one.
    assert [one["status"] for one in judged([other], sources, [])] == ["covered"]
    by_socket = {"id": "redis", "type": "redis", "socket": "/run/cache.sock"}
    assert judged([cache], [by_socket], [])[0]["status"] == "covered"


def test_what_is_ignored_says_why_and_what_is_saved_is_not_ignored() -> None:
    ignore = [{"pattern": "/srv/*", "reason": "scratch"}, {"pattern": "postgresql:sh*", "reason": "made by tests"}]
    assert verdict(DIRECTORY, ignore=ignore) == ("ignored", [], "scratch")
    assert verdict(SHOP, ignore=ignore) == ("ignored", [], "made by tests")
    assert verdict(DIRECTORY, files("/srv"), ignore=ignore)[0] == "covered"
    assert verdict(SHOP, ignore=[{"pattern": "shop", "reason": "no"}])[0] == "gap"


NAMES = st.lists(st.sampled_from(["a", "b", "log", "data"]), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


@settings(deadline=None)
@given(
    NAMES, st.lists(NAMES, min_size=1, max_size=3), st.lists(st.sampled_from(["a", "b/a", "/a/b", "log"]), max_size=2)
)
def test_covered_means_that_some_path_is_above_and_excludes_only_take_away(
    path: str, paths: list[str], excludes: list[str]
) -> None:
    found = finding("directory", path, "", path)
    status = verdict(found, files(*paths, excludes=excludes))[0]
    if status == "covered":
        assert any(path == root or path.startswith(root + "/") for root in paths)
        assert verdict(found, files(*paths))[0] == "covered"
    assert status in {"covered", "gap"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "srv"
    (root / "data/deep").mkdir(parents=True)
    (root / "data/deep/file").write_bytes(b"x" * 1000)
    (root / "data/link").symlink_to("/etc")
    with sqlite3.connect(root / "data/app.db") as database:
        database.execute("CREATE TABLE t (n)")
    database.close()
    (root / "data/app.db-wal").write_bytes(b"y" * 5000)
    (root / "data/notes.db").write_text("only a name")
    (root / "data/.cache").mkdir()
    (root / "data/.cache/app.db").write_bytes((root / "data/app.db").read_bytes())
    (root / "pg/15/base").mkdir(parents=True)
    (root / "pg/15/PG_VERSION").write_text("15")
    (root / "empty/below").mkdir(parents=True)
    return root


def walked(root: Path, max_entries: int = 1000, **more: Any) -> discovery.Walk:
    candidates = {str(path): "here" for path in sorted(root.iterdir())}
    return discovery.Walk(max_entries, lambda: False, **more).look(candidates)


def test_the_walk_finds_data_databases_and_servers(root: Path) -> None:
    walk = walked(root)
    found = {(one["kind"], one["name"]): one for one in walk.findings}
    assert set(found) == {("directory", f"{root}/data"), ("sqlite", f"{root}/data/app.db")}
    cached = (root / "data/.cache/app.db").stat().st_size
    assert found["directory", f"{root}/data"]["size_bytes"] == 1000 + len("only a name") + cached
    assert walk.servers == [("postgresql", f"{root}/pg/15")]
    assert not walked(root, skip=[f"{root}/data/deep", f"{root}/pg/15"]).servers


def test_redis_hides_nothing_that_lies_beside_its_files(root: Path) -> None:
    """It writes its dump into the directory that it was started in."""
    (root / "data/dump.rdb").write_bytes(b"r" * 300)
    (root / "cache/appendonlydir").mkdir(parents=True)
    (root / "cache/appendonlydir/a.aof").write_bytes(b"r" * 300)
    before = {one["name"]: one["size_bytes"] for one in walked(root).findings}
    assert {f"{root}/data", f"{root}/data/app.db"} == set(before)
    assert before[f"{root}/data"] > 1000
    assert {("redis", f"{root}/data"), ("redis", f"{root}/cache")} < set(walked(root).servers)


def test_a_mariadb_without_databases_hides_no_other_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The volume of a container, beside a server of the host that holds nothing yet."""
    client = tmp_path / "mariadb"
    client.write_text(f"#!/bin/sh\necho {tmp_path}/own/; [ ! -e {tmp_path}/rows ] || cat {tmp_path}/rows\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (found,) = discovery_servers.mariadb(f"{tmp_path}/volume")
    assert (found["apart"], "another directory" in found["problem"]) == (True, True)
    assert discovery_servers.mariadb(f"{tmp_path}/own") == []
    (tmp_path / "rows").write_text("73686F70\t4096\n")
    (shop,) = discovery_servers.mariadb(f"{tmp_path}/own")
    assert (shop["name"], shop["size_bytes"]) == ("shop", 4096)


@pytest.mark.parametrize("gone", ["data/deep", "data", "empty"])
def test_a_directory_that_somebody_removes_meanwhile_is_no_finding(root: Path, gone: str) -> None:
    candidates = {str(path): "here" for path in sorted(root.iterdir())}
    looks = itertools.count()

    def is_over() -> bool:
        """It is asked before each directory, of which the first one is data itself."""
        if next(looks):
            shutil.rmtree(root / gone, ignore_errors=True)
        return False

    walk = discovery.Walk(1000, is_over).look(candidates)
    assert [one["problem"] for one in walk.findings if one["problem"]] == []
    assert ("directory", f"{root}/data") in {(one["kind"], one["name"]) for one in walk.findings}


def test_what_the_limit_leaves_unseen_is_said(root: Path) -> None:
    found = walked(root, max_entries=2).findings
    unfinished = next(one for one in found if one["problem"])
    assert judge(unfinished, [files("/")], [])["status"] == "unknown"
    assert f"{root}/data" in unfinished["name"]
    assert "max_entries" in unfinished["remedy"]
    directory = next(one for one in found if one["name"] == f"{root}/data")
    assert (directory["size_bytes"], judge(directory, [], [])["status"]) == (None, "gap")


def test_a_network_filesystem_is_unknown() -> None:
    (found,) = discovery.remote(
        [Mount("/", "ext4", "8:1", ["rw"], ["rw"]), Mount("/nfs", "nfs4", "0:9", ["rw"], ["rw"])]
    )
    assert judge(found, [], [])["status"] == "unknown"
    assert judge(found, [files("/nfs")], [])["status"] == "covered"


def test_a_network_filesystem_is_never_touched(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its server may be gone, and then whoever looks at it waits for ever."""
    (root / "link").symlink_to(root / "data/deep")
    mounted = [
        Mount("/", "ext4", "8:1", ["rw"], ["rw"]),
        Mount(f"{root}/pg", "nfs4", "0:9", ["rw"], ["rw"]),
        Mount(f"{root}/pg/local", "ext4", "8:2", ["rw"], ["rw"]),
        Mount(f"{root}/data/deep", "cifs", "0:10", ["rw"], ["rw"]),
    ]
    (root / "pg/local").mkdir()
    monkeypatch.setattr(discovery, "PARENTS", (str(root),))
    monkeypatch.setattr(discovery, "SINGLE", ())
    monkeypatch.setattr(discovery, "PASSING", re.compile("/nowhere"))
    candidates = discovery.candidates(mounted)
    assert set(candidates) == {f"{root}/data", f"{root}/empty", f"{root}/pg/local"}
    walk = discovery.Walk(1000, lambda: False, mounted=mounted).look(candidates)
    here, all_of_it = (
        {one["name"]: one["size_bytes"] for one in found}[f"{root}/data"]
        for found in (walk.findings, walked(root).findings)
    )
    assert all_of_it - here == 1000


def test_the_repository_and_our_own_directory_are_no_data(root: Path) -> None:
    skipped = walked(root, skip=[f"{root}/data"])
    assert skipped.findings == []


def test_a_name_that_is_no_text_reaches_the_controller(root: Path) -> None:
    """Ansible refuses whole results for the sake of one such name."""
    odd = os.fsencode(root) + b"/caf\xe9"
    Path(os.fsdecode(odd)).mkdir()
    Path(os.fsdecode(odd + b"/file")).write_text("data")
    found = next(one for one in walked(root).findings if "caf" in one["name"])
    judgement = judge(found, [files(os.fsdecode(odd))], [])
    json.dumps(judgement, ensure_ascii=False).encode()
    assert (judgement["name"], judgement["status"]) == (f"{root}/caf\\xe9", "covered")
    assert judge(found, [], [{"pattern": f"{root}/caf*", "reason": "odd"}])["status"] == "ignored"
    closed = judge(dict(found, problem=f"{os.fsdecode(odd)}: Permission denied"), [], [])
    assert closed["reason"] == f"{root}/caf\\xe9: Permission denied"


def test_a_server_that_does_not_run_is_unknown(root: Path) -> None:
    (found,) = discovery_servers.postgresql(f"{root}/pg/15")
    assert judge(found, [], [])["status"] == "unknown"
    assert "does not run" in found["problem"]


def test_a_process_whose_name_is_no_text_is_not_in_the_way() -> None:
    rename = r"open('/proc/self/comm', 'wb').write(b'\xff'); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", rename], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert discovery_servers.runs_mariadb() in (True, False)
        assert process.program_of(other.pid) == "\ufffd"
        other.communicate(b"\n")


def test_the_module_hides_secrets_and_nothing_else(anna: Anna) -> None:
    sources = [
        {"id": "etc", "paths": ["/etc"], "every": "24h"},
        {"id": "shop", "type": "postgresql", "database": "shop", "password": "hunter2-secret"},
    ]
    ignore = [{"pattern": "*", "reason": "only looked at"}]
    said = anna.call("backup_coverage", sources=sources, ignore=ignore, max_entries=2000)
    etc = next(one for one in said["coverage"]["findings"] if one["name"] == "/etc")
    assert (etc["status"], etc["sources"]) == ("covered", ["etc"])
    (etc_source, _shop) = said["coverage"]["sources"]
    assert (etc_source["id"], etc_source["type"], etc_source["plan"]["every_s"]) == ("etc", "files", 86400)
    assert "hunter2-secret" not in str(said)
    assert {one["status"] for one in said["coverage"]["findings"]} <= {"covered", "ignored"}
