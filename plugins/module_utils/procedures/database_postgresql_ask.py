# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How maintenance talks to a PostgreSQL server: never waiting long for a lock, and in rows that any name can be in."""

from __future__ import annotations

import contextlib
import json
import re
import time

from ..engines.base import BackupError
from ..sources import postgresql_talk
from ..sources.base import Effects
from .base import ProcedureError

LOCK_TIMEOUT, CANCELED, UNDEFINED, DUPLICATES, DISK_FULL = "55P03", "57014", "42P01", "23505", "53100"
# A lock that is not to be had is asked for again after a pause in which whoever waits behind us gets his turn.
PAUSE_S = 1.0
# Work of hours gives way to that of the application (as autovacuum does), and ends soon when we do.
_OPTIONS = (
    "-c lock_timeout={lock_wait_s}s -c statement_timeout={statement_timeout_s}s -c vacuum_cost_delay=2"
    " -c idle_in_transaction_session_timeout=0 -c client_min_messages=error -c search_path=pg_catalog"
)
_BEGIN = (
    "\\set VERBOSITY verbose\n"
    "SELECT set_config(name, '2s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'"
)


class SqlError(ProcedureError):
    """A statement that the server did not do: `code` is its SQLSTATE, None when there was no answer at all."""

    def __init__(self, code, words):
        super().__init__("procedure_failed", words)
        self.code = code

    @property
    def is_damage(self):
        """Whether it says that data are damaged (data_corrupted, index_corrupted)."""
        return self.code in ("XX001", "XX002")


def sql_error(message):
    """The SqlError for what psql said; the detail, which may hold somebody's data, is left out."""
    found = re.findall(r":  ([0-9A-Z]{5}): ([^|]*)", message)
    return SqlError(found[-1][0], found[-1][1].strip()) if found else SqlError(None, message)


class Postgres:
    """A server (a definition with the keys of a source of backups), asked within the limits of a Step."""

    def __init__(self, step, spec, limits):
        self._step = step
        self._attempts = limits["attempts"]
        secret = spec.get("password")
        redact = (lambda words: words.replace(secret, "***")) if secret else str
        self._effects = Effects(None, [], None, step.tick, step.left_s, redact, step.keep_fds)
        server = postgresql_talk.server_of(spec)
        self._server = server._replace(environment=dict(server.environment, PGOPTIONS=_OPTIONS.format(**limits)))

    def rows(self, database, query):
        """What a query finds, as a list of dicts."""
        return self.answers(database, query)[0]

    def answers(self, database, *queries):
        """What several queries find, in one conversation."""
        found = "SELECT coalesce(jsonb_agg(q), '[]') FROM ({0}) q"
        with self._talk(database) as talk:
            return [json.loads(talk.ask(found.format(query))[0][0]) for query in queries]

    def do(self, database, statement, tidy=None):
        """Do one statement; a lock that is not to be had is tried for again a few times. Raises SqlError.

        `tidy()` is called after each attempt that failed.
        """
        for attempt in range(1, self._attempts + 1):
            self._step.tick()
            try:
                with self._talk(database) as talk:
                    talk.ask(statement)
            except BackupError as failure:
                error = _not_done(failure)
                if tidy:
                    tidy()
                if error.code != LOCK_TIMEOUT or attempt == self._attempts:
                    raise error from failure
            else:
                return
            time.sleep(PAUSE_S)

    def each(self, database, statements):
        """Do many short statements, by name; yields (name, SqlError) for those that were not done."""
        left = list(statements.items())
        while left:
            name = None
            try:
                with self._talk(database) as talk:
                    while left:
                        name, statement = left.pop(0)
                        self._step.tick()
                        talk.ask(statement)
            except BackupError as failure:
                if name is None:
                    raise
                yield name, _not_done(failure)

    @contextlib.contextmanager
    def _talk(self, database):
        with postgresql_talk.talk(self._effects, self._server, database, "procedure_failed") as talk:
            talk.ask(_BEGIN)
            yield talk


def _not_done(failure):
    """The SqlError of a BackupError; what is not about the statement is raised as it is."""
    if failure.reason != "procedure_failed":
        raise failure
    return sql_error(failure.message)
