# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Conversations with a PostgreSQL server through psql, and what is counted there."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import select
import subprocess
import tempfile
from collections import namedtuple

from ..engines.base import BackupError
from .keys import text_faults

# prefix (words before a client's own), directory (of the clients, or empty), environment (of libpq), user (of the host)
Server = namedtuple("Server", "prefix directory environment user")

# Longer than any lock that a person takes by hand without noticing.
LOCK_WAIT = "60s"
LOGIN_KEYS = ("host", "port", "login", "password", "user")
# Our transaction only waits while pg_dump works in its snapshot; how long it all may take is for our own time limit.
_OPTIONS = "-c lock_timeout={0} -c statement_timeout=0 -c idle_in_transaction_session_timeout=0".format(LOCK_WAIT)
_LIBPQ = (("PGHOST", "host"), ("PGPORT", "port"), ("PGUSER", "login"), ("PGPASSWORD", "password"))
# A canary is a time, whose text is the same in the server of a proof, whatever zones and styles hosts, databases and
# roles have.
_PLAIN = {"PGTZ": "UTC", "PGDATESTYLE": "ISO"}
_SEPARATOR, _END = "\x1f", "\x1e"


def login_faults(spec):
    found = text_faults(spec, "host", "login", "password", "user")
    if not isinstance(spec.get("port", 5432), int):
        found.append("port must be a number, not {0!r}".format(spec["port"]))
    return found


def server_of(spec):
    """The live server of a definition; root asks as postgres through the socket unless it says otherwise."""
    environment = {variable: str(spec[key]) for variable, key in _LIBPQ if spec.get(key)}
    environment.update(PGAPPNAME="roundsman", PGCONNECT_TIMEOUT="30", PGOPTIONS=_OPTIONS)
    local = "postgres" if os.geteuid() == 0 and not (spec.get("host") or spec.get("password")) else None
    return Server([], "", environment, spec.get("user", local))


def client(server, program, *options):
    """The words of one of PostgreSQL's clients."""
    return [*server.prefix, os.path.join(server.directory, program), *options]


def at(server, database):
    """What makes a client connect to a database; an environment takes any name, an option would read `a=b` in it."""
    return {"environment": dict(server.environment, PGDATABASE=database), "user": server.user, "cwd": "/"}


def name(identifier):
    """An identifier as SQL has it."""
    return '"{0}"'.format(identifier.replace('"', '""'))


def text(value):
    """A text as SQL has it."""
    return "'{0}'".format(value.replace("'", "''"))


class Talk:
    """One connection, asked statement by statement. What the server refuses is a BackupError of the given reason."""

    def __init__(self, effects, process, errors, reason):
        self._effects = effects
        self._process = process
        self._errors = errors
        self._reason = reason

    def ask(self, statement):
        """The rows of a statement as lists of text."""
        try:
            self._process.stdin.write("{0};\nSELECT '{1}';\n".format(statement, _END).encode("utf-8"))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        heard, mark = b"", (_END + "\n").encode()
        while not heard.endswith(mark):
            heard += self._listen()
        lines = heard[: -len(mark)].decode("utf-8", "backslashreplace").split("\n")[:-1]
        return [line.split(_SEPARATOR) for line in lines]

    def _listen(self):
        pipe = self._process.stdout.fileno()
        while not select.select([pipe], [], [], 1.0)[0]:
            self._effects.tick()
        heard = os.read(pipe, 65536)
        if not heard:
            raise self._ended()
        return heard

    def _ended(self):
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "backslashreplace").splitlines()
        words = " | ".join(line.strip() for line in lines if line.strip())[-600:]
        return BackupError(self._reason, self._effects.redact("PostgreSQL refuses: {0}".format(words or "psql ended")))


@contextlib.contextmanager
def talk(effects, server, database, reason="dump_failed"):
    """A Talk with one database, ended with the block."""
    argv = client(server, "psql", "-XAtq", "-F", _SEPARATOR, "-v", "ON_ERROR_STOP=1")
    pipe = subprocess.PIPE
    with tempfile.TemporaryFile() as errors:
        options = dict(at(server, database), stdin=pipe)
        options["environment"].update(_PLAIN)
        with effects.start(argv, "Talking to PostgreSQL", pipe, errors, **options) as process:
            yield Talk(effects, process, errors, reason)


def counts(asked, database, uncounted):
    """Rows of each table that a dump holds, and the number of large objects, by name; of tables that match one of the
    patterns `uncounted` only that they are there.
    """
    values = {"large objects of " + database: int(asked.ask("SELECT count(*) FROM pg_largeobject_metadata")[0][0])}
    for schema, table in asked.ask(_TABLES):
        full = "{0}.{1}".format(schema, table)
        if any(fnmatch.fnmatchcase(full, pattern) for pattern in uncounted):
            values["table {0}.{1}".format(database, full)] = "there"
            continue
        rows = asked.ask("SELECT count(*) FROM {0}.{1}".format(name(schema), name(table)))  # noqa: S608
        values["rows of {0}.{1}".format(database, full)] = int(rows[0][0])
    return values


# Tables of extensions are made by CREATE EXTENSION, with rows that are the extension's own affair.
_TABLES = """SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind = 'r' AND relpersistence <> 't' AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'
    AND NOT EXISTS
        (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
    ORDER BY 1, 2"""
