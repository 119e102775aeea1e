"""What MariaDB's tables need and what it says of them; a real server is in tests/fleet/test_maintain_database.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import database_mariadb_ask as ask
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.database_mariadb_need import (
    Table,
    needs,
    table_of,
)

from .calling import call_module

MIB = 1 << 20
LIMITS = {"exclude": ["audit.*"], "depth": "full", "bloat_bytes": 64 * MIB, "bloat_percent": 40.0, "stale_days": 30}
FRESH = Table("shop", "orders", "InnoDB", 500 * MIB, 4 * MIB, None)


@pytest.mark.parametrize(
    ("changed", "depth", "action"),
    [
        ({}, "full", None),
        ({"free_bytes": 400 * MIB}, "full", "rebuild"),
        ({"free_bytes": 400 * MIB}, "light", None),
        ({"free_bytes": 300 * MIB}, "full", None),
        ({"data_bytes": MIB, "free_bytes": 63 * MIB}, "full", None),
        ({"free_bytes": 400 * MIB, "stale_days": 99}, "light", "analyze"),
        ({"stale_days": 30}, "full", "analyze"),
        ({"stale_days": 29}, "full", None),
        ({"stale_days": 99, "engine": "MyISAM"}, "full", None),
        ({"stale_days": 99, "database": "audit"}, "full", None),
    ],
)
def test_needs(changed: dict[str, Any], depth: str, action: str | None) -> None:
    need = needs(FRESH._replace(**changed), {**LIMITS, "depth": depth})
    assert (need[0] if need else None) == action


def test_a_table_whose_numbers_the_server_does_not_know() -> None:
    assert table_of(["shop", "orders", "InnoDB", "NULL", "NULL", "NULL"]) == ("shop", "orders", "InnoDB", 0, 0, None)


TABLE = "shop.orders"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["status", "OK"]], None),
        ([["status", "Engine-independent statistics collected"], ["status", "OK"]], None),
        ([["Warning", "Index id is corrupted"], ["error", "Corrupt"]], "Index id is corrupted; Corrupt"),
        ([], None),
    ],
)  # fmt: skip
def test_what_is_said_of_a_table(rows: list[list[str]], said: str | None) -> None:
    assert ask.said_of([[TABLE, "check", *row] for row in rows]) == said


def test_a_table_that_could_not_be_looked_at_is_not_called_damaged() -> None:
    held = [[TABLE, "check", "Error", "Lock wait timeout exceeded; try restarting transaction"]]
    with pytest.raises(ask.MariadbError) as raised:
        ask.said_of([*held, [TABLE, "check", "status", "Operation failed"]])
    assert raised.value.code == ask.LOCK_WAIT


# A server with one table that is mostly free. It notes what it is asked; the rebuilding fails as often as a file says.
CLIENT = """#!{python}
import pathlib, sys, time
here = pathlib.Path(__file__).parent
answers = [
    ("SHOW GLOBAL", "datadir\\t/\\ninnodb_file_per_table\\tON\\nwsrep_on\\t{{}}".format((here / "wsrep").read_text())),
    ("CONNECTION_ID", "7"),
    ("PROCESSLIST", (here / "waiting").read_text()),
    ("INNODB_TRX", (here / "long").read_text()),
    ("information_schema.TABLES", "shop\\torders\\tInnoDB\\t1000000\\t900000000\\tNULL"),
    ("CHECK", "shop.orders\\tcheck\\t" + (here / "check").read_text()),
    ("ANALYZE", "shop.orders\\tanalyze\\tstatus\\tOK"),
]
for line in sys.stdin:
    (here / "asked").open("a").write(line)
    if line.startswith("SELECT '"):
        print(line[8:-3], flush=True)
    elif "ALTER" in line and int((here / "fails").read_text()):
        (here / "fails").write_text(str(int((here / "fails").read_text()) - 1))
        sys.exit((here / "words").read_text())
    while "ALTER" in line and (here / "waiting").read_text():
        if "KILL QUERY 7" in (here / "asked").read_text():
            sys.exit("ERROR 1317 (70100) at line 9: Query execution was interrupted")
        time.sleep(.1)
    for words, answer in answers:
        if words in line and answer:
            print(answer)
            break
