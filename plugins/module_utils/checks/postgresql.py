# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PostgreSQL through psql: connections, replication, transactions, locks, size, wraparound, or one's own number."""

from __future__ import annotations

import os

from ..family import (
    CRITICAL,
    By,
    CannotLookError,
    NoAnswerError,
    NotThereError,
    StatementTimeoutError,
    family,
    finding,
    judge,
    key,
    limits,
    perf,
    size,
    span,
    threshold,
)

# One row each: the number to judge, then words about it.
CONNECTIONS = """SELECT round(100.0 * count(*) / current_setting('max_connections')::int, 1),
    count(*) || ' of ' || current_setting('max_connections') || ' connections'
    FROM pg_stat_activity WHERE backend_type = 'client backend'"""
# Where everything received is replayed there is no lag, however long ago the last transaction was.
LAG = """SELECT CASE WHEN pg_is_in_recovery() THEN
        CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
             ELSE coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0) END
    ELSE (SELECT coalesce(extract(epoch FROM max(replay_lag)), 0) FROM pg_stat_replication) END,
    CASE WHEN NOT pg_is_in_recovery() THEN
        'primary with ' || (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming') || ' streaming standbys'
    WHEN EXISTS (SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming') THEN 'standby, streaming'
    WHEN EXISTS (SELECT 1 FROM pg_settings WHERE name = 'primary_conninfo' AND setting = '')
        THEN 'standby that replays from an archive'
    ELSE 'standby without a connection to its primary' END,
    CASE WHEN pg_is_in_recovery() THEN -1
    ELSE (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming') END"""
TRANSACTIONS = """SELECT coalesce(extract(epoch FROM now() - xact_start), 0),
    'pid ' || pid || ' of ' || coalesce(usename, '?') || ' in ' || coalesce(datname, '?')
        || ', ' || coalesce(state, '?')
    FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    ORDER BY xact_start LIMIT 1"""
LOCKS = "SELECT count(DISTINCT pid), 'sessions wait for a lock' FROM pg_locks WHERE NOT granted"
SIZE = "SELECT pg_database_size(current_database()), 'database ' || current_database()"
WRAPAROUND = """SELECT round(100.0 * age(datfrozenxid) / 2147483648, 2),
    'of the transaction numbers used in ' || datname
    FROM pg_database ORDER BY age(datfrozenxid) DESC LIMIT 1"""
QUERIES = {
    "connections": CONNECTIONS,
    "lag": LAG,
    "transactions": TRANSACTIONS,
    "locks": LOCKS,
    "size": SIZE,
    "wraparound": WRAPAROUND,
}
# Without rights these see only what the login itself does: the first column says whether they see all.
OF_EVERYBODY = ("connections", "transactions", "lag")
ASKED_WITH_RIGHTS = """SELECT sees, found.* FROM (SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS sees) AS rights
    LEFT JOIN (%s) AS found ON true"""
DIMENSIONS = {
    "connections": "percent",
    "lag": "duration",
    "transactions": "duration",
    "size": "size",
    "wraparound": "percent",
}
WARN = {"connections": "80%", "lag": "30s", "transactions": "15min", "locks": 10, "wraparound": "50%"}
CRIT = {"connections": "95%", "lag": "5min", "wraparound": "80%"}
SEPARATOR = "\x1f"
KEYS = {
    "database": key("str", "database to connect to", "postgres"),
    "host": key("str", "host or directory of the socket; by default the local socket"),
    "port": key("port", "port of the server; by default psql's own, 5432"),
    "login": key("str", "user of the database; by default named as the user who asks"),
    "password": key("str", "password of the login"),
    "user": key("str", "user of the host who asks; by default `postgres` for root without host and password"),
}


def command(spec, statement, limit_s):
    """(argv, environment) for psql; what is asked is one transaction that cannot write or wait long."""
    argv = ["psql", "-XAtq", "-F", SEPARATOR, "-v", "ON_ERROR_STOP=1", "-d", spec["database"]]
    for option, name in (("-h", "host"), ("-p", "port"), ("-U", "login")):
        argv += [option, str(spec[name])] if spec[name] else []
    environment = {
        "PGCONNECT_TIMEOUT": str(max(2, int(limit_s * 0.8))),
        "PGOPTIONS": "-c statement_timeout=%d -c default_transaction_read_only=on" % (limit_s * 800),
        "PGAPPNAME": "roundsman",
    }
    if spec["password"]:
        environment["PGPASSWORD"] = spec["password"]
    return [*argv, "-c", statement], environment


def as_user(spec):
    """Who runs psql: by default the server's own user where we may choose, unless a login of one's own is given."""
    if spec["user"]:
        return spec["user"]
    own_login = spec["host"] or spec["password"]
    return "postgres" if os.geteuid() == 0 and not own_login else None


