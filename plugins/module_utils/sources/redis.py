# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All databases of a Redis server as a source: one RDB file, which the server writes of one moment."""

from __future__ import annotations

import contextlib
import json
import os
import shutil

from .. import redis_wire
from ..engines.base import BackupError
from ..family import CannotLookError, NoAnswerError
from ..state import read_json, remove_tree, replace_file
from . import rdb, redis_server
from .base import Prepared, expectations, moment_of
from .keys import port_faults, text_faults
from .private import place, program

DUMP = "dump.rdb"
_TEXTS = ("host", "socket", "username", "password")
_ANSWER_S = 30


def server_of(spec):
    """The live server of a definition, as redis_wire takes it."""
    given = {"host": "localhost", "port": 6379, "socket": None, "username": None, "password": None}
    return dict(given, database=0, **{key: spec[key] for key in (*_TEXTS, "port") if spec.get(key)})


@contextlib.contextmanager
def connected(server, reason, patience_s=_ANSWER_S):
    """A connection to a live server; whatever it refuses or fails to answer is a BackupError."""
    try:
        live = redis_wire.log_in(server, patience_s)
        try:
            yield live
        finally:
            live.close()
    except CannotLookError as error:
        raise BackupError(reason, "{0}. Remedy: {1}".format(error, error.remedy)) from error
    except redis_wire.RefusedError as error:
        raise BackupError(reason, "{0} refuses: {1}".format(redis_wire.address(server), error)) from error
    except (NoAnswerError, OSError, ValueError) as error:
        words = redis_wire.trouble(error, patience_s)
        raise BackupError(reason, _NO_ANSWER.format(redis_wire.address(server), words)) from error


class RedisSource:
    """The server that `host` and `port`, or `socket`, reach."""

    type = "redis"
    KEYS = (*_TEXTS, "port")
    SECRETS = ("password",)
    SPOOLS = True

    def __init__(self, spec):
        self._spec = server_of(spec)
        self._id = spec.get("id")
        self._spool = None

    @classmethod
    def faults(cls, spec):
        return text_faults(spec, *_TEXTS) + port_faults(spec)

    def prepare(self, effects):
        cli, check = program("redis-cli"), program("redis-check-rdb")
        with self._connected("dump_failed") as live:
            info = live.info()
        self._spool = effects.spool(self._id, int(info["used_memory"]))
        path = os.path.join(self._spool, DUMP)
        with open(path, "xb") as stream:
            os.fchmod(stream.fileno(), 0o600)
        environment = {"REDISCLI_AUTH": self._spec["password"]} if self._spec["password"] else {}
        effects.run([cli, *self._where(), "--rdb", path], "dump_failed", "Dumping Redis", environment=environment)
        held = rdb.look_through(effects, [check, path], path, "dump_failed")
        expected = expectations(rdb.values(held.databases), moment_of(held.made_at))
        return Prepared([os.fsencode(self._spool)], [], _warnings(info), expected)

    def _where(self):
        spec = self._spec
        user = ["--user", spec["username"]] if spec["username"] else []
        return [*(["-s", spec["socket"]] if spec["socket"] else ["-h", spec["host"], "-p", str(spec["port"])]), *user]

    def _connected(self, reason, patience_s=_ANSWER_S):
        return connected(self._spec, reason, patience_s)

    def cleanup(self):
        if self._spool:
            remove_tree(self._spool)

    def prove(self, copy, _values, effects):
        dump = os.path.join(copy, DUMP)
        with place(effects, copy, redis_server.USER, 0) as apart:
            # A second name of the same file; nobody else can enter the directory.
            os.link(dump, os.path.join(apart.directory, DUMP))
            os.chmod(dump, 0o644)
            check = [*apart.prefix, program("redis-check-rdb"), os.path.join(apart.inside, DUMP)]
            held = rdb.look_through(effects, check, dump, "proof_failed")
            redis_server.require_memory(held)
            with redis_server.running(effects, apart, redis_server.of_nobody(held)) as server:
                return rdb.values(rdb.keyspace(server.info()))

    def settle(self, _copy, effects):
        """A server that was taking over a copy when that was killed waits, as a replica, for one that is gone."""
        note = self._note(effects)
        left = read_json(note, None)
        if left is None:
            return []
        with self._connected("engine_failed") as live:
            info = live.info()
        done = []
        if redis_server.waits_for(info, left["port"]):
            redis_server.stand_alone(self._connected, left["settings"])
            done.append("took back the replication that an earlier restore had begun")
        os.unlink(note)
        return done

    def _note(self, effects):
        return os.path.join(effects.state.make("restoring"), "{0}.replication".format(self._id))

    def put_back(self, copy, _values, effects):
        """Let the live server replicate from a private one that holds the copy: it keeps what it has until all of the
        copy has arrived, no matter where its files lie and whether it writes an append-only file.
        """
        dump = os.path.join(copy, DUMP)
        held = rdb.look_through(effects, [program("redis-check-rdb"), dump], dump, "repository_damaged")
        redis_server.require_memory(held)
        with self._connected("engine_failed") as live:
            before = redis_server.require_replaceable(live, held, self._spec)
        with place(effects, copy, redis_server.USER, os.path.getsize(dump)) as apart:
            shutil.copyfile(dump, os.path.join(apart.directory, DUMP))
            os.chmod(os.path.join(apart.directory, DUMP), 0o644)
            with redis_server.lending(effects, apart, held) as lender:
                note = self._note(effects)
                # With the settings, because a killed replication leaves ours in their place.
                replace_file(note, json.dumps({"port": lender.port, "settings": before.settings}))
                done = redis_server.replace(effects, self._connected, lender, before, held)
                os.unlink(note)
                return done


def _warnings(info):
    if info.get("role") == "slave" and info.get("master_link_status") != "up":
        return ["this server is a replica whose link to its primary is down: its data may be old"]
    return []


_NO_ANSWER = "{0}: {1}. Is the server running?"
