"""How checks of queues judge what servers and directories say."""

import os
import socket
import time

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import (
    postfix,
    postgresql,
    rabbitmq,
    redis,
    spool,
)
from ansible_collections.roundsman.fleet.plugins.module_utils.family import (
    CannotLookError,
)
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import read

from tests.ports import refusing_port

from .builders import keys_of, result_of
from .servers import drips, hangs_up, listener

INFO = {"redis_version": "7.0.15", "used_memory": "95", "maxmemory": "100", "role": "master", "run_id": "a"}


def answers(text):
    """A server that gives the same answer to everything it is asked."""

    def behave(connection):
        while connection.recv(1000):
            connection.sendall(text)

    return behave


def test_redis_is_judged_by_memory_replication_and_what_it_rejected_since():
    keys = keys_of({"type": "redis", "memory_crit": "99%", "replicas": 1})

    assert redis.judge_server(keys, dict(INFO, connected_slaves="1"), None).status == "WARNING"
    cache = dict(INFO, connected_slaves="1", maxmemory_policy="allkeys-lru")
    assert redis.judge_server(keys, cache, None).status == "OK"
    alone = redis.judge_server(keys, INFO, None)
    assert (alone.status, "0 of 1 replicas connected" in alone.message) == ("CRITICAL", True)
    orphan = dict(INFO, role="slave", master_link_status="down", master_host="db1", used_memory="1")
    assert "link to its primary db1 is down" in redis.judge_server(keys, orphan, None).message


@pytest.mark.parametrize(
    ("bookmark", "status"),
    [
        (None, "OK"),
        ({"run_id": "a", "rejected": 7}, "OK"),
        ({"run_id": "a", "rejected": 3}, "WARNING"),
        ({"run_id": "before the restart", "rejected": 3}, "OK"),
        ({"run_id": "a", "rejected": "three"}, "OK"),
        (["of another shape"], "OK"),
    ],
)
def test_redis_compares_rejected_connections_only_with_the_same_run_of_the_server(bookmark, status):
    info = dict(INFO, used_memory="1", rejected_connections="7")
    assert redis.judge_server(keys_of({"type": "redis"}), info, bookmark).status == status


@pytest.mark.parametrize(
    ("behave", "status", "words"),
    [
        (answers(b"-NOAUTH Authentication required.\r\n"), "UNKNOWN", "refuses: NOAUTH"),
        (answers(b"-LOADING Redis is loading the dataset in memory\r\n"), "CRITICAL", "LOADING"),
        (answers(b"HTTP/1.1 400 Bad Request\r\n"), "CRITICAL", "what answers is not Redis"),
        (answers(b"$-7000\xff\r\n"), "CRITICAL", "127.0.0.1"),
        (drips, "CRITICAL", "what answers is not Redis"),
        (hangs_up, "CRITICAL", "closed the connection"),
        (lambda _connection: time.sleep(600), "CRITICAL", "does not answer within 0.5 s"),
    ],
)
def test_redis_that_does_not_answer_well(behave, status, words):
    with listener(behave) as port:
        patience_s = 0.5 if "0.5 s" in words else None
        result = result_of({"type": "redis", "host": "127.0.0.1", "port": port}, patience_s=patience_s)
    assert (result["status"], words in result["message"]) == (status, True), result


@pytest.mark.parametrize("check", [{"type": "celery"}, {"type": "throughput", "source": "redis"}], ids=str)
def test_a_redis_that_loads_its_data_is_critical_whoever_asks(check):
    with listener(answers(b"-LOADING Redis is loading the dataset in memory\r\n")) as port:
        result = result_of(dict(check, host="127.0.0.1", port=port))
    assert (result["status"], "LOADING" in result["message"]) == ("CRITICAL", True), result


def test_a_redis_group_without_a_known_lag_says_so():
    class Server:
        def ask(self, *words):
            return 1 if words[0] == "EXISTS" else [["name", "mailers", "pending", 5, "lag", None]]

    count, words = redis.backlog(keys_of({"type": "redis", "stream": "mail", "group": "mailers"}), Server())
    assert (count, "does not tell" in words) == (5, True)


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        ({"type": "redis", "list": "a", "stream": "b"}, "not both"),
        ({"type": "redis", "group": "a"}, "group needs a stream"),
        ({"type": "postgresql", "query": "sql"}, "sql is missing"),
        ({"type": "postgresql", "sql": "SELECT 1"}, "sql needs query: sql"),
        ({"type": "postgresql", "query": "sql", "sql": "\\! reboot"}, "a command of psql"),
        ({"type": "postgresql", "query": "lag", "warn": "80%"}, 'the unit "%" does not fit'),
        ({"type": "postgresql", "query": "size", "warn": "80%"}, 'the unit "%" does not fit'),
        ({"type": "rabbitmq", "url": "localhost:15672"}, "url is not of the form"),
    ],
)
def test_keys_that_do_not_fit_together(check, fault):
    _specs, faults = read([check], 10)
    assert [fault in one for one in faults] == [True], faults


def test_thresholds_of_postgresql_have_the_unit_and_default_of_the_query():
    assert keys_of({"type": "postgresql"})["warn"].text == "80%"
    assert keys_of({"type": "postgresql", "query": "lag"})["crit"].high == 300
    assert keys_of({"type": "postgresql", "query": "lag", "warn": None})["warn"] is None
    assert keys_of({"type": "postgresql", "query": "size"})["warn"] is None


