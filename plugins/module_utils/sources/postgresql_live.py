# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changes to a live PostgreSQL server, none of which loses what was there."""

from __future__ import annotations

import re
import time

from ..engines.base import BackupError
from .postgresql_talk import name, talk, text


def make_missing_roles(effects, server, path):
    """Those of the dump at `path`, if there is one. Roles that are there keep their passwords and rights of today."""
    try:
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except FileNotFoundError:
        return []
    with talk(effects, server, "template1", "engine_failed") as asked:
        # At once or not at all: a role without its rights would count as one that is there.
        asked.ask("BEGIN")
        there = {row[0] for row in asked.ask("SELECT quote_ident(rolname) FROM pg_roles")}
        missing = [line[len("CREATE ROLE ") : -1] for line in lines if line.startswith("CREATE ROLE ")]
        missing = [role for role in missing if role not in there]
        for line in lines:
            # The whole name: `shop` is the beginning of `shop_reader`, which may be there.
            made = ("CREATE ROLE {0};", "ALTER ROLE {0} ")
            about = [role for role in missing if line == made[0].format(role) or line.startswith(made[1].format(role))]
            if about or any(line.startswith("GRANT ") and " TO {0} ".format(role) in line for role in missing):
                asked.ask(line.rstrip(";"))
        asked.ask("COMMIT")
    return ["made role " + role for role in missing]


def exists(asked, database):
    return bool(asked.ask(_EXISTS.format(text(database))))


def dated(database, why):
    """A name for a database that steps aside; no longer than names may be."""
    beginning = database.encode()[:_LONGEST].decode(errors="ignore")
    return "{0}_{1}_{2}".format(beginning, why, time.strftime("%Y%m%d_%H%M%S", time.gmtime()))


def stepped_aside(asked, database):
    """The name under which a restore that was killed has put a database aside, or None.

    Only there nobody may connect: what a restore leaves when it ends is open. A name that had to be cut belongs to
    nobody for certain.
    """
    pattern = re.compile(re.escape(database) + r"_before_\d{8}_\d{6}")
    closed = [row[0] for row in asked.ask("SELECT datname FROM pg_database WHERE NOT datallowconn ORDER BY 1")]
    return next(filter(pattern.fullmatch, closed), None)


def bring_back(effects, server, database):
    """After a restore that was killed, a database is again what it was before; returns what was done."""
    with talk(effects, server, "template1", "engine_failed") as asked:
        aside = stepped_aside(asked, database)
        if aside:
            failed = dated(database, "failed")
            kept = "; what was restored is kept as database {0}".format(failed)
            half_made = _step_back(asked, database, failed, aside)
            return ["renamed {0}, as a restore had left it, back to {1}{2}".format(aside, database, kept * half_made)]
        if not asked.ask(_CLOSED.format(text(database))):
            return []
        asked.ask("ALTER DATABASE {0} ALLOW_CONNECTIONS true".format(name(database)))
    return ["opened database {0}, which a restore had left closed".format(database)]


def _step_back(asked, database, failed, aside):
    """What is called `database` becomes `failed`, and `aside` takes its name; returns whether there was the former."""
    half_made = exists(asked, database)
    if half_made:
        rename(asked, database, failed)
        asked.ask("ALTER DATABASE {0} ALLOW_CONNECTIONS true".format(name(failed)))
    if aside:
        asked.ask("ALTER DATABASE {0} RENAME TO {1}".format(name(aside), name(database)))
        asked.ask("ALTER DATABASE {0} ALLOW_CONNECTIONS true".format(name(database)))
    return half_made


def rename(asked, old, new):
    """Nobody may connect while it happens, and whoever is connected is sent away."""
    asked.ask("ALTER DATABASE {0} ALLOW_CONNECTIONS false".format(name(old)))
    asked.ask(_DISCONNECT.format(text(old)))
    asked.ask("ALTER DATABASE {0} RENAME TO {1}".format(name(old), name(new)))


def let_in(effects, server, database):
    """After it could not be renamed, a database must not stay closed; returns what state that left, in words."""
    try:
        said = bring_back(effects, server, database)
    except BackupError as failure:
        return _STAYS_CLOSED.format(name(database), failure.message)
    return "Nothing was replaced" + "".join("; " + one for one in said) + "."


def reopen(effects, server, database):
    """Let a database that stepped aside be looked into."""
    with talk(effects, server, "template1", "engine_failed") as asked:
        asked.ask("ALTER DATABASE {0} ALLOW_CONNECTIONS true".format(name(database)))


def undo(effects, server, database, failed, aside):
    """Let the old database come back; returns what state that left, in words. Nothing is ever dropped."""
    try:
        with talk(effects, server, "template1", "engine_failed") as asked:
            half_made = _step_back(asked, database, failed, aside)
    except BackupError as failure:
        return _ASIDE.format(aside, failure.message)
    words = "What was restored is database {0}. ".format(failed) if half_made else ""
    if not aside:
        return words + "There was no database of that name before, and there is none now."
    return words + "The database is again what it was before."


_LONGEST = 63 - len("_before_20261126_120000")
_CLOSED = "SELECT 1 FROM pg_database WHERE datname = {0} AND NOT datallowconn"
_EXISTS = "SELECT 1 FROM pg_database WHERE datname = {0}"
_DISCONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {0}"
_STAYS_CLOSED = (
    "Nobody may connect to it now, and that could not be taken back: {1} Do it by hand, in another database: "
    "ALTER DATABASE {0} ALLOW_CONNECTIONS true."
)
_ASIDE = "The old data are safe in database {0}, but it could not be renamed back: {1}"
