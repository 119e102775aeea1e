# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""MariaDB and MySQL through their client: connections, replication lag, open transactions, or one's own number."""

from __future__ import annotations

import shutil

from ..family import (
    CRITICAL,
    ENVIRONMENT,
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
    span,
    threshold,
)

QUERIES = {
    "connections": """SELECT ROUND(100 * COUNT(*) / @@max_connections, 1),
        CONCAT(COUNT(*), ' of ', @@max_connections, ' connections')
        FROM information_schema.PROCESSLIST WHERE COMMAND NOT IN ('Daemon', 'Binlog Dump')""",
    "transactions": """SELECT TIMESTAMPDIFF(SECOND, trx_started, NOW()),
        CONCAT('connection ', trx_mysql_thread_id, COALESCE(CONCAT(' of ', USER, ', ', LOWER(COMMAND)), ''))
        FROM information_schema.INNODB_TRX LEFT JOIN information_schema.PROCESSLIST ON ID = trx_mysql_thread_id
        WHERE trx_mysql_thread_id <> CONNECTION_ID() ORDER BY trx_started LIMIT 1""",
}
# The older words first fail where they are gone (MySQL 8.4), the newer ones before MariaDB 10.5 and MySQL 8.0.22.
REPLICA = ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS")
DIMENSIONS = {"connections": "percent", "lag": "duration", "transactions": "duration"}
WARN = {"connections": "80%", "lag": "30s", "transactions": "15min"}
CRIT = {"connections": "95%", "lag": "5min"}
SYNTAX_ERROR = "ERROR 1064"


def ask(spec, context, statement, limit_s, vertical=False):
    """What the client prints for a statement in a session that cannot write. NoAnswerError or CannotLookError."""
    client = next((name for name in ("mariadb", "mysql") if shutil.which(name, path=ENVIRONMENT["PATH"])), None)
    if client is None:
        raise NotThereError("neither mariadb nor mysql is installed", "install mariadb-client, or remove the check")
    argv = [
        "timeout",
        "-k",
        "1",
        "%g" % limit_s,
        client,
        "--batch",
        "--skip-column-names",
        "--connect-timeout=%d" % max(1, limit_s),
    ]
    argv = [one for one in argv if not (vertical and one == "--skip-column-names")] + ["--vertical"] * vertical
    for option, name in (("--host", "host"), ("--port", "port"), ("--socket", "socket"), ("--user", "login")):
        argv += ["%s=%s" % (option, spec[name])] if spec[name] else []
    # Only MariaDB executes what stands in the comment.
    limited = "SET SESSION /*M! max_statement_time=%.1f, */ wait_timeout=60; SET SESSION TRANSACTION READ ONLY; " % (
        limit_s * 0.8
    )
    environment = {"MYSQL_PWD": spec["password"]} if spec["password"] else {}
    code, stdout, stderr = context.run([*argv, "--execute=" + limited + statement], environment=environment)
    if code in (124, 137):
        raise NoAnswerError("MariaDB does not answer within %.1f s" % limit_s)
    if code != 0:
        raise failure(" ".join(stderr.split()))
    return stdout


def failure(words):
    """The error that a failed client means."""
    denied = ("ERROR 1045", "ERROR 1698", "ERROR 1044", "ERROR 1142", "ERROR 1227", "ERROR 1130")
    if any(number in words for number in denied):
        remedy = "check as root (roundsman_health_become: true), or correct login, password or its rights"
        return CannotLookError("MariaDB refuses: %s" % words, remedy)
    if "ERROR 1969" in words:
        return StatementTimeoutError("MariaDB: %s" % words)
    # 20xx: the server cannot be reached or went away; 1040: too many connections; 1053: shutdown.
    if "ERROR 20" in words or any(number in words for number in ("ERROR 1040", "ERROR 1053")):
        return NoAnswerError("MariaDB: %s" % words)
    return CannotLookError("MariaDB: %s" % words, "correct the check's host, login or sql")


