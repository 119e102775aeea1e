# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How maintenance talks to a MariaDB server: never waiting long for a lock, and only about this server."""

from __future__ import annotations

import contextlib
import itertools
import re
import time

from ..engines.base import BackupError
from ..sources import mariadb_client
from ..sources.base import Effects
from .base import ProcedureError
from .database_watch import Watch

LOCK_WAIT, OVER, NOT_ONLINE, MUCH_WRITTEN, KILLED, GONE = 1205, 1969, (1845, 1846), 1799, 1317, 1146
# Our own: the statement was ended for others who waited.
GAVE_WAY = "gave way"
PAUSE_S = 1.0
# The second one's words have those of the third in them.
_NOT_LOOKED = (
    ("Lock wait timeout", LOCK_WAIT),
    ("max_statement_time", OVER),
    ("Query execution was interrupted", KILLED),
    ("doesn't exist", GONE),
)
_WELL = (["status", "OK"], ["status", "Table is already up to date"])
# Which of them wait for us, not every server can say.
_WAITING = """SELECT ID FROM information_schema.PROCESSLIST
    WHERE STATE LIKE 'Waiting for % lock' OR STATE = 'Waiting for table flush' LIMIT 1"""
# Replicas look after themselves, and rebuilding there would hold up what comes from their primary.
_BEGIN = (
    "SET SESSION lock_wait_timeout={lock_wait_s}, SESSION innodb_lock_wait_timeout={lock_wait_s}, "
    "SESSION sql_log_bin=0, SESSION lc_messages='en_US'; "
    "/*M!100100 SET SESSION max_statement_time={statement_timeout_s} */"
)


class MariadbError(ProcedureError):
    """A statement that the server did not do: `code` is its number, None when there was no answer at all."""

    def __init__(self, code, words):
        super().__init__("procedure_failed", words)
        self.code = code


def said_of(rows):
    """What CHECK or ANALYZE TABLE says, None when all is well. Raises MariadbError when it could not look.

    These statements succeed whatever they find; what went wrong is in their rows (table, statement, kind, text).
    """
    if not rows or rows[-1][2:] in _WELL:
        return None
    words = "; ".join(row[3] for row in rows)
    for text, code in _NOT_LOOKED:
        if text in words:
            raise MariadbError(code, words)
    return words


class Mariadb:
    """A server (a definition with the keys of a source of backups), asked within the limits of a Step."""

    def __init__(self, step, spec, limits):
        self._step = step
        self._limits = limits
        secret = spec.get("password")
        redact = (lambda words: words.replace(secret, "***")) if secret else str
        self._effects = lambda tick: Effects(None, [], None, tick, step.left_s, redact, step.keep_fds)
        self._server = mariadb_client.server_of(spec)

    def ask(self, statement):
        """The rows of a statement. Raises MariadbError."""
        with self._session() as session:
            return session.ask(statement)

    def patiently(self, statement):
        """As `ask`, giving way to others who wait; a lock that is not to be had, or that they wanted, is tried for
        again a few times.
        """
        for attempt in itertools.count(1):
            self._step.tick()
            try:
                return self._giving_way(statement)
            except MariadbError as error:
                if error.code not in (LOCK_WAIT, GAVE_WAY) or attempt >= self._limits["attempts"]:
                    raise
            time.sleep(PAUSE_S)
        return []

    def _giving_way(self, statement):
        """The rows of a statement that ends when others wait for a table."""
        second = []

        def give_way():
            if not second:
                second.append(stack.enter_context(self._session()))
            if not second[0].ask(_WAITING):
                return False
            second[0].ask("KILL QUERY {0}".format(number))
            return True

        watch = Watch(self._step)
        try:
            with contextlib.ExitStack() as stack:
                session = stack.enter_context(self._session(watch.tick))
                number = session.ask("SELECT CONNECTION_ID()")[0][0]
                watch.begin(give_way)
                rows = session.ask(statement)
            said_of(rows)
        except MariadbError as error:
            if watch.gave_way and error.code == KILLED:
                raise MariadbError(GAVE_WAY, "others waited for a table") from error
            raise
        return rows

    @contextlib.contextmanager
    def _session(self, tick=None):
        effects = self._effects(tick or self._step.tick)
        try:
            with mariadb_client.session(effects, self._server, "procedure_failed") as session:
                session.ask(_BEGIN.format(**self._limits))
                yield session
        except BackupError as failure:
            raise _not_done(failure) from failure


def _not_done(failure):
    """The MariadbError of a BackupError; what is not about the statement is raised as it is."""
    if failure.reason != "procedure_failed":
        raise failure
    found = re.search(r"ERROR (\d+)", failure.message)
    return MariadbError(int(found.group(1)) if found else None, failure.message)
