# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Redis servers of one's own: one that answers for a restored copy, and one that a live server takes it from."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import tempfile
import time
from collections import namedtuple

from ..engines.base import BackupError
from . import rdb
from .private import program, wait_until

USER = "redis"
_SOCKET = "redis.sock"
_LOAD_S = 3600
# How long a live server may take from being told to replicate to beginning it.
_LINK_S = 30
_COMMON = (
    'dir .\ndbfilename dump.rdb\nsave ""\nappendonly no\nunixsocket redis.sock\nunixsocketperm 700\ndatabases {0}\n'
)
# A replica does not let keys expire by itself, neither when it loads nor later: so it counts what the file holds,
# however long ago that was. It finds no primary at this address, in a network of its own.
_NOBODY = "port 0\nreplicaof 127.0.0.1 1\n"
_LENDER = "bind 127.0.0.1\nport {0}\nrequirepass {1}\nrepl-diskless-sync yes\nrepl-diskless-sync-delay 0\n"

# process, port, password, info (a function: its INFO keyspace)
Running = namedtuple("Running", "process port password info")

# keys (number), settings (name, value): of a live server, to come back to
Before = namedtuple("Before", "keys settings")


def _databases(held):
    return max([16, *(number + 1 for number in held.databases)])


def available_bytes():
    """The memory that a new process could have."""
    with open("/proc/meminfo") as stream:
        return next(int(line.split()[1]) << 10 for line in stream if line.startswith("MemAvailable"))


def require_memory(held):
    """Refuse rather than let the kernel choose what to kill."""
    available = available_bytes()
    if held.memory_bytes > available:
        raise BackupError("no_space", _NO_MEMORY.format(available >> 20, held.memory_bytes >> 20))


def of_nobody(held):
    """The configuration of a server that only answers for a copy."""
    return _COMMON.format(_databases(held)) + _NOBODY


@contextlib.contextmanager
def running(effects, place, configuration, prefix=None, user=None, login=("", 0)):
    """A server in a private Place that has loaded its dump.rdb."""
    password, port = login
    argv = [*(place.prefix if prefix is None else prefix), program("redis-server"), "-"]
    log = os.path.join(place.directory, "server.log")
    with tempfile.TemporaryFile() as stdin, open(log, "wb") as stream:
        stdin.write(configuration.encode())
        stdin.seek(0)
        with effects.start(
            argv, "Starting Redis", stream, stream, stdin=stdin, cwd=place.directory, user=user
        ) as process:  # fmt: skip
            wait_until(effects, process, lambda: _ready(log), _LOAD_S, log)
            cli = [program("redis-cli"), "-s", _SOCKET, "--raw", "INFO", "keyspace"]
            environment = {"REDISCLI_AUTH": password} if password else {}

            def info():
                said = effects.run(
                    cli, "proof_failed", "Asking Redis", cwd=place.directory, environment=environment
                )  # fmt: skip
                return said.out.replace("\r", "")

            yield Running(process, port, password, info)


def _ready(log):
    with open(log, "rb") as stream:
        return b"eady to accept connections" in stream.read()


