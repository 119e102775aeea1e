"""What MariaDB and PostgreSQL say of their replication, and what their clients say when they fail."""

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import (
    mariadb,
    postgresql,
)
from ansible_collections.roundsman.fleet.plugins.module_utils.family import (
    CannotLookError,
    NoAnswerError,
    NotThereError,
    StatementTimeoutError,
)

from tests.alertmanager import wait_for
from tests.postgresql import HOMES, cluster

from .builders import keys_of, result_of


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        ({"Replica_IO_Running": "Yes", "Replica_SQL_Running": "Yes", "Seconds_Behind_Source": "3"}, "OK", "lag 3.0 s"),
        ({"Replica_IO_Running": "Yes", "Replica_SQL_Running": "Yes", "Seconds_Behind_Source": "31"}, "WARNING", "31 s"),
        (
            {"Replica_IO_Running": "Yes", "Replica_SQL_Running": "No", "Last_SQL_Error": "Duplicate entry"},
            "CRITICAL",
            "SQL thread stopped: Duplicate entry",
        ),
        ({"Replica_IO_Running": "Connecting", "Replica_SQL_Running": "Yes"}, "CRITICAL", "IO thread stopped"),
    ],
)
def test_replication_of_mariadb(state, status, words):
    found = mariadb.judge_replica(keys_of({"type": "mariadb", "query": "lag"}), state)
    assert (found.status, words in found.message) == (status, True), found


def test_a_mariadb_without_a_primary_is_no_replica():
    with pytest.raises(NotThereError):
        mariadb.judge_replica(keys_of({"type": "mariadb", "query": "lag"}), {})


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("ERROR 2002 (HY000): Can't connect to local server through socket", NoAnswerError),
        ("ERROR 1040 (HY000): Too many connections", NoAnswerError),
        ("ERROR 1969 (70100): Query execution was interrupted (max_statement_time exceeded)", StatementTimeoutError),
        ("ERROR 1045 (28000): Access denied for user 'x'@'localhost'", CannotLookError),
        ("ERROR 1146 (42S02): Table 'shop.orders' doesn't exist", CannotLookError),
    ],
)
def test_what_a_failed_client_of_mariadb_means(words, error):
    assert type(mariadb.failure(words)) is error


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("ERROR:  canceling statement due to statement timeout", StatementTimeoutError),
        ("psql: error: connection to server on socket failed: FATAL:  sorry, too many clients already", NoAnswerError),
        ("ERROR:  permission denied for table orders", CannotLookError),
    ],
)
def test_what_a_failed_psql_means(words, error):
    assert type(postgresql.failure(1, words)) is error


@pytest.mark.skipif(not HOMES, reason="PostgreSQL is not installed")
def test_a_login_that_sees_only_itself_does_not_say_that_all_is_well():
    with cluster() as server:
        server.sql("CREATE ROLE plain LOGIN; CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher", "postgres")

        def look(login, query):
            # No number is fine, so that what is seen is judged.
            return result_of(server.spec(login=login, id=query, query=query, warn="~:-1", crit=None))

        for query in ("connections", "lag"):
            assert [look(login, query)["status"] for login in ("watcher", "postgres")] == ["WARNING"] * 2
        assert "no open transaction" in look("watcher", "transactions")["message"]
        for query in ("connections", "lag", "transactions"):
            seen = look("plain", query)
            assert (seen["status"], "pg_monitor" in (seen["remedy"] or "")) == ("UNKNOWN", True), seen
        with server.standby() as copy:
            wait_for(lambda: "standby, streaming" in result_of(copy.spec(query="lag"))["message"])
            assert "1 streaming standbys" in look("watcher", "lag")["message"]
