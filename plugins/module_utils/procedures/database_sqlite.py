# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SQLite databases: looked through, their logs taken in, and made smaller, none of which holds writers up for long."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import time
from collections import namedtuple

from ..discovery import SQLITE_MAGIC
from ..engines.base import BackupError
from ..family import size
from ..sources import sqlite
from .base import ProcedureError, counted

HEADER_BYTES = 100
PAUSE_S = 1.0
# size_bytes (of the file), free_bytes (of its pages that hold nothing), is_wal (it writes ahead into a log)
Header = namedtuple("Header", "size_bytes free_bytes is_wal")


def header_of(data, size_bytes):
    """What the first bytes of a database file say, without a lock on it; None when it is none."""
    if len(data) < HEADER_BYTES or not data.startswith(SQLITE_MAGIC):
        return None
    page_bytes = struct.unpack(">H", data[16:18])[0]
    (free_pages,) = struct.unpack(">I", data[36:40])
    free_bytes = free_pages * (1 << 16 if page_bytes == 1 else page_bytes)
    return Header(size_bytes, min(free_bytes, size_bytes), data[18] == 2)


def needs(header, log_bytes, limits):
    """What a file needs, as {action: why}."""
    found = {}
    if header.is_wal and log_bytes >= max(1, limits["wal_bytes"]):
        found["checkpoint"] = "its log takes {0}".format(size(log_bytes))
    free = header.free_bytes
    if free >= limits["bloat_bytes"] and free * 100 >= limits["bloat_percent"] * header.size_bytes:
        found["vacuum"] = "{0} of {1} are free".format(size(free), size(header.size_bytes))
    return found


def maintain(step, params):
    """Look through each of the files and do what it needs; returns the message."""
    step.record["found"] = {}
    failures = []
    for path in sorted(set(params["paths"])):
        step.tick()
        try:
            failures += _look_after(step, path, params)
        except FileNotFoundError:
            step.warn("{0} is not there. Correct roundsman_database_sqlite, or the source of backups".format(path))
    if failures:
        raise ProcedureError(failures[0][0], "; ".join(words for _reason, words in failures))
    return _message(step.record)


def prove(step, params):
    """Look through each file once more that was maintained; returns the message, or raises ProcedureError."""
    problems = [(path, _problem(step, path, _measured(path)[0], params)) for path in sorted(params["before"])]
    damaged = ["{0}: {1}".format(path, problem[1]) for path, problem in problems if problem and problem[0] == "damaged"]
    if damaged:
        raise ProcedureError("verification_failed", "SQLite is not as before: " + "; ".join(damaged))
    return "SQLite: {0} as before".format(counted(len(problems), "file"))


def _look_after(step, path, params):
    """Do what one file needs; returns the failures as (reason, words)."""
    header, log_bytes = _measured(path)
    _add(step, "before", header, log_bytes)
    if header is None and not _bytes_of(path):
        # With a log beside it, it is damaged: the pages that it lost may be there, and SQLite would remove that log.
        step.warn(_EMPTY.format(path))
        return []
    problem = None if header and step.check_mode else _problem(step, path, header, params)
    if problem and problem[0] == "damaged":
        return [("damaged", _DAMAGED.format(path, problem[1]))]
    if problem:
        step.warn(_UNSEEN.format(path, problem[1]))
        return []
    step.record["found"][path] = {"size_bytes": header.size_bytes}
    failures = []
    for action in ("checkpoint", "vacuum"):
        why = needs(*_measured(path), params).get(action)
        if why:
            failures += _do(step, path, action, why, params)
    if not step.check_mode:
        _add(step, "after", *_measured(path))
    return failures


def _measured(path):
    """(Header, or None when it is no database, and the size of its log in bytes)"""
    with open(path, "rb") as stream:
        header = header_of(stream.read(HEADER_BYTES), os.fstat(stream.fileno()).st_size)
    return header, sqlite.size_of(path + "-wal")


def _add(step, when, header, log_bytes):
    figures = step.record[when]
    measured = (header.size_bytes, header.free_bytes) if header else (0, 0)
    for name, number in zip(("size", "free", "log"), (*measured, log_bytes)):
        key = "sqlite_{0}_bytes".format(name)
        figures[key] = figures.get(key, 0) + number


def _problem(step, path, header, params):
    """(damaged or unseen, words) of a database that is not known to be whole, or None."""
    if header is None:
        return "damaged", "it does not begin as a SQLite database does"
    check = "integrity_check" if params["depth"] == "full" else "quick_check"
    # Who reads a file without a log keeps its writers out meanwhile.
    patience_s = step.left_s() if header.is_wal else params["lock_wait_s"]
    try:
        with _opened(path, params["lock_wait_s"], patience_s) as connection:
            found = [row[0] for row in connection.execute("PRAGMA {0}({1})".format(check, sqlite.SHOWN))]
    except sqlite.error_class() as error:
        return "damaged" if _DAMAGE.search(str(error)) else "unseen", str(error)
    return None if found == ["ok"] else ("damaged", "; ".join(found))


