# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keys of Redis and all of memcached, removed only where somebody asked for it by name. That frees memory, not disk."""

from __future__ import annotations

import contextlib
import socket

from ..family import CannotLookError, NoAnswerError, size
from ..redis_wire import RefusedError, log_in, trouble
from .base import ProcedureError

PATIENCE_S = 30
BATCH = 500


class Evictions:
    def __init__(self, params):
        self._asked = params["evict"]
        for spec in self._asked:
            if spec["redis"] and not spec["match"]:
                text = "redis {redis}: match is wanted, for example cache:*, or * for all keys. Nothing was done."
                raise ProcedureError("refused", text.format(**spec))

    def clean(self, step):
        """Remove what was asked for, which frees nothing on disk."""
        for spec in self._asked:
            name = "redis " + spec["redis"] if spec["redis"] else "memcached " + spec["memcached"]
            try:
                (_redis if spec["redis"] else _memcached)(step, name, spec)
            except (CannotLookError, NoAnswerError, RefusedError, OSError, ValueError) as error:
                text = "nothing more was removed from {0}: {1}"
                why = trouble(error, PATIENCE_S)
                raise ProcedureError("procedure_failed", text.format(name, why)) from error
        return 0


def _redis(step, name, spec):
    host, port = _address(spec["redis"], 6379)
    where = {"socket": spec["redis"]} if spec["redis"].startswith("/") else {"socket": None, "host": host, "port": port}
    login = {key: spec[key] for key in ("username", "password", "database")}
    server = log_in(dict(where, **login), min(PATIENCE_S, step.left_s()))
    with contextlib.closing(server):
        keys = 0
        words = "keys {0} of database {1}".format(spec["match"], spec["database"])
        if step.check_mode:
            keys = sum(len(found) for found in _scan(server, spec["match"], step))
            if keys:
                step.plan("evict", name, None, "{0} {1}".format(keys, words))
            return
        batches = _scan(server, spec["match"], step)
        first = next(batches, None)
        if first is None:
            return
        with step.action("evict", name, None, words) as action:
            before = int(server.info()["used_memory"])
            while first is not None:
                keys += int(server.ask("UNLINK", *first))
                first = next(batches, None)
            after = int(server.info()["used_memory"])
            action["detail"] = "{0} {1}; memory {2} before, {3} after".format(keys, words, size(before), size(after))


def _scan(server, match, step):
    """Yield lists of the keys that match; one that comes and goes meanwhile may be missed."""
    cursor = "0"
    while True:
        step.tick()
        # All of a large server take their time; each answer has to come soon.
        server.allow(min(PATIENCE_S, step.left_s()))
        cursor, keys = server.ask("SCAN", cursor, "MATCH", match, "COUNT", BATCH)
        if keys:
            yield keys
        if cursor == "0":
            return


def _memcached(step, name, spec):
    with socket.create_connection(_address(spec["memcached"], 11211), PATIENCE_S) as connection:
        stats = dict(line.split(" ", 2)[1:] for line in _ask(connection, b"stats", b"END") if line.startswith("STAT "))
        items = int(stats["curr_items"])
        if not items:
            return
        words = "{0} items of {1}".format(items, size(int(stats["bytes"])))
        if step.check_mode:
            step.plan("evict", name, None, words)
            return
        with step.action("evict", name, None, words):
            _ask(connection, b"flush_all", b"OK")


def _ask(connection, command, end):
    connection.sendall(command + b"\r\n")
    said = b""
    while not said.endswith(end + b"\r\n"):
        received = connection.recv(65536)
        if not received or said.startswith((b"ERROR", b"SERVER_ERROR", b"CLIENT_ERROR")):
            raise ValueError("it answers {0!r}".format(said[:100]))
        said += received
    return said.decode("utf-8", "replace").splitlines()


def _address(text, port):
    host, colon, number = text.rpartition(":")
    return (host.strip("[]"), int(number)) if colon and number.isdigit() else (text, port)