@pytest.mark.parametrize(
    ("row", "standbys", "status"),
    [
        (["0", "primary with 1 streaming standbys", "1"], 1, "OK"),
        (["0", "primary with 0 streaming standbys", "0"], 1, "CRITICAL"),
        (["31", "standby, streaming", "-1"], None, "WARNING"),
        (["0", "standby that replays from an archive", "-1"], None, "OK"),
        (["0", "standby without a connection to its primary", "-1"], None, "CRITICAL"),
    ],
)
def test_replication_lag(row, standbys, status):
    keys = keys_of({"type": "postgresql", "query": "lag", "standbys": standbys})
    assert postgresql.judge_row(keys, row).status == status


def test_no_open_transaction_is_none():
    keys = keys_of({"type": "postgresql", "query": "transactions"})
    assert postgresql.judge_row(keys, []).message == "longest transaction 0.0 s: no open transaction"


@pytest.mark.parametrize("row", [["many"], ["nan?"]])
def test_own_sql_that_returns_no_number_is_unknown(row):
    with pytest.raises(CannotLookError, match="is not a number"):
        postgresql.judge_row(keys_of({"type": "postgresql", "query": "sql", "sql": "SELECT 'many'"}), row)


def test_a_password_is_in_the_environment_of_psql_and_not_in_its_arguments():
    argv, environment = postgresql.command(keys_of({"type": "postgresql", "password": "geheim"}), "SELECT 1", 9)
    assert ("geheim" in str(argv), environment["PGPASSWORD"]) == (False, "geheim")


def test_rabbitmq_names_the_longest_queue_and_those_without_consumers():
    keys = keys_of({"type": "rabbitmq", "consumers": 1, "warn": 3})
    found = [
        {"name": "a", "messages": 4, "messages_ready": 4, "consumers": 0},
        {"name": "b", "messages": 1, "messages_unacknowledged": 1, "consumers": 2},
        {"name": "new"},
    ]
    result = rabbitmq.judge_queues(keys, found, [])
    assert (result.status, result.value) == ("CRITICAL", 4)
    assert result.message == (
        "3 queues, 4 messages ready, 1 unacknowledged; most in a: 4 (warn 3); fewer than 1 consumers: a, new"
    )
    assert rabbitmq.judge_queues(keys, [], ["rabbit@db1: memory alarm"]).message.startswith(
        "rabbit@db1: memory alarm; "
    )


def test_rabbitmq_that_is_not_there_or_hangs():
    dead = result_of({"type": "rabbitmq", "url": f"http://127.0.0.1:{refusing_port()}"})
    assert (dead["status"], "Connection refused" in dead["message"]) == ("CRITICAL", True)
    with listener(drips) as port:
        slow = result_of({"type": "rabbitmq", "url": f"http://127.0.0.1:{port}"}, patience_s=0.5)
    assert (slow["status"], "no complete answer" in slow["message"]) == ("CRITICAL", True)


MAIL = [
    '{"queue_name": "deferred", "arrival_time": 1000, "recipients": [{"delay_reason": "connection refused"}]}',
    '{"queue_name": "active", "arrival_time": 1900, "recipients": [{}]}',
    "not JSON",
]


def test_mail_that_waits_too_long_comes_with_its_reason():
    late = postfix.judge_mail(keys_of({"type": "postfix", "age_warn": "15min"}), MAIL, 2000)
    assert (late.status, late.value) == ("WARNING", 2)
    assert late.message == "2 messages, 1 deferred, oldest 16 min (warn 15min): connection refused"
    assert postfix.judge_mail(keys_of({"type": "postfix"}), [], 2000).message == "0 messages"


def test_a_spool_counts_files_and_neither_links_nor_directories(tmp_path):
    (tmp_path / "a.job").write_text("1234")
    os.utime(tmp_path / "a.job", (time.time() - 7200, time.time() - 7200))
    (tmp_path / "later" / "deep").mkdir(parents=True)
    (tmp_path / "later" / "deep" / "b.job").write_text("1")
    (tmp_path / "notes.txt").write_text("1")
    (tmp_path / "link.job").symlink_to("a.job")
    (tmp_path / "loop").symlink_to(tmp_path)
    check = {"type": "spool", "path": str(tmp_path), "pattern": "*.job", "age_warn": "1h"}

    flat, deep = result_of(check), result_of(dict(check, recursive=True))

    assert (flat["value"], flat["status"], deep["value"]) == (1, "WARNING", 2)
    assert flat["message"] == f"{tmp_path}: 1 files, oldest 2 h (warn 1h), 4 B"


def test_a_spool_that_is_too_large_to_count_is_judged_by_what_was_counted(tmp_path):
    for number in range(20):
        (tmp_path / str(number)).touch()
    ticks = iter(range(100))
    pile = spool.count(str(tmp_path), "*", False, 10, lambda: next(ticks))
    assert (pile.finished, pile.count) == (False, 10)
    result = spool.judge_pile(keys_of({"type": "spool", "path": "/x", "warn": 5}), pile, time.time())
    assert (result.status, result.message.startswith("/x: at least 10 files (warn 5)")) == ("WARNING", True)


def test_a_spool_that_is_not_there(tmp_path):
    assert result_of({"type": "spool", "path": str(tmp_path / "no")})["status"] == "UNKNOWN"
    (tmp_path / "file").touch()
    assert "is not a directory" in result_of({"type": "spool", "path": str(tmp_path / "file")})["message"]


def test_a_redis_socket_that_is_gone_is_critical(tmp_path):
    path = tmp_path / "redis.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    assert result_of({"type": "redis", "socket": str(path)})["status"] == "CRITICAL"