@contextlib.contextmanager
def lending(effects, place, held):
    """A server with the copy on a port of the loopback, with a password that only we know."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    password = secrets.token_hex(32)
    configuration = _COMMON.format(_databases(held)) + _LENDER.format(port, password)
    user = USER if os.geteuid() == 0 else None
    with running(effects, place, configuration, [], user, (password, port)) as server:
        yield server


def require_replaceable(live, held, spec):
    """Refuse before anything is touched what would fail on the way; returns what to come back to."""
    if not spec["socket"] and spec["host"] not in ("localhost", "127.0.0.1", "::1"):
        raise BackupError("engine_failed", _ELSEWHERE.format(spec["host"]))
    info = live.info()
    if info.get("role") != "master" or info.get("cluster_enabled") == "1":
        raise BackupError("engine_failed", _NOT_ALONE)
    databases = live.ask("CONFIG", "GET", "databases")[1]
    if int(databases) <= max(held.databases, default=0):
        raise BackupError("engine_failed", _FEW_DATABASES.format(databases, max(held.databases)))
    # Redis before 6 knows no masteruser.
    found = [live.ask("CONFIG", "GET", name) for name in ("masteruser", "masterauth")]
    return Before(_keys(live), [tuple(one) for one in found if one])


def _keys(live):
    return sum(keys for keys, _expiring in rdb.keyspace(live.ask("INFO", "keyspace").replace("\r", "")).values())


def replace(effects, connected, lender, before, held):
    """Let the live server take all from the lender; it stands alone again in any case."""
    kept = rdb.values(rdb.keyspace(lender.info()))["keys"]
    try:
        with connected("engine_failed", _LOAD_S) as live:
            for name, _value in before.settings:
                live.ask("CONFIG", "SET", name, lender.password if name == "masterauth" else "")
            live.ask("REPLICAOF", "127.0.0.1", lender.port)
            _wait_for_link(effects, live, lender)
    except BaseException as error:
        words = error.message if isinstance(error, BackupError) else "putting back was interrupted"
        reason = error.reason if isinstance(error, BackupError) else "engine_failed"
        text = _FAILED.format(words, _stand_alone(connected, before), before.keys, kept)
        raise BackupError(reason, text) from error
    now = _stand_alone(connected, before)
    if now != "{0} keys".format(kept):
        text = "All was taken over, but the server now holds {0}, the copy {1}. Is somebody writing to it?"
        return [text.format(now, kept)]
    expired = rdb.values(held.databases)["keys"] - kept
    return ["replaced {0} keys by the {1} of the copy; {2} of it had expired".format(before.keys, kept, expired)]


def _wait_for_link(effects, live, lender):
    until = time.monotonic() + _LINK_S
    while True:
        effects.tick()
        if lender.process.poll() is not None:
            raise BackupError("engine_failed", "the private server with the copy ended")
        info = live.info()
        if info.get("master_link_status") == "up":
            return
        if info.get("master_sync_in_progress") == "1" or info.get("loading") == "1":
            until = time.monotonic() + _LINK_S
        if time.monotonic() > until:
            raise BackupError("engine_failed", "the server did not take over the copy within {0} s".format(_LINK_S))
        time.sleep(0.1)


def waits_for(info, port):
    """Whether a live server is the replica of a private one that had this port, or still has the settings for it."""
    alone = info.get("role") == "master"
    return alone or (info.get("master_host"), info.get("master_port")) == ("127.0.0.1", str(port))


def stand_alone(connected, settings):
    """End the replication and set back its settings; returns how many keys the server then holds."""
    with connected("engine_failed") as live:
        live.ask("REPLICAOF", "NO", "ONE")
        for setting in settings:
            live.ask("CONFIG", "SET", *setting)
        return _keys(live)


def _stand_alone(connected, before):
    """As `stand_alone`, but tells of a failure in the same words."""
    try:
        return "{0} keys".format(stand_alone(connected, before.settings))
    except BackupError as failure:
        return "an unknown number of keys, and still has to be told REPLICAOF NO ONE by hand ({0})".format(
            failure.message
        )


_NO_MEMORY = (
    "{0} MiB of memory are free on this host, the data took {1} MiB. Nothing was started. Use a host with "
    "more memory (roundsman_drill_host)"
)
_ELSEWHERE = "The server runs on {0}: it is put back on its own host only. Nothing was changed."
_NOT_ALONE = "The server is a replica or part of a cluster. Nothing was changed. Put back on its primary."
_FEW_DATABASES = "The server has {0} databases, the copy uses number {1}. Nothing was changed. Raise its `databases`."
_FAILED = (
    "{0}. The server holds {1} now; it had {2}, and the copy has {3}. It keeps its own data until it "
    "has received all of the copy. Correct the cause and put back again."
)
