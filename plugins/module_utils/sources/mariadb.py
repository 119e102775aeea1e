# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Databases of MariaDB (or MySQL) as a source: one dump of one state, and the accounts beside it."""

from __future__ import annotations

import contextlib
import os
import re
import time

from ..engines.base import BackupError
from ..state import remove_tree
from . import mariadb_client as ask
from . import mariadb_server
from .base import Prepared, expectations, moment_of, require_as_then
from .keys import port_faults, text_faults
from .mariadb_dump import DUMP, USERS, dump_users, dumped, outline, require_whole
from .private import place

_TEXTS = ("login", "password", "socket", "host", "canary")


class MariadbSource:
    """`database` (one, or a list; by default all but the server's own) at the server that the other keys reach."""

    type = "mariadb"
    KEYS = ("database", *_TEXTS, "port")
    SECRETS = ("password",)
    SPOOLS = True

    def __init__(self, spec):
        self._spec = spec
        named = spec.get("database")
        # None: all of them; the empty list, which nobody may declare: none, but the accounts.
        self._named = [named] if isinstance(named, str) else named
        self._canary = spec.get("canary")
        self._spool = None

    @classmethod
    def faults(cls, spec):
        named = spec.get("database", "any")
        named = [named] if isinstance(named, str) else named
        found = text_faults(spec, *_TEXTS) + port_faults(spec)
        if not isinstance(named, list) or not named or not all(isinstance(one, str) and one for one in named):
            found.append("database must be a name or a list of names, not {0!r}".format(spec["database"]))
        elif {one.lower() for one in named} & set(ask.SYSTEM):
            found.append(_SYSTEM.format(", ".join(ask.SYSTEM)))
        return found

    def prepare(self, effects):
        server = self._server()
        with ask.session(effects, server) as talk:
            is_mariadb = "MariaDB" in talk.ask("SELECT VERSION()")[0][0]
            chosen = self._chosen(talk)
            lacks = ask.lacking(talk, self._named)
            # MySQL tells of the rights of roles in another way.
            if lacks and is_mariadb:
                raise BackupError("dump_failed", _LACKS.format(*lacks))
            self._spool = effects.spool(self._spec["id"], ask.data_bytes(talk, chosen) if chosen else 0)
            values, warnings, canary_at = self._dump(effects, server, talk, chosen) if chosen else ({}, [], None)
            if is_mariadb:
                values["accounts"] = dump_users(effects, server, os.path.join(self._spool, USERS))
            else:
                warnings.append("accounts and grants of MySQL are not saved: only mariadb-dump can dump them")
        return Prepared([os.fsencode(self._spool)], [], warnings, expectations(values, canary_at))

    def _server(self):
        return ask.server_of(self._spec)

    def _chosen(self, talk):
        there = ask.databases(talk)
        wanted = there if self._named is None else sorted(set(self._named))
        missing = sorted(set(wanted) - set(there))
        if missing or (self._named is None and not there):
            raise BackupError("source_missing", _NOT_THERE.format(", ".join(missing) or "any database of yours"))
        return wanted

    def _dump(self, effects, server, talk, chosen):
        """Dump into the spool and count in the same state: (values, warnings, moment of the canary or the state)."""
        safe = ask.transactional(talk)
        with dumped(effects, server, talk, chosen, os.path.join(self._spool, DUMP)) as moment:
            listed = ask.tables(talk, chosen)
            values = ask.count(talk, chosen, listed, safe)
            self._read_canary(talk, values)
        now = ask.tables(talk, chosen)
        if now != listed:
            changed = sorted({"{0}.{1}".format(*one) for one in set(now) ^ set(listed)})
            raise BackupError("dump_failed", _RESTRUCTURED.format(", ".join(changed[:10])))
        unsafe = ["{0}.{1} ({3})".format(*one) for one in ask.rowed(listed) if one[3] not in safe]
        warnings = [_UNSAFE.format(", ".join(unsafe[:10]), len(unsafe))] if unsafe else []
        return values, warnings, moment_of(values.get("canary", moment))

    def _read_canary(self, talk, values):
        """Put the answer of the canary's query, if there is one, into `values`."""
        if self._canary:
            if self._named and len(self._named) == 1:
                talk.ask("USE {0}".format(ask.name(self._named[0])))
            rows = talk.ask(self._canary.rstrip().rstrip(";"))
            values["canary"] = rows[0][0] if rows else None

    def cleanup(self):
        if self._spool:
            remove_tree(self._spool)

    def prove(self, copy, values, effects):
        dump = os.path.join(copy, DUMP)
        require_whole(dump, "proof_failed")
        needed = mariadb_server.ROOM_BYTES + 2 * os.path.getsize(dump)
        with contextlib.ExitStack() as stack:
            apart = stack.enter_context(place(effects, copy, "mysql", needed))
            server = stack.enter_context(mariadb_server.running(effects, apart))
            talk = stack.enter_context(ask.session(effects, server, "proof_failed"))
            mariadb_server.require_not_older(talk, dump)
            _load(effects, server, dump, "proof_failed")
            found = self._answers(talk)
            # Grants change how root is let in, so they come last, and this session is inside already.
            if "accounts" in values:
                users = os.path.join(copy, USERS)
                require_whole(users, "proof_failed")
                _load(effects, server, users, "proof_failed")
                found["accounts"] = ask.accounts(talk)
        return found

    def _answers(self, talk):
        chosen = ask.databases(talk)
        listed = ask.tables(talk, chosen) if chosen else []
        for database, table, _kind, _engine in ask.rowed(listed):
            said = talk.ask("CHECK TABLE {0}.{1}".format(ask.name(database), ask.name(table)))
            if said[-1][-1] != "OK":
                words = "; ".join(" ".join(row[2:]) for row in said)
                raise BackupError("proof_failed", "CHECK TABLE {0}.{1} says: {2}".format(database, table, words))
        found = ask.count(talk, chosen, listed, ask.transactional(talk))
        self._read_canary(talk, found)
        return found

    def remains(self, effects):
        server = self._administrator(effects)
        with ask.session(effects, server) as talk:
            there = ask.databases(talk)
            accounts = "MariaDB" in talk.ask("SELECT VERSION()")[0][0] and ask.accounts(talk)
        wanted = there if self._named is None else self._named
        left = [one for one in wanted if one in there]
        gone = ["there is no database {0}".format(one) for one in wanted if one not in there]
        # Accounts are replaced as well, so they are worth saving alone.
        return (dict(self._as_root(server), database=left) if left or accounts else None), gone

    def _administrator(self, effects):
        """Who may put back: root on the server's own host. After a loss the declared login may not be there, and it
        need not be allowed more than to read.
        """
        declared = self._server()
        if self._spec.get("host") or os.geteuid() != 0 or not self._spec.get("login"):
            return declared
        root = ask.Server([one for one in declared.options if not one.startswith("--user=")], {}, None)
        try:
            with ask.session(effects, root):
                return root
        except BackupError:
            return declared

    def _as_root(self, server):
        """The definition with the login that a server is reached by."""
        left_out = () if server == self._server() else ("login", "password")
        return {key: value for key, value in self._spec.items() if key not in left_out}

    def put_back(self, copy, values, effects):
        server = self._administrator(effects)
        done, dump, users = [], os.path.join(copy, DUMP), os.path.join(copy, USERS)
        if os.path.exists(dump):
            done += _put_databases_back(effects, server, dump, values)
        if os.path.exists(users):
            require_whole(users, "repository_damaged")
            _load(effects, server, users, "engine_failed", half_way=lambda *_words: _GRANTS_LEFT)
            done.append("set accounts and grants to those of backup time; accounts made since are still there")
        return done


