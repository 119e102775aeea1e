"""What a dump of MariaDB tells, and a client that converses; the servers themselves are in tests/fleet."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.base import BackupError
from ansible_collections.roundsman.fleet.plugins.module_utils.sources import mariadb, mariadb_dump, registry
from ansible_collections.roundsman.fleet.plugins.module_utils.sources import mariadb_client as ask
from ansible_collections.roundsman.fleet.plugins.module_utils.sources.base import Effects
from ansible_collections.roundsman.fleet.plugins.module_utils.state import State
from hypothesis import given
from hypothesis import strategies as st

DUMP = """-- MariaDB dump
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop`;
USE `shop`;
CREATE TABLE `orders` (
);
INSERT INTO `orders` VALUES (1,'CREATE TABLE `none`');
CREATE TABLE `odd``name` (
);
USE `wiki`;
CREATE TABLE `pages` (
);
-- Dump completed
"""
# Speaks as the client does: a line for each SELECT of a text, an error for what it does not know.
CLIENT = """#!{python}
import sys
for line in sys.stdin:
    if line.startswith("SELECT '"):
        print(line[8:-3], flush=True)
    elif "PAUSE" in line:
        import time; time.sleep(60)
    elif "ROWS" in line:
        print("a\\\\tb\\\\\\\\\\tNULL")
        print("\\u00e4\\\\n\\t")
    elif "SET" not in line:
        sys.exit("ERROR 1064 (42000) at line 3: near 'geheim'")
"""


@pytest.fixture
def dump(tmp_path: Path) -> str:
    path = tmp_path / "dump.sql"
    path.write_text(DUMP)
    return str(path)


def effects(tmp_path: Path, tick: Any = lambda: None) -> Effects:
    return Effects(State(str(tmp_path)), [], None, tick, lambda: 5.0, lambda words: words.replace("geheim", "***"))


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "mariadb"
    script.write_text(CLIENT.format(python=sys.executable))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


SERVER = ask.Server([], {}, None)


def test_a_conversation(client: Path) -> None:
    with ask.session(effects(client), SERVER) as talk:
        assert talk.ask("ROWS") == [["a\tb\\", "NULL"], ["ä\n", ""]]
        assert talk.ask("SET nothing") == []


def test_a_client_runs_statements_only(client: Path) -> None:
    """A dump or a canary may come with the snapshot of an intruder's host; the client runs as root."""
    words = ask.client(SERVER)
    assert "--binary-mode" in words  # else a line such as `\! command` in a dump is a command for the shell
    assert "--local-infile=0" in words


ALL_OF_SHOP = ["GRANT RELOAD ON *.* TO `b`@`%`", "GRANT ALL PRIVILEGES ON `shop`.* TO `b`@`%`"]
BY_A_ROLE = ["GRANT `r` TO `b`@`%`", "GRANT USAGE ON *.* TO `b`@`%`", "GRANT SELECT, TRIGGER ON *.* TO `r`"]


@pytest.mark.parametrize(
    ("grants", "named", "lacks"),
    [
        (["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"], None, None),
        (["GRANT SELECT, RELOAD, SHOW VIEW, EVENT, TRIGGER ON *.* TO `b`@`%`"], None, None),
        (["GRANT SELECT, RELOAD, SHOW VIEW, EVENT ON *.* TO `b`@`%`"], None, ("TRIGGER", "*.*")),
        (["GRANT SELECT, RELOAD, SHOW VIEW, EVENT ON *.* TO `b`@`%`"], ["shop"], ("TRIGGER", "`shop`.*")),
        (BY_A_ROLE, None, None),
        (ALL_OF_SHOP, ["shop"], None),
        (ALL_OF_SHOP, None, ("SELECT, TRIGGER", "*.*")),
        (["GRANT SELECT, TRIGGER ON `shop`.`orders` TO `b`@`%`"], ["shop"], ("SELECT, TRIGGER", "`shop`.*")),
        (["GRANT SELECT, TRIGGER ON `my\\_%`.* TO `b`@`%`"], ["my_shop"], None),
        (["GRANT SELECT, TRIGGER ON `my\\_%`.* TO `b`@`%`"], ["myshop"], ("SELECT, TRIGGER", "`myshop`.*")),
        (["GRANT SELECT, TRIGGER ON `o``d`.* TO `b`@`%`"], ["o`d"], None),
    ],
)
def test_what_a_login_may_not_see_is_known(grants: list[str], named: Any, lacks: Any) -> None:
    talk: Any = SimpleNamespace(ask=lambda _statement: [[grant] for grant in grants])
    assert ask.lacking(talk, named) == lacks