"""


class Server:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.set(wsrep="OFF", long="", waiting="", check="status\tOK", fails="0", words="", asked="", mariadb=CLIENT)
        (folder / "mariadb").write_text(CLIENT.format(python=sys.executable))
        (folder / "mariadb").chmod(0o755)

    def set(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.folder / name).write_text(text)

    @property
    def asked(self) -> str:
        return (self.folder / "asked").read_text()

    def call(self, **more: Any) -> Any:
        asked = {"servers": [{}], "attempts": 2, **more}
        return call_module("database_mariadb", self.folder / "state", path=str(self.folder), **asked)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


LOCKED = "ERROR 1205 (HY000) at line 9: Lock wait timeout exceeded"
REBUILD = "ALTER TABLE `shop`.`orders` FORCE, ALGORITHM=INPLACE, LOCK=NONE"


@pytest.mark.parametrize(
    ("said", "status", "warning", "rebuilt"),
    [
        ({}, None, None, 1),
        ({"fails": "1", "words": LOCKED}, None, None, 2),
        ({"fails": "2", "words": LOCKED}, None, "shop.orders was left as it is: its lock was not to be had", 2),
        ({"fails": "1", "words": "ERROR 1846 (0A000): no"}, None, "OPTIMIZE TABLE `shop`.`orders` while nobody", 1),
        ({"fails": "1", "words": "ERROR 1021 (HY000): Disk full"}, "procedure_failed", None, 1),
        ({"wsrep": "ON"}, None, "the whole Galera cluster", 0),
        ({"long": "7\t600"}, None, "the transaction of thread 7, open for 10 min", 0),
        ({"check": "error\tCorrupt"}, "damaged", None, 0),
    ],
)
def test_a_table_that_is_mostly_free(
    server: Server, said: dict[str, str], status: str | None, warning: str | None, rebuilt: int
) -> None:
    server.set(**said)
    result = server.call()
    record = result["maintenance"]
    assert record["reason"] == status
    assert server.asked.count(REBUILD) == rebuilt
    assert [warning in one for one in record["warnings"] if warning] == ([True] if warning else [])
    assert "lock_wait_timeout=2" in server.asked
    assert "sql_log_bin=0" in server.asked


def test_long_work_gives_way_to_who_waits_for_it(server: Server) -> None:
    server.set(waiting="9")
    result = server.call(attempts=1)
    assert result["maintenance"]["reason"] is None
    assert "the work gave way to others who waited for a table, in 1 attempts" in result["maintenance"]["warnings"][0]


def test_a_check_that_somebody_ended_tells_of_no_damage(server: Server) -> None:
    server.set(check="Error\tQuery execution was interrupted")
    result = server.call()
    assert result["maintenance"]["reason"] is None
    assert "shop.orders could not be checked: Query execution was interrupted" in result["maintenance"]["warnings"][0]


def test_a_table_that_the_application_dropped_meanwhile_is_not_called_damaged(server: Server) -> None:
    server.set(check="Error\tTable 'shop.orders' doesn't exist")
    server.set(fails="1", words="ERROR 1146 (42S02) at line 9: Table 'shop.orders' doesn't exist")
    result = server.call()
    assert (result["maintenance"]["reason"], result["maintenance"]["warnings"]) == (None, [])


def test_a_plan_changes_nothing(server: Server) -> None:
    result = server.call(check=True)
    assert [(one["action"], one["outcome"]) for one in result["maintenance"]["actions"]] == [("rebuild", "planned")]
    assert not {"ALTER", "ANALYZE", "CHECK"} & set(server.asked.split())


def test_what_was_built_anew_has_to_be_whole(server: Server) -> None:
    found = server.call()["maintenance"]["found"]
    assert server.call(before=found)["msg"] == "MariaDB: 1 table as before"
    server.set(check="error\tCorrupt")
    proof = server.call(before=found)
    assert (proof["failed"], proof["maintenance"]["reason"]) == (True, "verification_failed")
    assert proof["msg"] == "MariaDB is not as before: shop.orders: Corrupt"


def test_a_server_that_does_not_answer_keeps_no_other_from_its_maintenance(server: Server) -> None:
    refuses = "case $* in *port=1*) echo 'ERROR 2002 (HY000): cannot connect' >&2; exit 1;; esac"
    client = CLIENT.format(python=sys.executable)
    server.set(client=client, mariadb=f"#!/bin/sh\n{refuses}\nexec {sys.executable} {server.folder}/client\n")
    result = server.call(servers=[{"port": 1}, {"host": "db2"}])
    assert (result["failed"], result["msg"]) == (
        True, "MariaDB local:1: MariaDB refuses: ERROR 2002 (HY000): cannot connect",
    )  # fmt: skip
    assert [one["outcome"] for one in result["maintenance"]["actions"]] == ["done"]
