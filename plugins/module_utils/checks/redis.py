# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Redis: whether it answers, its memory and replication; or how long a list or stream is that serves as a queue."""

from __future__ import annotations

from ..family import (
    CRITICAL,
    OK,
    WARNING,
    CannotLookError,
    NoAnswerError,
    family,
    finding,
    judge,
    key,
    limits,
    perf,
    size,
    threshold,
    worst,
)
from ..redis_wire import KEYS, RefusedError, address, log_in, refused, trouble


def target(spec):
    queue = spec["list"] or spec["stream"]
    parts = [address(spec), queue, spec["group"]]
    return " ".join(part for part in parts if part)


def backlog(spec, server):
    """(number of entries that wait, words) of the list or stream."""
    if spec["list"]:
        length = server.ask("LLEN", spec["list"])
        return length, "list %s holds %d" % (spec["list"], length)
    if not spec["group"]:
        length = server.ask("XLEN", spec["stream"])
        return length, "stream %s holds %d" % (spec["stream"], length)
    if not server.ask("EXISTS", spec["stream"]):
        raise CannotLookError("there is no stream %s" % spec["stream"], "correct the name, or create it and the group")
    groups = [pairs(group) for group in server.ask("XINFO", "GROUPS", spec["stream"])]
    found = next((group for group in groups if group["name"] == spec["group"]), None)
    if found is None:
        raise CannotLookError(
            "stream %s has no group %s" % (spec["stream"], spec["group"]), "correct the name, or create the group"
        )
    where = "group %s of stream %s" % (spec["group"], spec["stream"])
    pending = found["pending"]
    # Redis before 7 does not tell it, and no later one after entries in the middle were deleted.
    if found.get("lag") is None:
        return pending, "%s: %d pending; this Redis does not tell how many are not delivered yet" % (where, pending)
    waiting = found["lag"] + pending
    return waiting, "%s: %d wait, %d of them pending" % (where, waiting, pending)


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def judge_queue(spec, server):
    count, words = backlog(spec, server)
    warn, crit = spec["warn"], spec["crit"]
    status = judge(count, warn, crit)
    return finding(
        status, words + limits(status, warn, crit), count, "", perf("entries", count, "", (warn, crit), (0,))
    )


def judge_server(spec, info, earlier):
    """The Finding on INFO; `earlier` is the bookmark of the last round."""
    parts = [memory(spec, info), replication(spec, info), rejected(info, earlier)]
    words = ["redis %s answers" % info.get("redis_version", "")] + [words for _status, words in parts if words]
    status = worst([status for status, _words in parts])
    used, most = whole(info, "used_memory"), whole(info, "maxmemory")
    share = round(100.0 * used / most, 1) if most else None
    data = [perf("memory", used, "B", bounds=(0, most) if most else (0,))]
    data += [perf("clients", whole(info, "connected_clients")), perf("replicas", whole(info, "connected_slaves"))]
    return finding(status, ", ".join(words), share, "%", " ".join(data))


def memory(spec, info):
    used, most = whole(info, "used_memory"), whole(info, "maxmemory")
    if not most:
        return OK, "%s used, no maxmemory" % size(used)
    share = 100.0 * used / most
    warn, crit = spec["memory_warn"], spec["memory_crit"]
    # A cache that makes room by evicting any key is full for good, and well.
    evicts = info.get("maxmemory_policy", "").startswith("allkeys-")
    status = OK if evicts else judge(share, warn, crit)
    return status, "%.0f%% of maxmemory %s used%s" % (share, size(most), limits(status, warn, crit))


def replication(spec, info):
    if info.get("role") == "slave" and info.get("master_link_status") != "up":
        return CRITICAL, "link to its primary %s is down" % info.get("master_host", "")
    replicas = whole(info, "connected_slaves")
    if spec["replicas"] is not None and replicas < spec["replicas"]:
        return CRITICAL, "%d of %d replicas connected" % (replicas, spec["replicas"])
    return OK, "%d replicas" % replicas if replicas else ""


def rejected(info, earlier):
    """Connections refused for want of maxclients since the last round, in the same run of the server."""
    if not isinstance(earlier, dict) or earlier.get("run_id") != info.get("run_id"):
        return OK, ""
    before = earlier.get("rejected")
    count = whole(info, "rejected_connections") - before if isinstance(before, int) else 0
    return (WARNING, "%d connections rejected since the last round" % count) if count > 0 else (OK, "")


def whole(info, name):
    text = info.get(name, "")
    return int(text) if text.isdigit() else 0


def run(spec, context):
    patience_s = context.patience_s
    server = None
    try:
        server = log_in(spec, patience_s)
        if spec["list"] or spec["stream"]:
            return judge_queue(spec, server)
        info = server.info()
        context.leave({"run_id": info.get("run_id"), "rejected": whole(info, "rejected_connections")})
        return judge_server(spec, info, context.bookmark)
    except RefusedError as error:
        raise refused(spec, error) from error
    except (NoAnswerError, OSError, ValueError) as error:
        return finding(CRITICAL, "%s: %s" % (address(spec), trouble(error, patience_s)))
    finally:
        if server is not None:
            server.close()


def judge_spec(spec):
    if spec["list"] and spec["stream"]:
        return ["give list or stream, not both"]
    return ["group needs a stream"] if spec["group"] and not spec["stream"] else []


FAMILY = family(
    "redis",
    "queues",
    "Redis answers, and how full its memory or one of its queues is",
    dict(
        KEYS,
        list=key("str", "a list whose length to judge"),
        stream=key("str", "a stream whose length to judge"),
        group=key("str", "judge what this consumer group of the stream has still to do"),
        replicas=key("int", "how many replicas have to be connected"),
        memory_warn=threshold("percent", "used part of maxmemory", "90%"),
        memory_crit=threshold("percent", "used part of maxmemory"),
        warn=threshold("count", "entries of the list or stream"),
        crit=threshold("count", "entries of the list or stream"),
    ),
    run,
    target=target,
    judge_spec=judge_spec,
    anywhere=True,
)
