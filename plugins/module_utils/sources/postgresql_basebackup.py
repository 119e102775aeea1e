# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A whole PostgreSQL server as a source: its files by pg_basebackup, and the archive of its write-ahead log."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil

from ..engines.base import BackupError
from ..state import remove_tree
from . import postgresql_server
from .base import Prepared, expectations
from .keys import path_faults
from .postgresql_talk import LOGIN_KEYS, at, client, server_of, talk
from .private import at_mnt, place, program

ABOUT, DATA = "server.json", "data"
# Recovery replays what was written during the backup; how much, only the time limit of the work bounds.
_RECOVERY_S = 24 * 3600
_SERVER = """SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    current_setting('server_version_num'), (SELECT rolname FROM pg_roles WHERE oid = 10),
    (SELECT sum(pg_database_size(oid)) FROM pg_database), (SELECT count(*) FROM pg_tablespace),
    (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size')"""
_OWN_TABLESPACES = 2
_SAME = (
    ("system identifier", "SELECT system_identifier FROM pg_control_system()"),
    ("databases", "SELECT string_agg(datname, ', ' ORDER BY datname) FROM pg_database"),
)
# What the copy's own settings may ask of a host that is not the original's.
_SETTINGS = (
    *("port=5432", "ssl=off", "archive_mode=off", "logging_collector=off", "shared_preload_libraries="),
    *("shared_buffers=64MB", "huge_pages=off", "hot_standby=on"),
)
_SEGMENT = re.compile(r"[0-9A-F]{24}$")
_OTHER_HOST = re.compile(r"incompatible with operating system|not recognized by setlocale|could not access file")