def _do(step, path, action, why, params):
    """Do, or plan, one thing; returns the failures."""
    before = _bytes_of(path)
    if step.check_mode:
        step.plan(action, path, before, why)
        return []
    if action == "vacuum" and not _has_room(step, path):
        return []
    try:
        with step.action(action, path, before, why) as noted:
            _act(step, path, action, params)
            freed = max(0, before - _bytes_of(path))
            noted["detail"] = "{0}; freed {1}".format(why, size(freed))
    except sqlite.error_class() as error:
        if not _HELD.search(str(error)):
            return [("procedure_failed", "{0}: {1} failed: {2}".format(path, action, error))]
        step.warn(_LEFT[action].format(path, params["lock_wait_s"], params["attempts"]))
        return []
    step.record["reclaimed_bytes"] = (step.record["reclaimed_bytes"] or 0) + freed
    return []


def _act(step, path, action, params):
    """Do it, in a few attempts when somebody holds the database."""
    for attempt in range(1, params["attempts"] + 1):
        step.tick()
        try:
            with _opened(path, params["lock_wait_s"], params["lock_wait_s"]) as connection:
                if action == "vacuum":
                    connection.execute("VACUUM")
                # After VACUUM as well: what it wrote is in the log as long as somebody else has the database open.
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite.error_class() as error:
            if attempt == params["attempts"] or "locked" not in str(error):
                raise
        else:
            if not busy or action == "vacuum":
                return
        time.sleep(PAUSE_S)
    raise sqlite.error_class()("its log is locked")


def _has_room(step, path):
    """Whether there is room for VACUUM: for a second copy, and for a log or journal of the first one."""
    room = os.statvfs(os.path.dirname(path))
    wanted, free = 2 * _bytes_of(path), room.f_bavail * room.f_frsize
    if free < wanted:
        step.warn(_NO_ROOM.format(path, os.path.dirname(path), size(free), size(wanted)))
    return free >= wanted


def _bytes_of(path):
    return sqlite.size_of(path) + sqlite.size_of(path + "-wal")


@contextlib.contextmanager
def _opened(path, busy_s, patience_s):
    """A connection as the owner of the file, which ends a statement that takes longer than `patience_s`."""
    until = time.monotonic() + patience_s

    def tick():
        if time.monotonic() > until:
            raise BackupError("timeout", "")

    with _as_owner(path), sqlite.opened(path, "mode=rw", tick, busy_s) as connection:
        yield connection


@contextlib.contextmanager
def _as_owner(path):
    """Root works as the owner of a file, who may have laid links for it where SQLite makes files beside; and SQLite's
    copy for VACUUM lies there, too, where the room was measured.
    """
    info, temporary = os.stat(path), os.environ.get("SQLITE_TMPDIR")
    groups = os.getgroups()
    os.environ["SQLITE_TMPDIR"] = os.path.dirname(path)
    try:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setegid(info.st_gid)
            os.seteuid(info.st_uid)
        yield
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(groups)
        os.environ.pop("SQLITE_TMPDIR")
        if temporary is not None:
            os.environ["SQLITE_TMPDIR"] = temporary


def _message(record):
    done = [action["action"] for action in record["actions"] if action["outcome"] != "failed"]
    said = ["took in {0}".format(counted(done.count("checkpoint"), "log"))] if "checkpoint" in done else []
    said += ["vacuumed {0}".format(counted(done.count("vacuum"), "file"))] if "vacuum" in done else []
    if not record["found"]:
        return ""
    freed = ["freed {0}".format(size(record["reclaimed_bytes"]))] if record["reclaimed_bytes"] else []
    return "SQLite: {0}".format(
        ", ".join(said + freed) or "nothing was needed in " + counted(len(record["found"]), "file")
    )


_DAMAGE = re.compile("malformed|not a database|corrupt|disk I/O error")
_HELD = re.compile("locked|busy|interrupted")
_DAMAGED = (
    "{0} is damaged, so nothing was changed in it: {1}. Restore it (roundsman restore), or save what `.recover` of "
    "sqlite3 finds"
)
_EMPTY = (
    "{0} has 0 bytes: for SQLite a database that nobody has written to yet, but one that was truncated looks the same. "
    "If something should be in it, restore it (roundsman restore)"
)
_UNSEEN = (
    "{0} was left as it is, for it could not be looked through: {1}. A database without a write-ahead log is not read "
    "for longer than roundsman_database_lock_wait_s, because that keeps its writers out; a proof of its backup looks "
    "through a copy"
)
_LEFT = {
    "checkpoint": "the log of {0} was not taken in: readers or writers held it for {1} s in each of {2} attempts",
    "vacuum": (
        "{0} was not vacuumed: somebody held it, or it would have kept writers out for more than {1} s. Do it with a "
        "larger roundsman_database_lock_wait_s while its application may wait"
    ),
}
_NO_ROOM = "{0} was not vacuumed: {1} has {2} free, and {3} are wanted"
