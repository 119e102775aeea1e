# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A SQLite database as a source: one consistent copy by the online backup API, whoever writes meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from urllib.parse import quote

from ..engines.base import BackupError
from ..state import from_os_error
from .base import Prepared, expectations, moment_of
from .keys import path_faults, text_faults

BUSY_S = 30
PAGES = 1000
SHOWN = 3


class SqliteSource:
    """The database at `path`. `canary`: a query for one value that must be the same in the restored copy."""

    type = "sqlite"
    KEYS = ("path", "canary")
    SECRETS = ()
    SPOOLS = True

    def __init__(self, spec):
        self._spec = spec
        self._id = spec["id"]
        self._path = spec["path"]
        self._canary = spec.get("canary")
        self._spool = None

    @classmethod
    def faults(cls, spec):
        return path_faults("path", spec.get("path")) + text_faults(spec, "canary")

    def prepare(self, effects):
        try:
            info = os.stat(self._path)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                text = "Not there: {0}. Nothing was saved. Correct this source's path, or take it out."
                raise BackupError("source_missing", text.format(self._path)) from error
            raise from_os_error("looking at the database", self._path, error) from error
        log_bytes = size_of(self._path + "-wal")
        if log_bytes and not info.st_size:
            # SQLite takes that log for a leftover, and removes it as soon as somebody reads, even by mode=ro.
            raise BackupError("dump_failed", _TRUNCATED.format(self._path))
        # What is still in the write-ahead log belongs to the copy, too.
        needed = info.st_size + log_bytes
        self._spool = effects.spool(self._id, needed)
        copy = self._inside(self._spool)
        os.makedirs(os.path.dirname(copy))
        as_of = _copy(self._path, copy, effects.tick)
        _like(info, copy)
        values = self._values(copy, effects.tick, "dump_failed")
        if values["integrity"] != "ok":
            text = "{0} itself is damaged: {1}. Nothing was saved. Repair it, or restore it from a backup."
            raise BackupError("dump_failed", text.format(self._path, values["integrity"]))
        return Prepared(
            [os.fsencode(self._spool)], [], [], expectations(values, moment_of(values.get("canary", as_of)))
        )

    def cleanup(self):
        if self._spool:
            shutil.rmtree(self._spool, ignore_errors=True)

    def prove(self, copy, _values, effects):
        return self._values(self._inside(copy), effects.tick)

    def remains(self, _effects):
        try:
            os.lstat(self._path)
        except FileNotFoundError:
            return None, ["there is no {0}".format(self._path)]
        return self._spec, []

    def put_back(self, copy, _values, effects):
        """Through the backup API, which locks out writers: a crash leaves the database as it was."""
        restored = self._inside(copy)
        if not os.path.isfile(restored):
            raise BackupError("engine_failed", "The copy holds no {0}. Nothing was overwritten.".format(restored))
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        existed = os.path.exists(self._path)
        try:
            _copy(restored, self._path, effects.tick, "immutable=1")
        except BackupError as failure:
            if "not a database" not in failure.message:
                raise
            raise BackupError("engine_failed", _SPOILT.format(self._path)) from failure
        if not existed:
            _like(os.stat(restored), self._path)
        values = self._values(restored, effects.tick)
        rows = sum(number for name, number in values.items() if name.startswith("rows of "))
        return ["{0} {1}: {2} rows".format(self._path, "was overwritten" if existed else "was made", rows)]

    def _inside(self, directory):
        return os.path.join(directory, self._path.lstrip("/"))

    def _values(self, path, tick, refused="proof_failed"):
        """What is in a database that nobody writes to: its integrity, the rows of its tables, the canary."""
        with opened(path, "immutable=1", tick) as connection:
            # The canary may have come with the snapshot of another host: no VACUUM INTO, and no other database.
            connection.set_authorizer(_in_this_database_only)
            try:
                found = [row[0] for row in connection.execute("PRAGMA integrity_check(%d)" % SHOWN)]
                values = {"integrity": "; ".join(found)}
                for name in _tables(connection):
                    quoted = '"{0}"'.format(name.replace('"', '""'))
                    values["rows of " + name] = _one(connection, "SELECT count(*) FROM " + quoted)  # noqa: S608
                if self._canary:
                    values["canary"] = _one(connection, self._canary)
            except error_class() as error:
                tick()
                raise BackupError(refused, "{0}: {1}".format(self._path, error)) from error
        return values


_SPOILT = (
    "{0} is no SQLite database any more, so that nothing can be put into it. It was not changed. Move it away, with "
    "its -wal, -shm and -journal, and restore again."
)


def _sqlite3():
    """Python's sqlite3, which some distributions package apart."""
    try:
        import sqlite3
    except ImportError:
        raise BackupError(
            "application_missing", "Python on this host has no module sqlite3. Nothing was saved. Install it."
        ) from None
    return sqlite3


def error_class():
    """What all errors of SQLite are."""
    return _sqlite3().Error


def _in_this_database_only(action, *_about):
    sqlite3 = _sqlite3()
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


@contextlib.contextmanager
def opened(path, mode, tick, busy_s=BUSY_S):
    """A connection that ends long statements when the time is over, and waits `busy_s` for a lock."""
    uri = "file:{0}?{1}".format(quote(os.fsencode(path)), mode)
    connection = _sqlite3().connect(uri, uri=True, timeout=busy_s, isolation_level=None)

    def over():
        try:
            tick()
        except BackupError:
            return 1
        return 0

    connection.set_progress_handler(over, 100000)
    try:
        yield connection
    finally:
        connection.close()


def _copy(source, target, tick, mode="mode=ro"):
    """Copy a database as it was at one moment, which is returned (seconds since 1970)."""
    sqlite3 = _sqlite3()
    try:
        with opened(source, mode, tick) as live, opened(target, "mode=rwc", tick) as copy:
            # As long as this transaction reads, nothing that others write makes the copy begin again.
            live.execute("BEGIN")
            live.execute("SELECT count(*) FROM sqlite_master").fetchone()
            as_of = time.time()
            live.backup(copy, pages=PAGES, progress=lambda *_left: tick())
    except sqlite3.Error as error:
        tick()
        words = str(error)
        reason = "no_space" if "full" in words else "dump_failed"
        text = "copying {0} to {1} failed: {2}. Nothing was saved."
        raise BackupError(reason, text.format(source, target, words)) from error
    return as_of


def _tables(connection):
    """Names of the tables that can be counted; those of extensions that are not here cannot."""
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name for name, sql in found if not name.startswith("sqlite_") and "VIRTUAL" not in (sql or "").upper()[:20]]


def _one(connection, query):
    row = connection.execute(query).fetchone()
    return None if row is None else row[0] if isinstance(row[0], (int, float)) else str(row[0])


def size_of(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _like(info, path):
    """Owner, mode and time of the original, so that a restored copy can take its place."""
    if os.geteuid() == 0:
        os.chown(path, info.st_uid, info.st_gid)
    os.chmod(path, stat.S_IMODE(info.st_mode))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


_TRUNCATED = (
    "{0} has 0 bytes and a write-ahead log: it was truncated. Nothing was saved. Whatever opens it removes that log, "
    "in which pages of it may be, so copy {0}-wal first; then restore it (roundsman restore)."
)
