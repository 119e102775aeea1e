# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PostgreSQL databases as a source: one dump each in custom format, and the roles and tablespaces of the server."""

from __future__ import annotations

import contextlib
import json
import os
import re
from urllib.parse import quote

from ..engines.base import BackupError
from ..state import remove_tree
from . import postgresql_server
from .base import Prepared, expectations, moment_of, require_as_then
from .keys import Fault, members, text_faults
from .postgresql_basebackup import BasebackupSource
from .postgresql_live import bring_back, dated, exists, let_in, make_missing_roles, rename, reopen, stepped_aside, undo
from .postgresql_talk import (
    LOCK_WAIT,
    LOGIN_KEYS,
    at,
    client,
    counts,
    login_faults,
    name,
    server_of,
    talk,
    text,
)
from .private import place

INDEX, ROLES, TABLESPACES = "databases.json", "roles.sql", "tablespaces.sql"
_DATABASES = """SELECT datname, pg_encoding_to_char(encoding), pg_database_size(oid) FROM pg_database
    WHERE datallowconn AND NOT datistemplate ORDER BY 1"""
_NOW = """SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), pg_export_snapshot()"""
_STRICT = ("-Xq", "-v", "ON_ERROR_STOP=1")
# What would reach out of a proof: the places of tablespaces, and other servers.
_APART = ("--exit-on-error", "--no-tablespaces", "--no-subscriptions")
_NOT_INSTALLED = re.compile(r"extension control file|extension .* is not available|could not access file")


class PostgresqlSource:
    """`database` (a name or a list, by default all). `canary`: a query for one value that a proof must find again.
    `uncounted`: patterns of tables (`schema.table`) that are too large to count. `method: basebackup` is another class.
    """

    type = "postgresql"
    KEYS = ("method", "database", "canary", "globals", "uncounted", *LOGIN_KEYS, "wal_archive")
    SECRETS = ("password",)
    SPOOLS = True

    def __new__(cls, spec):
        return BasebackupSource(spec) if _is_physical(spec) else super().__new__(cls)

    def __init__(self, spec):
        self._spec = spec
        self._uncounted = spec.get("uncounted") or ()
        named = spec.get("database")
        self._named = [named] if isinstance(named, str) else list(named or ())
        self._spool = None

    @classmethod
    def faults(cls, spec):
        if spec.get("method", "dump") not in ("dump", "basebackup"):
            return ["method must be dump or basebackup, not {0!r}".format(spec["method"])]
        return login_faults(spec) + (BasebackupSource.faults(spec) if _is_physical(spec) else cls._faults(spec))

    @classmethod
    def _faults(cls, spec):
        listed = spec if isinstance(spec.get("database"), list) else dict(spec, database=[spec.get("database", "all")])
        names = members(listed, "database")
        found = ["database: {0!r} is no name".format(one) for one in names if not isinstance(one, str) or not one]
        patterns = members(spec, "uncounted")
        found += ["uncounted: {0!r} is no pattern".format(one) for one in patterns if not isinstance(one, str)]
        found += [str(one) for one in patterns if isinstance(one, Fault)]
        found += text_faults(spec, "canary")
        if "wal_archive" in spec:
            found.append("wal_archive belongs to method basebackup: a dump cannot be rolled forward")
        if spec.get("canary") and (len(names) != 1 or not spec.get("database")):
            found.append("canary needs exactly one database, to know whom to ask")
        if not isinstance(spec.get("globals", True), bool):
            found.append("globals must be true or false, not {0!r}".format(spec["globals"]))
        return found

    def prepare(self, effects):
        server = server_of(self._spec)
        with talk(effects, server, self._named[0] if self._named else "postgres") as asked:
            there = {row[0]: (row[1], int(row[2])) for row in asked.ask(_DATABASES)}
            version = int(asked.ask("SHOW server_version_num")[0][0]) // 10000
        missing = sorted(set(self._named) - set(there))
        if missing or not there:
            raise BackupError("source_missing", _NOT_THERE.format(", ".join(missing) or "any database"))
        chosen = sorted(set(self._named)) or sorted(there)
        self._spool = effects.spool(self._spec["id"], sum(there[one][1] for one in chosen))
        if self._spec.get("globals", True):
            for file, part in ((ROLES, "--roles-only"), (TABLESPACES, "--tablespaces-only")):
                self._write(effects, server, file, "Dumping " + part[2:-5], "pg_dumpall", part)
        values, moments, index = {}, [], []
        for database in chosen:
            found, moment = self._dump(effects, server, database)
            values.update(found)
            moments.append(moment)
            index.append({"name": database, "file": _file_of(database), "encoding": there[database][0]})
        with open(os.path.join(self._spool, INDEX), "w") as stream:
            json.dump({"version": version, "databases": index}, stream)
        return Prepared([os.fsencode(self._spool)], [], [], expectations(values, min(moments)))

    def _dump(self, effects, server, database):
        """Dump one database and count in the same state of it: (values, moment of that state or of its canary)."""
        with talk(effects, server, database) as asked:
            asked.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            ((moment, snapshot),) = asked.ask(_NOW)
            options = ["--format=custom", "--compress=0", "--snapshot=" + snapshot, "--lock-wait-timeout=" + LOCK_WAIT]
            file = _file_of(database)
            self._write(effects, server, file, "Dumping " + database, "pg_dump", *options, database=database)
            values = counts(asked, database, self._uncounted)
            canary = self._canary(asked, values)
        # It reads all of it: a list of contents alone would not see that the end is missing.
        with open(os.path.join(self._spool, file), "rb") as stream:
            argv = client(server, "pg_restore", "--file=/dev/null")
            effects.run(argv, "dump_failed", "Checking the dump of " + database, stdin=stream, cwd="/")
        return values, canary or moment

    def _canary(self, asked, values):
        """Put the answer of the canary's query into `values`; returns it as a time when it is one."""
        if not self._spec.get("canary"):
            return None
        rows = asked.ask(self._spec["canary"].strip().rstrip(";"))
        values["canary"] = rows[0][0] if rows else None
        return moment_of(values["canary"])

    def _write(self, effects, server, file, doing, program, *options, **more):
        with open(os.path.join(self._spool, file), "wb") as stream:
            where = at(server, more.get("database", "postgres"))
            effects.run(client(server, program, *options), "dump_failed", doing, stdout=stream, **where)

    def cleanup(self):
        if self._spool:
            remove_tree(self._spool)

    def prove(self, copy, _values, effects):
        index = postgresql_server.about(copy, INDEX)
        size = sum(os.path.getsize(os.path.join(copy, one["file"])) for one in index["databases"])
        needed = postgresql_server.ROOM_BYTES + 2 * size
        found = {}
        with contextlib.ExitStack() as stack:
            apart = stack.enter_context(place(effects, copy, "postgres", needed))
            server = stack.enter_context(postgresql_server.running(effects, apart, index["version"]))
            # Without its roles a cluster has nobody to give things to.
            unowned = [] if os.path.exists(os.path.join(copy, ROLES)) else ["--no-owner", "--no-acl"]
            if not unowned:
                _load(effects, server, "template1", copy, ROLES, client(server, "psql", *_STRICT))
            for one in index["databases"]:
                _make(effects, server, one)
                argv = client(server, "pg_restore", *_APART, *unowned, "--dbname=" + _conninfo(one))
                _load(effects, server, one["name"], copy, one["file"], argv)
                _check_structure(effects, server, one["name"])
                with talk(effects, server, one["name"], "proof_failed") as asked:
                    found.update(counts(asked, one["name"], self._uncounted))
                    self._canary(asked, found)
        return found

    def remains(self, effects):
        server = server_of(self._spec)
        with talk(effects, server, "template1") as asked:
            if not self._named:
                return self._spec if asked.ask(_DATABASES) else None, []
            there = [one for one in self._named if exists(asked, one) or stepped_aside(asked, one)]
        gone = ["there is no database {0}".format(one) for one in self._named if one not in there]
        return (dict(self._spec, database=there) if there else None), gone

    def settle(self, copy, effects):
        server = server_of(self._spec)
        databases = postgresql_server.about(copy, INDEX)["databases"]
        return [words for one in databases for words in bring_back(effects, server, one["name"])]

    def put_back(self, copy, values, effects):
        """The live database steps aside under a dated name, and comes back when the restored one cannot be made."""
        server = server_of(self._spec)
        done = make_missing_roles(effects, server, os.path.join(copy, ROLES))
        for one in postgresql_server.about(copy, INDEX)["databases"]:
            try:
                done.append(self._replace(effects, server, copy, one))
            except BackupError as failure:
                failure.message += " Put back before: {0}.".format("; ".join(done) or "nothing")
                raise
            with talk(effects, server, one["name"], "engine_failed") as asked:
                require_as_then(values, counts(asked, one["name"], self._uncounted), done)
        return done

    @staticmethod
    def _replace(effects, server, copy, one):
        aside, failed = (dated(one["name"], why) for why in ("before", "failed"))
        existed = False
        try:
            with talk(effects, server, "template1", "engine_failed") as asked:
                existed = exists(asked, one["name"])
                if existed:
                    rename(asked, one["name"], aside)
        except BackupError as failure:
            failure.message += " " + let_in(effects, server, one["name"]) if existed else ""
            raise
        try:
            argv = client(server, "pg_restore", "--exit-on-error", "--create", "--dbname=template1")
            _load(effects, server, "template1", copy, one["file"], argv, "engine_failed")
        except BackupError as failure:
            failure.message += " " + undo(effects, server, one["name"], failed, aside if existed else None)
            raise
        if existed:
            reopen(effects, server, aside)
        kept = "; what was there is kept as database {0}: drop it when it is not needed".format(aside)
        return "restored database {0}{1}".format(one["name"], kept if existed else "")


