# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Conversations with a MariaDB or MySQL server through its own client, and what is counted there."""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import tempfile
from collections import namedtuple

from ..engines.base import BackupError
from .private import program

CLIENTS = ("mariadb", "mysql")
SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
# Accounts that a fresh server has as well.
OWN_ACCOUNTS = ("", "PUBLIC", "mariadb.sys", "mysql", "root")
_NEVER_MIND_LIMITS = "SET SESSION wait_timeout=86400; SET time_zone='+00:00'; /*M!100100 SET max_statement_time=0 */"
# A dump or a canary can come with the snapshot of a host in strange hands: the client must neither run its `\! command`
# here, as root, nor send files of ours to the server that the dump is loaded into.
_STATEMENTS_ONLY = ("--binary-mode", "--local-infile=0")
_ESCAPED = {"\\t": "\t", "\\n": "\n", "\\0": "\0", "\\\\": "\\"}

# options (first words after the program's name), environment (with the password), cwd (what a relative socket is below)
Server = namedtuple("Server", "options environment cwd")


def server_of(spec):
    """The live server of a definition; without anything the one that the client finds by itself."""
    pairs = (("--host", "host"), ("--port", "port"), ("--socket", "socket"), ("--user", "login"))
    options = ["{0}={1}".format(option, spec[key]) for option, key in pairs if spec.get(key)]
    return Server(options, {"MYSQL_PWD": spec["password"]} if spec.get("password") else {}, None)


def client(server, *more):
    """The words of a client that reads statements."""
    return [program(*CLIENTS), *server.options, "--default-character-set=utf8mb4", *_STATEMENTS_ONLY, *more]


def name(identifier):
    """An identifier as SQL has it."""
    return "`{0}`".format(identifier.replace("`", "``"))


def text(value):
    """A text as SQL has it."""
    return "'{0}'".format(value.replace("\\", "\\\\").replace("'", "''"))


class Session:
    """One connection, asked statement by statement. What the server refuses is a BackupError of the given reason."""

    def __init__(self, effects, process, errors, reason):
        self._effects = effects
        self._process = process
        self._errors = errors
        self._reason = reason
        self._asked = 0
        self._heard = b""

    def ask(self, statement):
        """The rows of a statement (or of several) as lists of text."""
        self._asked += 1
        end = "-- end of answer {0}".format(self._asked)
        try:
            self._process.stdin.write("{0};\nSELECT '{1}';\n".format(statement, end).encode("utf-8"))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        mark = "{0}\n".format(end).encode()
        while not self._heard.endswith(mark):
            self._listen()
        answer, self._heard = self._heard[: -len(mark)].decode("utf-8", "backslashreplace"), b""
        return [[_plain(value) for value in line.split("\t")] for line in answer.split("\n")[:-1]]

    def _listen(self):
        pipe = self._process.stdout.fileno()
        self._effects.tick()
        if select.select([pipe], [], [], 1.0)[0]:
            heard = os.read(pipe, 65536)
            if not heard:
                raise self._ended()
            self._heard += heard

    def _ended(self):
        self._process.wait()
        self._errors.seek(0)
        words = error_in(self._errors.read().decode("utf-8", "backslashreplace"))
        text = _NOT_SAVED if self._reason == "dump_failed" else _REFUSED
        return BackupError(self._reason, self._effects.redact(text.format(words)))


def error_in(words):
    """The error that a client told of, without the statement that it may show as well: that can be somebody's data."""
    found = re.search(r"ERROR \d+ \(\w+\).*", words)
    return found.group()[:600] if found else "the client ended without a word"


def _plain(value):
    return re.sub(r"\\[tn0\\]", lambda found: _ESCAPED[found.group()], value)


@contextlib.contextmanager
def session(effects, server, reason="dump_failed"):
    """A Session with a server, ended with the block."""
    argv = client(server, "--batch", "--skip-column-names", "--unbuffered")
    pipe = subprocess.PIPE
    options = {"stdin": pipe, "environment": server.environment, "cwd": server.cwd}
    with tempfile.TemporaryFile() as errors, effects.start(argv, _TALKING, pipe, errors, **options) as process:
        talk = Session(effects, process, errors, reason)
        talk.ask(_NEVER_MIND_LIMITS)
        yield talk