def replica(spec, context, limit_s):
    """The state of replication as a mapping, None on a server that is no replica."""
    try:
        text = ask(spec, context, REPLICA[0], limit_s, vertical=True)
    except CannotLookError as error:
        if SYNTAX_ERROR not in str(error):
            raise
        text = ask(spec, context, REPLICA[1], limit_s, vertical=True)
    pairs = (line.strip().partition(": ") for line in text.splitlines())
    return {
        name.replace("Slave", "Replica").replace("Master", "Source").rstrip(":"): value for name, _colon, value in pairs
    }


def judge_replica(spec, state):
    if not state:
        raise NotThereError("this server is not a replica", "look at a replica, or remove the check")
    stopped = [
        "%s thread stopped%s" % (thread, ": " + state[error] if state.get(error) else "")
        for thread, error in (("IO", "Last_IO_Error"), ("SQL", "Last_SQL_Error"))
        if state.get("Replica_%s_Running" % thread) != "Yes"
    ]
    behind = state.get("Seconds_Behind_Source", "NULL")
    if stopped or not behind.isdigit():
        return finding(CRITICAL, "replication: %s" % (", ".join(stopped) or "lag unknown"), unit="s")
    return judge_number(spec, float(behind), "behind %s" % state.get("Source_Host", "its primary"))


def judge_number(spec, value, words):
    warn, crit, query = spec["warn"], spec["crit"], spec["query"]
    status = judge(value, warn, crit)
    unit = {"percent": "%", "duration": "s"}.get(DIMENSIONS.get(query), "")
    shown = {"%": "%g%%" % value, "s": span(value)}.get(unit, "%g" % value)
    message = "%s %s%s: %s" % (query, shown, limits(status, warn, crit), words)
    return finding(status, message, value, unit, perf(query, value, unit, (warn, crit), (0,)))


def run(spec, context):
    limit_s = context.patience_s
    try:
        if spec["query"] == "lag":
            return judge_replica(spec, replica(spec, context, limit_s / 2))
        printed = ask(spec, context, spec["sql"] or QUERIES[spec["query"]], limit_s)
    except NoAnswerError as error:
        if spec["query"] == "sql" and isinstance(error, StatementTimeoutError):
            raise CannotLookError(str(error), "make sql faster, or raise the check's timeout") from error
        return finding(CRITICAL, str(error))
    row = (printed.splitlines() or ["0"])[0].split("\t")
    try:
        value = float(row[0])
    except ValueError:
        raise CannotLookError('"%s" is not a number' % row[0][:100], "let sql return one number") from None
    return judge_number(spec, value, row[1] if len(row) > 1 else "none" if not printed else "of one's own")


def target(spec):
    place = (
        "%s:%d" % (spec["host"], spec["port"] or 3306) if spec["host"] else spec["socket"] or str(spec["port"] or "")
    )
    return ("%s %s" % (spec["query"], place)).strip()


def judge_spec(spec):
    if spec["query"] == "sql" and not spec["sql"]:
        return ["sql is missing: a SELECT that returns one number"]
    return ["sql needs query: sql"] if spec["sql"] and spec["query"] != "sql" else []


FAMILY = family(
    "mariadb",
    "queues",
    "one number about a MariaDB or MySQL server",
    {
        "query": key("str", "what to look at", "connections", choices=(*QUERIES, "lag", "sql")),
        "sql": key("str", "with `query: sql`, a SELECT that returns one number"),
        "host": key("str", "host of the server; by default the local socket"),
        "port": key("port", "port of the server; by default 3306"),
        "socket": key("path", "its unix socket"),
        "login": key("str", "user of the database; by default named as the user who asks"),
        "password": key("str", "password of the login"),
        "warn": threshold(By("query", DIMENSIONS, WARN), "the number"),
        "crit": threshold(By("query", DIMENSIONS, CRIT), "the number"),
    },
    run,
    target=target,
    judge_spec=judge_spec,
    anywhere=True,
)