def _is_physical(spec):
    return spec.get("method") == "basebackup"


def _file_of(database):
    return quote(database, safe="") + ".dump"


def _conninfo(one):
    return "dbname='{0}'".format(one["name"].replace("\\", "\\\\").replace("'", "\\'"))


def _make(effects, server, one):
    """An empty database; with the collation C, because the host of a drill may not know the original's."""
    statement = "CREATE DATABASE {0} TEMPLATE template0 ENCODING {1} LC_COLLATE 'C' LC_CTYPE 'C'"
    with talk(effects, server, "template1", "proof_failed") as asked:
        # Each server of a proof begins with one of that name.
        asked.ask("DROP DATABASE IF EXISTS {0}".format(name(one["name"])))
        asked.ask(statement.format(name(one["name"]), text(one["encoding"])))


def _load(effects, server, database, copy, file, argv, refused="proof_failed"):
    try:
        with open(os.path.join(copy, file), "rb") as stream:
            effects.run(argv, refused, "Loading " + file, stdin=stream, **at(server, database))
    except BackupError as failure:
        if failure.reason == "proof_failed" and _NOT_INSTALLED.search(failure.message):
            failure.reason = "application_missing"
        raise


def _check_structure(effects, server, database):
    """amcheck, where this PostgreSQL has it."""
    if os.path.exists(os.path.join(server.directory, "pg_amcheck")):
        argv = client(server, "pg_amcheck", "--install-missing", "--no-strict-names")
        effects.run(argv, "proof_failed", "amcheck of " + database, **at(server, database))


_NOT_THERE = "The server has not {0}. Nothing was saved. Correct database, or give the login the right to connect."
