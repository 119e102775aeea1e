# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How maintenance talks to a PostgreSQL server: never waiting long for a lock, and in rows that any name can be in."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import time

from ..engines.base import BackupError
from ..sources import postgresql_talk
from ..sources.base import Effects
from . import database_postgresql_measure as measure
from .base import ProcedureError
from .database_watch import Watch

LOCK_TIMEOUT, CANCELED, DUPLICATES, DISK_FULL = "55P03", "57014", "23505", "53100"
# Of a table, an index, a schema that the application dropped.
GONE = ("42P01", "42704", "3F000")
# Our own: the statement was ended for others who waited for it, or not begun because others are at it.
GAVE_WAY, AT_WORK = "gave way", "at work"
# A lock that is not to be had is asked for again after a pause in which whoever waits behind us gets his turn.
PAUSE_S = 1.0
# Work of hours gives way to that of the application (as autovacuum does), and ends soon when we do.
_OPTIONS = (
    "-c lock_timeout={0}ms -c statement_timeout={statement_timeout_s}s -c vacuum_cost_delay=2"
    " -c idle_in_transaction_session_timeout=0 -c client_min_messages=error -c search_path=pg_catalog"
)
_BEGIN = (
    "\\set VERBOSITY verbose\n"
    "SELECT set_config(name, CASE name WHEN 'transaction_timeout' THEN '0' ELSE '2s' END, false) FROM pg_settings"
    " WHERE name IN ('client_connection_check_interval', 'transaction_timeout')"
)
_ROWS = "SELECT coalesce(jsonb_agg(q), '[]') FROM ({0}) q"


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
        self._effects = lambda tick: Effects(None, [], None, tick, step.left_s, redact, step.keep_fds)
        server = postgresql_talk.server_of(spec)
        # To PostgreSQL 0 is to wait for ever.
        options = _OPTIONS.format(max(1, limits["lock_wait_s"] * 1000), **limits)
        self._server = server._replace(environment=dict(server.environment, PGOPTIONS=options))

    def rows(self, database, query):
        """What a query finds, as a list of dicts. Raises SqlError."""
        return self.answers(database, query)[0]

    def answers(self, database, *queries):
        """What several queries find, in one conversation. Raises SqlError."""

        def ask():
            with self._talk(database) as talk:
                return [_found(talk, query) for query in queries]

        return self._patiently(ask)

    def do(self, database, statement, unless=None, then=None, tidy=None):
        """Do one statement, which gives way to others who wait for it. Raises SqlError.

        AT_WORK is raised when the query `unless` finds anything. Returns what the query `then` finds afterwards, None
        when it was not answered. `tidy()` is called after each attempt that failed.
        """

        def work():
            with self._giving_way(database) as talk:
                if unless and _found(talk, unless):
                    raise SqlError(AT_WORK, "others work there")
                talk.ask(statement)
                with contextlib.suppress(BackupError):
                    return _found(talk, then) if then else None

        return self._patiently(work, tidy)

    def each(self, database, statements):
        """Do many statements, by name, as `do` but once; yields (name, SqlError) for those that were not done."""
        left = list(statements.items())
        while left:
            name = None
            try:
                with self._giving_way(database) as talk:
                    while left:
                        name, statement = left.pop(0)
                        self._step.tick()
                        talk.ask(statement)
            except SqlError as error:
                if name is None:
                    raise
                yield name, error

    def _patiently(self, work, tidy=None):
        """Work; a lock that is not to be had, or that others wanted, is tried for again a few times."""
        for attempt in itertools.count(1):
            self._step.tick()
            try:
                return work()
            except SqlError as error:
                if tidy:
                    tidy()
                if error.code not in (LOCK_TIMEOUT, GAVE_WAY) or attempt >= self._attempts:
                    raise
            time.sleep(PAUSE_S)
        return None

    @contextlib.contextmanager
    def _giving_way(self, database):
        """A conversation whose statements end when others wait for the locks that they hold."""
        second = []

        def give_way():
            if not second:
                second.append(stack.enter_context(self._talk(database)))
            return bool(second[0].ask(measure.give_way(pid)))

        watch = Watch(self._step)
        try:
            with contextlib.ExitStack() as stack:
                talk = stack.enter_context(self._talk(database, watch.tick))
                pid = talk.ask("SELECT pg_backend_pid()")[0][0]
                watch.begin(give_way)
                yield talk
        except SqlError as error:
            if watch.gave_way and error.code == CANCELED:
                raise SqlError(GAVE_WAY, "others waited for it") from error
            raise

    @contextlib.contextmanager
    def _talk(self, database, tick=None):
        effects = self._effects(tick or self._step.tick)
        try:
            with postgresql_talk.talk(effects, self._server, database, "procedure_failed") as talk:
                talk.ask(_BEGIN)
                yield talk
        except BackupError as failure:
            if failure.reason != "procedure_failed":
                raise
            raise sql_error(failure.message) from failure


def _found(talk, query):
    """The rows of a query as a list of dicts."""
    return json.loads(talk.ask(_ROWS.format(query))[0][0])