def test_what_the_server_refuses_ends_the_conversation_without_secrets(client: Path) -> None:
    with ask.session(effects(client), SERVER, "proof_failed") as talk:
        with pytest.raises(BackupError, match=r"MariaDB refuses: ERROR 1064 .* near '\*\*\*'") as failure:
            talk.ask("DROP")
        assert failure.value.reason == "proof_failed"
        with pytest.raises(BackupError):
            talk.ask("SET nothing")


def test_a_conversation_ends_with_the_time(client: Path) -> None:
    ticks = iter(range(3))

    def tick() -> None:
        if next(ticks, None) is None:
            raise BackupError("timeout", "over")

    with (
        pytest.raises(BackupError, match="over"),
        ask.session(effects(client, tick), SERVER) as talk,
    ):
        talk.ask("PAUSE")


def test_without_a_client_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_options: None)
    with pytest.raises(BackupError) as failure, ask.session(effects(tmp_path), SERVER):
        pass
    assert failure.value.reason == "application_missing"


@given(st.text().filter(lambda name: "\0" not in name))
def test_identifiers_and_texts_are_quoted(name: str) -> None:
    assert ask.name(name)[1:-1].replace("``", "").count("`") == 0
    assert ask.text(name)[1:-1].replace("\\\\", "").replace("''", "").count("'") == 0


def test_the_outline_of_a_dump(dump: str) -> None:
    assert list(mariadb_dump.outline(dump)) == [
        (3, "shop", None),
        (4, "shop", "orders"),
        (7, "shop", "odd`name"),
        (9, "wiki", None),
        (10, "wiki", "pages"),
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (2, "Nothing was replaced."),
        (3, "It stopped at table its first table of database shop"),
        (6, "It stopped at table orders of database shop"),
        (8, "It stopped at table odd`name of database shop"),
    ],
)
def test_a_load_that_failed_half_way_tells_where(dump: str, line: int, told: str) -> None:
    words = f"Loading dump.sql failed (mariadb ended with 1): ERROR 1062 (23000) at line {line}: Duplicate entry"
    assert mariadb._half_way(dump, words).startswith(told)


def test_a_load_that_failed_somewhere_does_not_pretend_to_know(dump: str) -> None:
    assert "unknown" in mariadb._half_way(dump, "ERROR 2013 (HY000): Lost connection to server during query")


def test_a_dump_without_its_end_is_refused_wherever_it_was_cut(dump: str) -> None:
    mariadb_dump.require_whole(dump, "dump_failed")
    for size in (0, 10, len(DUMP) // 2, len(DUMP) - 12):
        os.truncate(dump, size)
        with pytest.raises(BackupError, match=r"dump.sql breaks off") as failure:
            mariadb_dump.require_whole(dump, "dump_failed")
        assert failure.value.reason == "dump_failed"
        Path(dump).write_text(DUMP)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("-- Retrieving rows...\nmariadb-dump: Got errno 28 on write", "no_space"),
        ("-- Connecting to localhost...\nmariadb-dump: Got error: 1045: Access denied", "dump_failed"),
        ("-- Retrieving rows...\n", "dump_failed"),
    ],
)
def test_what_a_dump_died_of(tmp_path: Path, said: str, reason: str) -> None:
    words = tmp_path / "words"
    words.write_text(said)
    with pytest.raises(BackupError) as failure:
        mariadb_dump._require_success(effects(tmp_path), 3, str(words))
    assert failure.value.reason == reason
    assert "--" not in failure.value.message


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({}, None),
        ({"database": "shop", "canary": "SELECT MAX(at) FROM orders;", "login": "backup", "password": "x"}, None),
        ({"database": ["shop", "wiki"], "host": "db1", "port": 3307}, None),
        ({"database": []}, "database must be a name or a list of names, not []"),
        ({"database": [3]}, "database must be a name or a list of names, not [3]"),
        ({"database": ["shop", "MySQL"]}, "belong to the server"),
        ({"port": 0}, "port must be a whole number"),
        ({"socket": 3}, "socket must be text that is not empty, not 3"),
        ({"paths": ["/etc"]}, "paths is no key of type mariadb"),
    ],
)
def test_definitions(keys: dict[str, Any], fault: str | None) -> None:
    found = registry.faults([{"id": "shop", "type": "mariadb", **keys}])
    assert (len(found) == 1 and fault in found[0]) if fault else found == []


def test_the_password_goes_by_the_environment_alone() -> None:
    spec = {"id": "shop", "type": "mariadb", "login": "backup", "password": "geheim", "port": 3307}
    server = mariadb.MariadbSource(spec)._server()
    assert server.options == ["--port=3307", "--user=backup"]
    assert server.environment == {"MYSQL_PWD": "geheim"}
    assert "geheim" not in str(registry.without_secrets(spec))
