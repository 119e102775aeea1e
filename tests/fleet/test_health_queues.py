"""Checks of queues on a host with real servers: well, and in each way that they can be unwell."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from tests.fleet import base
from tests.fleet.test_health import by_id, sweep
from tests.fleet.waiting import until

RABBITMQ = "curl -sf -u guest:guest -H content-type:application/json http://localhost:15672/api"
SERVERS = "redis-server postgresql mariadb postfix rabbitmq-server nginx"


@pytest.fixture(scope="module")
def db1(shared_fleet):
    host = shared_fleet.host("db1", tree=base.servers_tree)
    host.run("postconf -e default_transport=smtp relayhost=[127.0.0.1]:2 authorized_mailq_users=root")
    host.run(f"systemctl start {SERVERS}", timeout=300)
    return host


@pytest.fixture
def looks(shared_fleet, db1):
    """(status, message) by id of checks on db1."""

    def look(*checks, become=True):
        found = by_id(sweep(shared_fleet, db1, checks=list(checks), become=become)["db1"])
        return {name: (one["status"], one["message"]) for name, one in found.items()}

    return look


@contextmanager
def frozen(host, pattern):
    host.run(f"pkill -STOP -f '{pattern}'")
    try:
        yield
    finally:
        host.run(f"pkill -CONT -f '{pattern}'")


WELL = [
    {"type": "redis", "id": "redis"},
    {"type": "postgresql", "id": "postgresql"},
    {"type": "rabbitmq", "id": "rabbitmq"},
    {"type": "mariadb", "id": "mariadb"},
    {"type": "celery", "id": "celery"},
    {"type": "throughput", "id": "commands", "source": "redis"},
    {"type": "throughput", "id": "commits", "source": "postgresql"},
    {"type": "postfix", "id": "postfix"},
    {"type": "certificate", "id": "smtp", "port": 25, "starttls": "smtp", "match": False},
]


def test_well_servers_are_ok(looks):
    found = looks(
        *WELL,
        {"type": "postgresql", "id": "lag", "query": "lag"},
        {"type": "postgresql", "id": "xid", "query": "wraparound"},
    )
    assert {status for status, _message in found.values()} == {"OK"}, found
    assert found["lag"][1] == "replication lag 0.0 s, primary with 0 streaming standbys"


def test_the_servers_are_found_and_what_is_suggested_for_them_works(shared_fleet, db1, looks):
    software = by_id(sweep(shared_fleet, db1, checks=[{"type": "software"}], become=True)["db1"])["software"]
    found = {each["software"]: each["checks"] for each in software["details"]["found"]}
    assert sorted(found) == ["mariadb", "nginx", "postfix", "postgresql", "rabbitmq", "redis"]
    results = looks(*[check for checks in found.values() for check in checks])
    assert {status for status, _message in results.values()} == {"OK"}, results
    assert {"systemd-postgresql@15-main.service", "systemd-redis-server.service"} <= set(results)


def test_the_certificate_of_a_mail_server_is_judged_by_its_name_as_well(looks):
    found = looks({**WELL[-1], "match": True, "server_name": "mail.shop.example"})
    assert found["smtp"][0] == "CRITICAL"
    assert "is not valid for mail.shop.example" in found["smtp"][1]


def test_wrong_passwords_are_unknown_and_told_to_nobody(looks, db1):
    db1.run("redis-cli config set requirepass geheim")
    try:
        found = looks(
            {"type": "redis", "id": "none"},
            {"type": "redis", "id": "wrong", "password": "falsch"},
            {"type": "redis", "id": "right", "password": "geheim"},
            {"type": "rabbitmq", "id": "rabbitmq", "password": "falsch"},
        )
    finally:
        db1.run("redis-cli -a geheim config set requirepass ''")
    statuses = {name: status for name, (status, _message) in found.items()}
    assert statuses == {"none": "UNKNOWN", "wrong": "UNKNOWN", "right": "OK", "rabbitmq": "UNKNOWN"}, found
    assert "NOAUTH" in found["none"][1]
    assert "WRONGPASS" in found["wrong"][1]
    assert "401" in found["rabbitmq"][1]
    assert "falsch" not in str(found)


def test_own_sql_that_takes_too_long_is_unknown_while_the_server_lives(looks):
    slow = {"query": "sql", "timeout": "8s"}
    found = looks(
        {"type": "postgresql", "id": "postgresql", "sql": "SELECT 1 FROM pg_sleep(30)", **slow},
        {"type": "mariadb", "id": "mariadb", "sql": "SELECT SLEEP(30)", **slow},
    )
    assert {name: status for name, (status, _message) in found.items()} == dict.fromkeys(
        ("postgresql", "mariadb"), "UNKNOWN"
    ), found
    assert "statement timeout" in found["postgresql"][1]
    assert "max_statement_time" in found["mariadb"][1]


def test_queues_that_fill_are_told_by_their_lengths(looks, db1):
    db1.run("for job in 1 2 3; do redis-cli rpush jobs $job; redis-cli xadd mail '*' to $job; done")
    db1.run("redis-cli xgroup create mail mailers 0; redis-cli xreadgroup group mailers one count 1 streams mail '>'")
    db1.run(f"{RABBITMQ}/queues/%2f/orders -X PUT -d '{{}}'")
    body = '{"properties":{},"routing_key":"orders","payload":"1","payload_encoding":"string"}'
    db1.run(f"{RABBITMQ}/exchanges/%2f/amq.default/publish -X POST -d '{body}'")
    db1.run(
        "install -d -m 0700 /srv/faxes; touch /srv/faxes/1; sendmail -bm nobody@shop.example < /etc/hostname; "
        + until("postqueue -j | grep -q 'Connection refused'")
    )

    checks = [
        {"type": "redis", "id": "list", "list": "jobs", "warn": 2},
        {"type": "redis", "id": "group", "stream": "mail", "group": "mailers", "warn": 2},
        {"type": "redis", "id": "no group", "stream": "mail", "group": "nobody"},
        {"type": "rabbitmq", "id": "orders", "queue": "orders", "consumers": 1},
        {"type": "postfix", "id": "mail", "deferred_warn": 0},
        {"type": "spool", "id": "faxes", "path": "/srv/faxes", "warn": 0},
    ]
    found = looks(*checks)
    denied = looks(checks[-1], checks[-2], {"type": "postgresql", "id": "role"}, become=False)

    assert found["list"] == ("WARNING", "list jobs holds 3 (warn 2)")
    assert found["group"] == ("WARNING", "group mailers of stream mail: 3 wait, 1 of them pending (warn 2)")
    assert found["no group"][0] == "UNKNOWN"
    assert found["orders"][0] == "CRITICAL"
    assert "fewer than 1 consumers: orders" in found["orders"][1]
    assert found["mail"][0] == "WARNING"
    assert "Connection refused" in found["mail"][1]
    assert found["faxes"][0] == "WARNING"
    assert {name: status for name, (status, _message) in denied.items()} == dict.fromkeys(
        ["faxes", "mail", "role"], "UNKNOWN"
    ), denied


def asked(sql):
    return "cd /; " + until(f'runuser -u postgres -- psql -XAtqc "{sql}" | grep -q 1')


def test_postgresql_transactions_locks_and_own_sql(looks, db1):
    db1.run("runuser -u postgres -- psql -qc 'CREATE TABLE orders (id int)'")
    holds = "(echo 'BEGIN; LOCK TABLE orders;'; sleep 1000) | psql -q"
    db1.run(f'systemd-run -q --unit=holder -p User=postgres sh -c "{holds}"')
    db1.run(asked("SELECT 1 FROM pg_stat_activity WHERE now() - xact_start > interval '600 ms' AND state ~ '^idle in'"))
    db1.run("systemd-run -q --unit=waiter -p User=postgres psql -qc 'SELECT * FROM orders'")
    db1.run(asked("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
    try:
        found = looks(
            {"type": "postgresql", "id": "open", "query": "transactions", "warn": "500ms"},
            {"type": "postgresql", "id": "locks", "query": "locks", "warn": 0},
            {"type": "postgresql", "id": "sql", "query": "sql", "sql": "SELECT 42", "warn": 10},
            {"type": "postgresql", "id": "writes", "query": "sql", "sql": "DROP TABLE orders"},
            {"type": "postgresql", "id": "password", "host": "localhost", "login": "shop", "password": "geheim"},
        )
    finally:
        db1.run("systemctl stop holder waiter", check=False)

    assert found["open"][0] == "WARNING"
    assert found["open"][1].endswith("of postgres in postgres, idle in transaction")
    assert found["locks"] == ("WARNING", "1 (warn 0) sessions wait for a lock")
    assert found["sql"][0] == "WARNING"
    assert found["writes"][0] == "UNKNOWN"
    assert "read-only transaction" in found["writes"][1]
    assert found["password"][0] == "UNKNOWN"
    assert "geheim" not in found["password"][1]


def test_mariadb_transactions_own_sql_and_refusals(looks, db1):
    db1.run("mariadb -e 'CREATE DATABASE shop; CREATE TABLE shop.orders (id int); INSERT INTO shop.orders VALUES (1)'")
    holds = "(echo 'BEGIN; UPDATE shop.orders SET id = 2;'; sleep 1000) | mariadb -n"
    open_for_1_s = "SELECT 1 FROM information_schema.innodb_trx WHERE trx_started < NOW() - INTERVAL 1 SECOND"
    db1.run(f'systemd-run -q --unit=holder2 sh -c "{holds}"')
    db1.run(until(f"mariadb -Ne '{open_for_1_s}' | grep -q 1"))
    try:
        found = looks(
            {"type": "mariadb", "id": "open", "query": "transactions", "warn": "500ms"},
            {"type": "mariadb", "id": "sql", "query": "sql", "sql": "SELECT COUNT(*) FROM shop.orders", "warn": 0},
            {"type": "mariadb", "id": "writes", "query": "sql", "sql": "DROP TABLE shop.orders"},
            {"type": "mariadb", "id": "password", "host": "127.0.0.1", "login": "shop", "password": "geheim"},
            {"type": "mariadb", "id": "lag", "query": "lag"},
        )
    finally:
        db1.run("systemctl stop holder2", check=False)

    assert found["open"][0] == "WARNING"
    assert found["open"][1].endswith("of root, sleep")
    assert found["sql"] == ("WARNING", "sql 1 (warn 0): of one's own")
    assert {found[name][0] for name in ("writes", "password", "lag")} == {"UNKNOWN"}
    assert "READ ONLY" in found["writes"][1]


def test_tasks_of_celery_of_all_priorities_are_counted(looks, db1):
    message = '{"body": "W10=", "content-encoding": "utf-8", "headers": {"task": "mail"}}'
    db1.run(f"redis-cli lpush celery '{message}'; redis-cli hset unacked tag '{message}'")
    db1.run("redis-cli lpush \"$(printf 'celery\\006\\0263')\" urgent")
    found = looks({"type": "celery", "id": "tasks", "warn": 1})
    assert found["tasks"] == ("WARNING", "queue celery: 2 tasks wait (warn 1), 1 with workers")


def test_servers_that_hang_are_critical_within_the_limit(looks, db1):
    with frozen(db1, "redis-server|/usr/lib/postgresql|mariadbd|beam.smp|postfix/sbin/master|^(smtpd|showq|qmgr) "):
        # A tenth of it is what is left to say so, on a machine that is hard at work.
        found = looks(*[{**check, "timeout": "12s"} for check in WELL])
    assert {name: status for name, (status, _message) in found.items()} == dict.fromkeys(
        [one["id"] for one in WELL], "CRITICAL"
    ), found
    assert "does not answer within 10.8 s" in found["redis"][1]
    assert found["postfix"][1] == "postqueue does not answer within 10.8 s"


def test_servers_that_are_stopped_are_critical(looks, db1):
    db1.run(f"systemctl stop {SERVERS}", timeout=300)
    found = looks(*WELL)
    assert {status for status, _message in found.values()} == {"CRITICAL"}, found


def test_what_is_not_installed_is_not_there(shared_fleet):
    plain = shared_fleet.host("plain")
    checks = [{"type": "postgresql"}, {"type": "postfix"}]
    found = by_id(sweep(shared_fleet, plain, checks=checks, become=True)["plain"])
    assert {one["status"] for one in found.values()} == {"UNKNOWN"}
    assert by_id(sweep(shared_fleet, plain, checks=[{**one, "optional": True} for one in checks])["plain"]) == {}