class BasebackupSource:
    """All of a server. `wal_archive`: where its archive_command puts the write-ahead log; saved as well, so that the
    server can be rolled forward to any moment after the backup.
    """

    KEYS = ("method", *LOGIN_KEYS, "wal_archive")
    SPOOLS = True
    by_hand = (
        "A whole server is not put back by itself. Nothing was done. Restore {0} into a directory (--to) and follow "
        "the steps for its method in docs/backup.md."
    )

    def __init__(self, spec):
        self._spec = spec
        self._spool = None

    @classmethod
    def faults(cls, spec):
        others = [key for key in ("database", "canary", "globals", "uncounted") if key in spec]
        found = ["{0} belongs to method dump: a base backup is of the whole server".format(key) for key in others]
        return found + (path_faults("wal_archive", spec["wal_archive"]) if "wal_archive" in spec else [])

    def prepare(self, effects):
        archive = self._spec.get("wal_archive")
        if archive and not os.path.isdir(archive):
            raise BackupError("source_missing", _NO_ARCHIVE.format(archive))
        server = server_of(self._spec)
        with talk(effects, server, "postgres") as asked:
            ((moment, version, owner, size_bytes, tablespaces, segment_bytes),) = asked.ask(_SERVER)
            values = {what: asked.ask(query)[0][0] for what, query in _SAME}
        if int(tablespaces) > _OWN_TABLESPACES:
            raise BackupError("dump_failed", _TABLESPACES)
        self._spool = effects.spool(self._spec["id"], int(size_bytes), server.user)
        self._take(effects, server)
        about = {"version": int(version) // 10000, "owner": owner, "segment_bytes": int(segment_bytes)}
        _check(effects, self._spool, about, "dump_failed")
        with open(os.path.join(self._spool, ABOUT), "w") as stream:
            json.dump(about, stream)
        # The archive is read after the copy was made, so it holds at least what came before.
        paths = [os.fsencode(path) for path in (self._spool, archive) if path]
        return Prepared(paths, [], [], expectations(values, moment))

    def _take(self, effects, server):
        # Only root may enter what lies above the spool, so another user has to see it elsewhere.
        changes = os.geteuid() == 0 and server.user
        prefix = at_mnt(self._spool, server.user) if changes else []
        options = ["--wal-method=stream", "--checkpoint=fast", "--no-sync", "--no-password"]
        options.append("--pgdata={0}/{1}".format("/mnt" if changes else self._spool, DATA))
        argv = [*prefix, program("pg_basebackup"), *options]
        effects.run(argv, "dump_failed", "The base backup", environment=server.environment, cwd="/")

    def cleanup(self):
        if self._spool:
            remove_tree(self._spool)

    def prove(self, copy, _values, effects):
        about = postgresql_server.about(copy, ABOUT)
        directory = _check(effects, copy, about, "proof_failed")
        data = os.path.join(copy, DATA)
        with place(effects, copy, "postgres", postgresql_server.ROOM_BYTES + _size(data)) as apart:
            _twin(effects, data, apart.directory)
            server = postgresql_server.reached(apart, directory, about["owner"])
            settings = [
                *_SETTINGS,
                "config_file={0}/empty".format(apart.inside),
                "hba_file={0}/hba".format(apart.inside),
            ]
            try:
                with postgresql_server.serving(effects, apart, server, settings, _RECOVERY_S):
                    return self._found(effects, server)
            except BackupError as failure:
                if failure.reason == "proof_failed" and _OTHER_HOST.search(failure.message):
                    failure.reason = "application_missing"
                raise

    @staticmethod
    def _found(effects, server):
        if os.path.exists(os.path.join(server.directory, "pg_amcheck")):
            argv = client(server, "pg_amcheck", "--all", "--install-missing", "--no-strict-names")
            effects.run(argv, "proof_failed", "amcheck of all databases", **at(server, "postgres"))
        with talk(effects, server, "postgres", "proof_failed") as asked:
            return {what: asked.ask(query)[0][0] for what, query in _SAME}


def _check(effects, directory, about, refused):
    """Every file against the backup's own manifest, and its write-ahead log; returns where the programs are."""
    programs = postgresql_server.programs(effects, about["version"], exactly=True)
    argv = [os.path.join(programs, "pg_verifybackup"), os.path.join(directory, DATA)]
    effects.run(argv, refused, "Checking the base backup", cwd="/")
    # It reads of the write-ahead log only what recovery needs, and so would not miss the rest of a segment.
    log = os.path.join(directory, DATA, "pg_wal")
    for segment in filter(_SEGMENT.match, os.listdir(log)):
        size = os.path.getsize(os.path.join(log, segment))
        if size != about["segment_bytes"]:
            raise BackupError(refused, _CUT.format(segment, size, about["segment_bytes"]))
    return programs


def _twin(effects, data, directory):
    """A copy that the server may write to, with settings of ours; the restored one stays as it is."""
    twin = os.path.join(directory, DATA)

    def copy(source, target):
        effects.tick()
        return shutil.copy2(source, target)

    shutil.copytree(data, twin, symlinks=True, copy_function=copy)
    for signal in ("standby.signal", "recovery.signal"):
        if os.path.exists(os.path.join(twin, signal)):
            os.unlink(os.path.join(twin, signal))
    with open(os.path.join(directory, "empty"), "w"), open(os.path.join(directory, "hba"), "w") as stream:
        stream.write("local all all trust\n")
    if os.geteuid() == 0:
        entry = pwd.getpwnam("postgres")
        for parent, names, files in os.walk(directory):
            for path in (parent, *(os.path.join(parent, one) for one in (*names, *files))):
                os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def _size(directory):
    return sum(
        os.lstat(os.path.join(parent, one)).st_size for parent, _names, files in os.walk(directory) for one in files
    )


_CUT = "segment {0} of the base backup's write-ahead log has {1} bytes, not {2}"
_NO_ARCHIVE = (
    "There is no directory {0}. Nothing was saved. Correct this source's wal_archive, or the server's archive_command."
)
_TABLESPACES = (
    "The server has tablespaces of its own, which a base backup in plain format would put where they are now. "
    "Nothing was saved. Save it by method dump, or by a tool such as pgBackRest."
)