def failure(code, stderr):
    """The error that a failed psql means: NoAnswerError when the server is unwell, else CannotLookError."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    words = " ".join(lines[:3]).replace("psql: error: ", "").replace("\t", " ") or "psql ended with %d" % code
    unwell = ("could not connect", "Connection refused", "No such file", "starting up", "shutting down", "recovery",
              "too many clients", "too many connections", "remaining connection slots", "timeout expired",
              "closed the connection", "No route to host", "timed out")  # fmt: skip
    denied = ("Permission denied", "authentication", "permission denied", "no password supplied", "pg_hba.conf")
    if any(text in words for text in denied) or ('role "' in words and "does not exist" in words):
        return CannotLookError(
            "PostgreSQL refuses: %s" % words,
            "check as root (roundsman_health_become: true), or correct login, password or its rights (pg_monitor)",
        )
    if "statement timeout" in words:
        return StatementTimeoutError("PostgreSQL: %s" % words)
    if any(text in words for text in unwell):
        return NoAnswerError("PostgreSQL: %s" % words)
    return CannotLookError("PostgreSQL: %s" % words, "correct the check's database, host or sql")


def of_everybody(row):
    """The row that a query of OF_EVERYBODY found, none when it found none; CannotLookError where it cannot find all."""
    if row[:1] == ["f"]:
        raise CannotLookError(
            "this login of PostgreSQL sees only its own sessions",
            "GRANT pg_monitor TO the login, or check as root (roundsman_health_become: true) without one",
        )
    return row[1:] if any(row[1:]) else []


def judge_row(spec, row):
    """The Finding on the fields of the first row that psql printed; none means nothing is going on."""
    warn, crit, query = spec["warn"], spec["crit"], spec["query"]
    try:
        value = float(row[0]) if row and row[0] else 0.0
    except ValueError:
        raise CannotLookError('"%s" is not a number' % row[0][:100], "let sql return one number") from None
    status = judge(value, warn, crit)
    unit = {"percent": "%", "duration": "s", "size": "B"}.get(DIMENSIONS.get(query), "")
    shown = {"%": "%g%%" % value, "s": span(value), "B": size(value)}.get(unit, "%g" % value)
    words = row[1] if len(row) > 1 else "no open transaction" if query == "transactions" else query
    templates = {
        "lag": "replication lag %s%s, %s",
        "transactions": "longest transaction %s%s: %s",
        "connections": "%s%s: %s",
    }
    message = templates.get(query, "%s%s %s") % (shown, limits(status, warn, crit), words)
    if query == "lag":
        streaming = int(row[2]) if len(row) > 2 else 0
        if streaming < 0 and words.startswith("standby without"):
            status = CRITICAL
        elif spec["standbys"] is not None and 0 <= streaming < spec["standbys"]:
            status, message = CRITICAL, "%s, %d expected" % (message, spec["standbys"])
    data = perf(query, value, unit, (warn, crit))
    return finding(status, message, value, unit, data)


def target(spec):
    place = "%s:%s" % (spec["host"], spec["port"] or 5432) if spec["host"] else str(spec["port"] or "")
    database = spec["database"] if spec["query"] in ("size", "sql") else ""
    return " ".join(part for part in (spec["query"], place, database) if part)


def ask(spec, context, statement, limit_s):
    """The fields of the first row, none for no row. NoAnswerError or CannotLookError."""
    argv, environment = command(spec, statement, limit_s)
    code, stdout, stderr = context.run(
        ["timeout", "-k", "1", "%g" % limit_s, *argv], user=as_user(spec), environment=environment
    )
    if code == 127:
        raise NotThereError("psql is not installed", "install postgresql-client, or remove the check")
    if code in (124, 137):
        raise NoAnswerError("PostgreSQL does not answer within %.1f s" % limit_s)
    if code != 0:
        raise failure(code, stderr)
    lines = stdout.splitlines()
    return lines[0].split(SEPARATOR) if lines else []


def run(spec, context):
    own = spec["query"] == "sql"
    statement = spec["sql"].rstrip("; \n") if own else QUERIES[spec["query"]]
    try:
        if spec["query"] in OF_EVERYBODY:
            row = ask(spec, context, ASKED_WITH_RIGHTS % statement, context.patience_s)
            return judge_row(spec, of_everybody(row))
        return judge_row(spec, ask(spec, context, statement, context.patience_s))
    except NoAnswerError as error:
        if own and isinstance(error, StatementTimeoutError):
            raise CannotLookError(str(error), "make sql faster, or raise the check's timeout") from error
        return finding(CRITICAL, str(error))


def judge_spec(spec):
    if spec["query"] == "sql" and not spec["sql"]:
        return ["sql is missing: a SELECT that returns one number"]
    # psql would run a program of the host for it.
    if (spec["sql"] or "").startswith("\\"):
        return ["sql is not SQL but a command of psql"]
    return ["sql needs query: sql"] if spec["sql"] and spec["query"] != "sql" else []


FAMILY = family(
    "postgresql",
    "queues",
    "one number about a PostgreSQL server",
    {
        "query": key("str", "what to look at", "connections", choices=(*QUERIES, "sql")),
        "sql": key("str", "with `query: sql`, a SELECT that returns one number"),
        "standbys": key("int", "with `query: lag` on a primary, how many standbys have to be streaming"),
        **KEYS,
        "warn": threshold(By("query", DIMENSIONS, WARN), "the number"),
        "crit": threshold(By("query", DIMENSIONS, CRIT), "the number"),
    },
    run,
    target=target,
    judge_spec=judge_spec,
    anywhere=True,
)
