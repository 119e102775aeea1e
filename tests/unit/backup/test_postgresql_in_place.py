"""PostgreSQL put back in place by the module, with a real server: killed on the way, lost, and written to meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.postgresql import HOMES, Server

from . import test_postgresql
from .cast import Anna
from .test_postgresql import back_up

server = test_postgresql.server
anna = test_postgresql.anna
pytestmark = pytest.mark.skipif(not HOMES, reason="PostgreSQL is not installed")
SCHEMA = """
CREATE DATABASE till;
\\c till
CREATE TABLE sales (id int); INSERT INTO sales SELECT generate_series(1, 500);
"""


class Till:
    """A database that was saved with 500 sales, and of which since then one is left."""

    def __init__(self, anna: Anna, server: Server) -> None:
        self.anna, self.server = anna, server
        self.spec = server.spec(database="till", canary="SELECT max(id) FROM sales")
        server.sql(SCHEMA, "postgres")
        assert back_up(anna, self.spec)["changed"]
        server.sql("DELETE FROM sales WHERE id > 1", "till")

    @property
    def databases(self) -> dict[str, bool]:
        """Names of all databases of ours, and whether they can be entered."""
        said = self.server.sql("SELECT datname, datallowconn FROM pg_database WHERE datname LIKE 'till%'", "postgres")
        return {line.partition("|")[0]: line.endswith("t") for line in said.splitlines()}

    def sales(self, database: str = "till") -> int:
        return int(self.server.sql("SELECT count(*) FROM sales", database))

    def restore(self, **more: Any) -> dict[str, Any]:
        # What a killed module had begun holds its lock as well, until it has ended.
        return self.anna.restore(target=None, in_place=True, definition=self.spec, lock_timeout_s=60, **more)

    def restores_by(self, script: str) -> Path:
        """A shell script in place of pg_restore where it makes a database."""
        stub = self.anna.bin / "pg_restore"
        tool = self.server.home / "pg_restore"
        case = f'case "$*" in *--create*) {script} ;; *) exec {tool} "$@" ;; esac'
        stub.write_text(f"#!/bin/sh\nTOOL={tool}\n{case}\n")
        stub.chmod(0o755)
        return stub

    def killed(self) -> None:
        running = self.anna.start(
            "backup_restore",
            **self.anna.arguments(source="data", in_place=True, definition=self.spec),
        )
        running.communicate()
        assert running.returncode == -9


@pytest.fixture
def till(anna: Anna, server: Server) -> Iterator[Till]:
    made = Till(anna, server)
    yield made
    for database in made.databases:
        server.sql(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true", "postgres")
        server.sql(f"DROP DATABASE {database} WITH (FORCE)", "postgres")


@pytest.mark.parametrize(
    ("script", "left", "failed"),
    [
        ("kill -9 $PPID", None, None),
        ('"$TOOL" --section=pre-data "$@"; kill -9 $PPID', 0, 0),
        ('"$TOOL" "$@"; kill -9 $PPID', 500, 500),
    ],
)
def test_the_same_command_completes_what_was_killed(
    till: Till, script: str, left: int | None, failed: int | None
) -> None:
    stub = till.restores_by(script)
    till.killed()
    stub.unlink()
    assert ("till" in till.databases) == (left is not None)
    assert list(till.databases.values()).count(False) == 1

    done = till.restore()

    assert done.get("changed"), done
    assert "an earlier restore, of snapshot" in done["msg"]
    assert "as a restore had left it, back to till" in done["msg"]
    assert done["restore"]["safety"]
    assert all(till.databases.values())
    assert till.sales() == 500
    (before,) = [name for name in till.databases if "_before_" in name]
    assert till.sales(before) == 1
    assert [till.sales(name) for name in till.databases if "_failed_" in name] == ([] if failed is None else [failed])


def test_killed_when_it_had_only_closed_the_database(till: Till) -> None:
    till.server.sql("ALTER DATABASE till ALLOW_CONNECTIONS false", "postgres")
    done = till.restore()
    assert "opened database till" in done["msg"], done
    assert done["restore"]["safety"]
    assert till.sales() == 500


def test_a_lost_database_needs_no_safety_snapshot_and_one_that_cannot_be_asked_is_not_lost(till: Till) -> None:
    till.server.sql("DROP DATABASE till", "postgres")
    gone = ["there is no database till"]
    assert till.restore(_ansible_check_mode=True)["restore"]["gone"] == gone
    till.server.stop()
    planned = till.restore(_ansible_check_mode=True)["restore"]
    refused = till.restore()
    till.server.start()
    assert planned["gone"] == []
    assert "PostgreSQL refuses" in planned["obstacle"]
    assert refused["restore"]["reason"] == "dump_failed"
    assert "Nothing was overwritten" in refused["msg"]

    done = till.restore()

    assert (done["restore"]["safety"], done["restore"]["gone"]) == (None, gone), done
    assert done["restore"]["done"] == [
        "nothing was there that needed a safety snapshot: there is no database till", "restored database till",
    ]  # fmt: skip
    assert till.sales() == 500


def test_of_several_databases_what_is_left_is_saved(till: Till) -> None:
    till.server.sql("CREATE DATABASE till2", "postgres")
    till.spec = till.server.spec(database=["till", "till2"])
    assert back_up(till.anna, till.spec)["changed"]
    till.server.sql("DROP DATABASE till2", "postgres")
    done = till.restore()
    assert done["restore"]["gone"] == ["there is no database till2"], done
    undone = till.restore(snapshot=done["restore"]["safety"])
    assert undone.get("changed"), undone
    assert till.sales() == 1


def test_what_is_spoilt_is_saved_although_it_answers_no_question(till: Till) -> None:
    till.server.sql("DROP TABLE sales", "till")
    done = till.restore()
    assert done["restore"]["safety"], done
    assert till.sales() == 500


def test_rows_that_are_not_those_of_backup_time_are_told(till: Till) -> None:
    spoil = f"{till.server.home}/psql -Xq -h {till.server.root} -U postgres till -c 'INSERT INTO sales VALUES (501)'"
    till.restores_by(f'"$TOOL" "$@" && {spoil}')
    failed = till.restore()
    assert failed["restore"]["reason"] == "restore_differs", failed
    assert "rows of till.public.sales is 501, was 500" in failed["msg"]
    assert "what was there is kept as database till_before_" in failed["msg"]
    assert all(till.databases.values())
