# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dumps of MariaDB: made in the very state in which a second connection counts, and looked through."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections import namedtuple

from ..engines.base import BackupError
from . import mariadb_client as ask
from .private import program

DUMP = "dump.sql"
USERS = "users.sql"
DUMPERS = ("mariadb-dump", "mysqldump")
_COMMON = ("--skip-dump-date", "--default-character-set=utf8mb4")
_OPTIONS = (
    *("--single-transaction", "--quick", "--routines", "--events", "--triggers", "--hex-blob", "--no-tablespaces"),
    *("--max-allowed-packet=1G", "--verbose", "--databases"),
)
# How long commits may wait for us to begin, and how long we wait for what holds us up.
_BEGIN_S = 15
_LOCK_WAIT_S = 10
_BEGUN = (b"-- Retrieving ", b"-- Disconnecting ")
_STAGES = "BACKUP STAGE START; BACKUP STAGE BLOCK_COMMIT"
_READ_LOCK = "FLUSH TABLES WITH READ LOCK"
_SNAPSHOT = (
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
)

# line (number from 1), database, table (None where the database itself begins)
Part = namedtuple("Part", "line database table")


@contextlib.contextmanager
def dumped(effects, server, talk, chosen, path):
    """Dump databases to `path`; within the block `talk` sees the very state that is dumped, while it is dumped. Yields
    the moment of that state, in seconds since 1970.

    No server of this family lends its snapshot to another connection. So a third one holds commits back for the moment
    in which both begin their transactions.
    """
    argv = [program(*DUMPERS), *server.options, *_COMMON, *_OPTIONS, *chosen]
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(open(path, "wb"))
        words = stack.enter_context(tempfile.NamedTemporaryFile())
        with ask.session(effects, server) as guard:
            guard.ask("SET SESSION lock_wait_timeout={0}".format(_LOCK_WAIT_S))
            guard.ask(_STAGES if _has_stages(talk) else _READ_LOCK)
            talk.ask(_SNAPSHOT)
            moment = time.time()
            process = stack.enter_context(
                effects.start(argv, "Dumping MariaDB", stream, words, environment=server.environment)
            )
            _wait_for_begin(effects, process, words.name)
        yield moment
        while process.poll() is None:
            effects.tick()
            time.sleep(0.05)
        talk.ask("COMMIT")
        _require_success(effects, process.returncode, words.name)
    require_whole(path, "dump_failed")


def _has_stages(talk):
    """MariaDB since 10.4 can hold commits alone, without waiting for long statements as a read lock does."""
    version = talk.ask("SELECT VERSION()")[0][0]
    found = re.match(r"(\d+)\.(\d+)", version)
    return "MariaDB" in version and bool(found) and tuple(map(int, found.groups())) >= (10, 4)


def _wait_for_begin(effects, process, path):
    """The dump tells of the first thing that it retrieves, and by then its transaction has begun."""
    until = time.monotonic() + _BEGIN_S
    while process.poll() is None:
        effects.tick()
        with open(path, "rb") as stream:
            if any(word in stream.read() for word in _BEGUN):
                return
        if time.monotonic() > until:
            raise BackupError("dump_failed", _SLOW.format(_BEGIN_S))
        time.sleep(0.01)


def _require_success(effects, rc, path):
    if rc == 0:
        return
    with open(path, "rb") as stream:
        lines = stream.read().decode("utf-8", "backslashreplace").splitlines()
    said = " | ".join(line for line in lines if not line.startswith("-- "))[-600:] or "it said nothing"
    full = "errno 28" in said.lower() or "errcode: 28" in said.lower() or "No space left" in said
    raise BackupError("no_space" if full else "dump_failed", effects.redact(_FAILED.format(rc, said)))


def dump_users(effects, server, path):
    """Dump accounts and grants; returns how many accounts there are besides those that every server has."""
    argv = [program(*DUMPERS), *server.options, *_COMMON, "--system=users", "--insert-ignore"]
    with open(path, "wb") as stream:
        effects.run(
            argv, "dump_failed", "Dumping MariaDB's accounts", stdout=stream, environment=server.environment
        )  # fmt: skip
    require_whole(path, "dump_failed")
    with open(path, "rb") as stream:
        found = [re.match(rb"CREATE USER IF NOT EXISTS `((?:[^`]|``)*)`@", line) for line in stream]
    own = [name.encode() for name in ask.OWN_ACCOUNTS]
    return sum(1 for one in found if one and one.group(1) not in own)


def require_whole(path, reason):
    """A dump ends with a line that says so."""
    with open(path, "rb") as stream:
        stream.seek(max(0, os.path.getsize(path) - 200))
        if b"\n-- Dump completed" not in stream.read():
            raise BackupError(reason, "{0} breaks off: its last line is missing".format(os.path.basename(path)))


def outline(path):
    """The databases and tables of a dump, in its order, as Parts."""
    database = None
    with open(path, "rb") as stream:
        for number, line in enumerate(stream, 1):
            found = re.match(rb"(USE|CREATE TABLE) `((?:[^`]|``)*)`", line)
            if found:
                name = found.group(2).decode("utf-8", "backslashreplace").replace("``", "`")
                database = name if found.group(1) == b"USE" else database
                yield Part(number, database, None if found.group(1) == b"USE" else name)


_SLOW = "mariadb-dump did not begin within {0} s, and commits may not wait longer. Nothing was saved. Try again."
_FAILED = "mariadb-dump ended with {0}: {1}. Nothing was saved."
