# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How maintenance talks to a MariaDB server: never waiting long for a lock, and only about this server."""

from __future__ import annotations

import contextlib
import re
import time

from ..engines.base import BackupError
from ..sources import mariadb_client
from ..sources.base import Effects
from .base import ProcedureError

LOCK_WAIT, OVER, NOT_ONLINE, MUCH_WRITTEN = 1205, 1969, (1845, 1846), 1799
PAUSE_S = 1.0
_WELL = (["status", "OK"], ["status", "Table is already up to date"])
# Replicas look after themselves, and rebuilding there would hold up what comes from their primary.
_BEGIN = (
    "SET SESSION lock_wait_timeout={lock_wait_s}, SESSION innodb_lock_wait_timeout={lock_wait_s}, "
    "SESSION sql_log_bin=0; /*M!100100 SET SESSION max_statement_time={statement_timeout_s} */"
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
    for text, code in (("Lock wait timeout", LOCK_WAIT), ("max_statement_time", OVER)):
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
        self._effects = Effects(None, [], None, step.tick, step.left_s, redact, step.keep_fds)
        self._server = mariadb_client.server_of(spec)

    def ask(self, statement):
        """The rows of a statement. Raises MariadbError."""
        try:
            with self._session() as session:
                return session.ask(statement)
        except BackupError as failure:
            raise _not_done(failure) from failure

    def patiently(self, statement):
        """As `ask`; a lock that is not to be had is tried for again a few times."""
        for attempt in range(1, self._limits["attempts"] + 1):
            self._step.tick()
            try:
                rows = self.ask(statement)
                said_of(rows)
            except MariadbError as error:
                if error.code != LOCK_WAIT or attempt == self._limits["attempts"]:
                    raise
            else:
                return rows
            time.sleep(PAUSE_S)
        return []

    @contextlib.contextmanager
    def _session(self):
        with mariadb_client.session(self._effects, self._server, "procedure_failed") as session:
            session.ask(_BEGIN.format(**self._limits))
            yield session


def _not_done(failure):
    """The MariadbError of a BackupError; what is not about the statement is raised as it is."""
    if failure.reason != "procedure_failed":
        raise failure
    found = re.search(r"ERROR (\d+)", failure.message)
    return MariadbError(int(found.group(1)) if found else None, failure.message)