def databases(talk):
    """The names of all databases but the server's own."""
    return [row[0] for row in talk.ask("SHOW DATABASES") if row[0].lower() not in SYSTEM]


def lacking(talk, named):
    """What the login may not see, and a dump would leave out without a word: (rights, where), or None.

    `named` are the databases, or None for all of the server. Without other rights a dump fails by itself.
    """
    grants = [re.match(r"GRANT (.+?) ON (.+?)\.\* TO ", row[0]) for row in talk.ask("SHOW GRANTS")]
    held = [(grant.group(2), grant.group(1).split(", ")) for grant in grants if grant]
    for database in ["*"] if named is None else named:
        rights = {right for where, some in held if where == "*" or _is_meant(database, where) for right in some}
        missing = [right for right in ("SELECT", "TRIGGER") if not rights & {right, "ALL PRIVILEGES"}]
        if missing:
            return ", ".join(missing), "*.*" if database == "*" else name(database) + ".*"
    return None


def _is_meant(database, where):
    """Whether a database is one of a grant's, in whose quoted name `%` and `_` are wildcards."""
    parts = re.findall(r"\\.|.", where.strip("`").replace("``", "`"), re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return bool(re.fullmatch("".join(wild.get(one) or re.escape(one[-1]) for one in parts), database, re.DOTALL))


def _of_tables(talk, columns, chosen):
    asked = "SELECT {0} FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ({1}) ORDER BY TABLE_SCHEMA, TABLE_NAME"
    return [tuple(row) for row in talk.ask(asked.format(columns, ", ".join(map(text, chosen))))]


def tables(talk, chosen):
    """What databases hold: (database, table, kind, engine) of each table, view and sequence, in order."""
    return _of_tables(talk, "TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE", chosen)


def data_bytes(talk, chosen):
    """About how large a dump of databases is: their data without indexes."""
    return int(_of_tables(talk, "CAST(COALESCE(SUM(DATA_LENGTH), 0) AS UNSIGNED)", chosen)[0][0])


def transactional(talk):
    """The engines whose tables a transaction sees in one state."""
    return {row[0] for row in talk.ask("SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS = 'YES'")}


def rowed(listed):
    """Those of `tables` that hold rows."""
    return [one for one in listed if one[2] in ("BASE TABLE", "SYSTEM VERSIONED")]


def count(talk, chosen, listed, safe):
    """What databases hold, by name: rows per table, and how many views, routines, triggers and events there are.

    `listed` is what `tables` found, `safe` the engines whose rows can be counted in the state that was dumped.
    """
    values = {}
    for database in chosen:
        values["views of {0}".format(database)] = sum(1 for one in listed if one[0] == database and one[2] == "VIEW")
        for what, column in (("ROUTINES", "ROUTINE"), ("TRIGGERS", "TRIGGER"), ("EVENTS", "EVENT")):
            asked = "SELECT COUNT(*) FROM information_schema.{0} WHERE {1}_SCHEMA = {2}"
            found = talk.ask(asked.format(what, column, text(database)))[0][0]
            values["{0} of {1}".format(what.lower(), database)] = int(found)
    for database, table, _kind, engine in rowed(listed):
        rows = "not counted ({0})".format(engine)
        if engine in safe:
            rows = int(talk.ask(_ROWS.format(name(database), name(table)))[0][0])
        values["rows of {0}.{1}".format(database, table)] = rows
    return values


def accounts(talk):
    """How many accounts there are besides those that every server has."""
    own = ", ".join(map(text, OWN_ACCOUNTS))
    return int(talk.ask(_ACCOUNTS.format(own))[0][0])


_TALKING = "Talking to MariaDB"
_ROWS = "SELECT COUNT(*) FROM {0}.{1}"
_ACCOUNTS = "SELECT COUNT(*) FROM mysql.user WHERE is_role = 'N' AND User NOT IN ({0})"
_REFUSED = "MariaDB refuses: {0}"
_NOT_SAVED = _REFUSED + ". Nothing was saved. Correct the source's login, password, its rights or the canary"
