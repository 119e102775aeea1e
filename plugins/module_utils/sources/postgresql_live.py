# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changes to a live PostgreSQL server, none of which loses what was there."""

from __future__ import annotations

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
        there = {row[0] for row in asked.ask("SELECT quote_ident(rolname) FROM pg_roles")}
        missing = [line[len("CREATE ROLE ") : -1] for line in lines if line.startswith("CREATE ROLE ")]
        missing = [role for role in missing if role not in there]
        for line in lines:
            about = [role for role in missing if line.startswith(("CREATE ROLE " + role, "ALTER ROLE " + role + " "))]
            if about or any(line.startswith("GRANT ") and " TO {0} ".format(role) in line for role in missing):
                asked.ask(line.rstrip(";"))
    return ["made role " + role for role in missing]


def exists(asked, database):
    return bool(asked.ask(_EXISTS.format(text(database))))


def rename(asked, old, new):
    """Nobody may connect while it happens, and whoever is connected is sent away."""
    asked.ask("ALTER DATABASE {0} ALLOW_CONNECTIONS false".format(name(old)))
    asked.ask(_DISCONNECT.format(text(old)))
    asked.ask("ALTER DATABASE {0} RENAME TO {1}".format(name(old), name(new)))


def reopen(effects, server, database):
    """Let a database that stepped aside be looked into."""
    with talk(effects, server, "template1", "engine_failed") as asked:
        asked.ask("ALTER DATABASE {0} ALLOW_CONNECTIONS true".format(name(database)))


def undo(effects, server, database, failed, aside):
    """Let the old database come back; returns what state that left, in words. Nothing is ever dropped."""
    try:
        with talk(effects, server, "template1", "engine_failed") as asked:
            half_made = exists(asked, database)
            if half_made:
                rename(asked, database, failed)
            words = "What was restored is database {0}. ".format(failed) if half_made else ""
            if not aside:
                return words + "There was no database of that name before, and there is none now."
            asked.ask("ALTER DATABASE {0} RENAME TO {1}".format(name(aside), name(database)))
            asked.ask("ALTER DATABASE {0} ALLOW_CONNECTIONS true".format(name(database)))
    except BackupError as failure:
        return _ASIDE.format(aside, failure.message)
    return words + "The database is again what it was before."


_EXISTS = "SELECT 1 FROM pg_database WHERE datname = {0}"
_DISCONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {0}"
_ASIDE = "The old data are safe in database {0}, but it could not be renamed back: {1}"
