# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Redis: an append-only file that has grown is written anew, and memory is reported. Keys are never touched."""

from __future__ import annotations

import time

from ..discovery_servers import running_redis
from ..engines.base import BackupError
from ..family import size
from ..redis_wire import address
from ..sources.redis import connected, server_of
from ..sources.redis_server import available_bytes
from .base import ProcedureError, counted

POLL_S = 0.5
# From which the allocator wastes so much that somebody should know.
FRAGMENTED = 1.5
_REWRITING = ("aof_rewrite_in_progress", "aof_rewrite_scheduled")
_BUSY = (*_REWRITING, "rdb_bgsave_in_progress", "loading")
_HERE = ("localhost", "127.0.0.1", "::1")


def why_rewrite(info, limits):
    """Why the append-only file should be written anew, in words, or None. `info` is what INFO says."""
    if info.get("aof_enabled") != "1" or any(info.get(one, "0") != "0" for one in _BUSY):
        return None
    now, base = int(info["aof_current_size"]), int(info["aof_base_size"])
    if now < limits["aof_bytes"] or now < limits["aof_factor"] * base:
        return None
    return "it grew from {0} to {1} since it was written anew".format(size(base), size(now))


def fragmentation(info, limits):
    """How many bytes the server's process takes beyond its data, when that is much, else None."""
    used, resident = int(info["used_memory"]), int(info.get("used_memory_rss", 0))
    wasted = resident - used
    return wasted if wasted >= limits["bloat_bytes"] and resident >= FRAGMENTED * used else None


def maintain(step, params):
    """Look after each server; returns the message. The record's `found` is what `prove` asks again."""
    found = step.record["found"] = []
    for server in _servers(params):
        name = address(server)
        try:
            info = _info(server)
        except BackupError as failure:
            # Whoever was not named may have good reasons to ask for a password.
            if params["servers"] is not None:
                raise
            step.warn("{0}. Name it with its password in roundsman_database_redis".format(failure.message))
            continue
        found.append(name)
        _add(step, "before", info)
        wasted = fragmentation(info, params)
        if wasted:
            step.warn(_FRAGMENTED.format(name, size(int(info["used_memory_rss"])), size(wasted)))
        why = why_rewrite(info, params)
        if why:
            _rewrite(step, server, info, why)
        if not step.check_mode:
            _add(step, "after", _info(server))
    return _message(step.record)


def prove(_step, params):
    """Ask each server again that was looked after; returns the message, or raises ProcedureError."""
    worse, looked = [], 0
    for server in _servers(params):
        name = address(server)
        if name in params["before"]:
            looked += 1
            if _info(server).get("aof_last_write_status", "ok") != "ok":
                worse.append("{0} cannot write its append-only file".format(name))
    if worse:
        raise ProcedureError("verification_failed", "Redis is not as before: " + "; ".join(worse))
    return "Redis: {0} as before".format(counted(looked, "server")) if looked else ""


def _servers(params):
    """The servers to look after: those that are given, or all that run here."""
    specs = params["servers"]
    if specs is None:
        specs = [{"host": host, "port": port} for host, port in running_redis()]
    return [server_of(spec) for spec in specs]


def _info(server):
    with connected(server, "procedure_failed") as live:
        return live.info()


def _add(step, when, info):
    figures = step.record[when]
    for figure, name in (("used", "used_memory"), ("rss", "used_memory_rss"), ("aof", "aof_current_size")):
        key = "redis_{0}_bytes".format(figure)
        figures[key] = figures.get(key, 0) + int(info.get(name, 0))


def _rewrite(step, server, info, why):
    """Let a server write its append-only file anew, or plan it, and wait until it has."""
    name, before, used = address(server), int(info["aof_current_size"]), int(info["used_memory"])
    if step.check_mode:
        step.plan("rewrite", name + " append-only file", before, why)
        return
    # The child that writes shares memory with the server, less and less of it while keys change.
    if (server["socket"] or server["host"] in _HERE) and used > available_bytes():
        step.warn(_NO_MEMORY.format(name, size(available_bytes()), size(used)))
        return
    with step.action("rewrite", name + " append-only file", before, why) as done:
        with connected(server, "procedure_failed") as live:
            live.ask("BGREWRITEAOF")
        info = _settled(step, server)
        if info.get("aof_last_bgrewrite_status") != "ok":
            raise ProcedureError("procedure_failed", _FAILED.format(name))
        freed = max(0, before - int(info["aof_current_size"]))
        done["detail"] = "{0}; freed {1}".format(why, size(freed))
    step.record["reclaimed_bytes"] = (step.record["reclaimed_bytes"] or 0) + freed


def _settled(step, server):
    """What a server says of itself when it writes nothing anew any more."""
    while True:
        step.tick()
        info = _info(server)
        if all(info.get(one, "0") == "0" for one in _REWRITING):
            return info
        time.sleep(POLL_S)


def _message(record):
    done = sum(1 for action in record["actions"] if action["outcome"] != "failed")
    if done:
        freed = ", freed {0}".format(size(record["reclaimed_bytes"])) if record["reclaimed_bytes"] else ""
        return "Redis: wrote {0} anew{1}".format(counted(done, "append-only file"), freed)
    return "Redis: nothing was needed by " + counted(len(record["found"]), "server") if record["found"] else ""


_FRAGMENTED = (
    "Redis {0} takes {1}, of which {2} hold no data (fragmentation). `CONFIG SET activedefrag yes` gives it back "
    "slowly, a restart at once"
)
_NO_MEMORY = "the append-only file of Redis {0} was not written anew: {1} of memory are free, and {2} may be wanted"
_FAILED = (
    "Redis {0} could not write its append-only file anew; it goes on with the old one, which is whole. Its log says "
    "why (often a full disk)"
)