def _put_databases_back(effects, server, dump, values):
    require_whole(dump, "repository_damaged")
    began = time.monotonic()
    _load(effects, server, dump, "engine_failed", half_way=_half_way)
    held = {(one.database, one.table) for one in outline(dump) if one.table}
    restored = sorted({one.database for one in outline(dump)})
    took_s = time.monotonic() - began
    done = ["loaded {0} tables of {1} in {2:.0f} s".format(len(held), ", ".join(restored), took_s)]
    with ask.session(effects, server, "engine_failed") as talk:
        listed = ask.tables(talk, restored)
        found = ask.count(talk, restored, listed, ask.transactional(talk))
    younger = [one[:2] for one in ask.rowed(listed) if one[:2] not in held]
    if younger:
        done.append(_YOUNGER.format(", ".join("{0}.{1}".format(*one) for one in younger)))
    require_as_then({name: values[name] for name in values if name.startswith("rows of ")}, found, done)
    return done


def _load(effects, server, path, reason, half_way=None):
    """Let the server execute a dump. `half_way(path, words)` tells what state a failure left."""
    argv = ask.client(server, "--max-allowed-packet=1G", "--init-command=SET SESSION lock_wait_timeout=60")
    doing = "Loading " + os.path.basename(path)
    try:
        with open(path, "rb") as stream:
            effects.run(argv, reason, doing, stdin=stream, environment=server.environment, cwd=server.cwd)
    except BackupError as failure:
        if failure.reason != reason:
            raise
        words = ask.error_in(failure.message)
        # A full disk of the server's says nothing about the dump.
        why = "no_space" if re.search(r"ERROR (1114|1021)|errno: 28", words) else reason
        told = " " + half_way(path, words) if half_way else ""
        raise BackupError(why, "{0} failed: {1}.{2}".format(doing, words, told)) from failure


def _half_way(path, words):
    """What state a load that failed left behind."""
    found = re.search(r"ERROR \d+ \(\w+\) at line (\d+)", words)
    if not found:
        return _SOMEWHERE
    reached = [one for one in outline(path) if one.line <= int(found.group(1))]
    if not reached:
        return "Nothing was replaced."
    return _UP_TO.format(reached[-1].database, reached[-1].table or "its first table")


_SYSTEM = "database: {0} belong to the server; its accounts are saved in any case"
_NOT_THERE = "The server has not {0}. Nothing was saved. Correct database, or give the login rights to see them."
_LACKS = (
    "The login has no right to {0} on {1}, so that the dump would lack what it does not see, and nobody would notice. "
    "Nothing was saved. Grant it, or name the databases that the login sees all of."
)
_RESTRUCTURED = (
    "Tables were made, dropped or converted while they were dumped: {0}. Nothing was saved, because the dump may hold "
    "some of the old and some of the new. Back up again when no migration runs."
)
_UNSAFE = (
    "{1} tables know no transactions, so that their rows may be of another moment than the rest and are not counted: "
    "{0}. Convert them to InnoDB"
)
_YOUNGER = "left alone what the backup does not know: {0}"
_SOMEWHERE = (
    "How far it came is unknown: tables that were reached hold restored rows, one may be empty, the others are as "
    "before. Correct the cause and put back again, which begins anew; or load the safety backup."
)
_GRANTS_LEFT = (
    "All tables were put back, but accounts and grants only up to that line. Correct the cause and put back again."
)
_UP_TO = (
    "It stopped at table {1} of database {0}: what the dump holds before it was put back, that table may be empty or "
    "half full, and what follows is as before. Correct the cause and put back again, which begins anew; or load the "
    "safety backup."
)
