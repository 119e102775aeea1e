# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rate from two readings of a counter: since the last round, or within the call."""

from __future__ import annotations

import collections
import math
import re
import time

from ..counters import boot_id
from ..family import (
    CRITICAL,
    CannotLookError,
    NoAnswerError,
    NotThereError,
    family,
    finding,
    judge,
    key,
    limits,
    perf,
    size,
    span,
    threshold,
)
from ..prometheus_text import value, values
from ..redaction import for_people
from ..redis_wire import KEYS as REDIS_KEYS
from ..redis_wire import RefusedError, log_in, refused, trouble
from ..thresholds import number
from ..web import get, url_faults
from .postgresql import KEYS as POSTGRESQL_KEYS
from .postgresql import ask

# `run` tells counters apart and, where the source says so, one life of a counter from the next; `at` is in s of the
# clock since boot.
Reading = collections.namedtuple("Reading", "count run boot at")
SECTOR_BYTES = 512
TRANSACTIONS = """SELECT sum(xact_commit + xact_rollback) || ' ' || extract(epoch FROM pg_postmaster_start_time())
    FROM pg_stat_database"""
LEAST_S = 1.0  # between two readings for a rate that means anything


def rate(before, after):
    """Events per second between two Readings; None when the counter began anew, or too little time went by."""
    same = (before.run, before.boot) == (after.run, after.boot)
    elapsed_s = after.at - before.at
    if not same or elapsed_s <= 0 or after.count < before.count:
        return None
    return (after.count - before.count) / elapsed_s


def remembered(bookmark):
    """The Reading that a bookmark holds, or None for anything else."""
    if not isinstance(bookmark, dict) or set(bookmark) != set(Reading._fields):
        return None
    numbers = (bookmark["count"], bookmark["at"])
    if any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in numbers):
        return None
    return Reading(**bookmark)


def disk(spec, _context, _patience_s):
    for fields in (line.split() for line in _lines("/proc/diskstats")):
        if len(fields) > 9 and fields[2] == spec["name"]:
            return (int(fields[5]) + int(fields[9])) * SECTOR_BYTES, ""
    raise NotThereError("there is no disk %s" % spec["name"], "correct name; lsblk lists the disks")


def network(spec, _context, _patience_s):
    for line in _lines("/proc/net/dev"):
        name, colon, rest = line.partition(":")
        if colon and name.strip() == spec["name"]:
            fields = rest.split()
            return int(fields[0]) + int(fields[8]), ""
    raise NotThereError("there is no interface %s" % spec["name"], "correct name; ip link lists the interfaces")


def file(spec, _context, _patience_s):
    text = "".join(_lines(spec["path"], 1)).strip()
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise CannotLookError('%s holds no number but "%s"' % (spec["path"], text[:100]), "correct path")
    return found, ""


def _lines(path, most=10000):
    try:
        with open(path, encoding="utf-8", errors="replace") as opened:
            return [opened.readline(65536) for _line in range(most)] if most == 1 else opened.readlines()
    except FileNotFoundError as error:
        raise NotThereError("%s is not there" % path, "correct path") from error
    except OSError as error:
        raise CannotLookError("%s: %s" % (path, error.strerror), "check as a user who may read it") from error


def postgresql(spec, context, patience_s):
    asked = dict(spec, database=spec["database"] or "postgres")
    count, run_id = ask(asked, context, TRANSACTIONS, patience_s)[0].split(" ")
    return int(count), run_id


def nginx(spec, _context, patience_s):
    text = get(spec["url"], patience_s, spec["username"], spec["password"]).decode("utf-8", "replace")
    match = re.search(r"accepts handled requests\s+\d+ \d+ (\d+)", text)
    if not match:
        raise CannotLookError("%s is not nginx's stub_status" % for_people(spec["url"]), "correct the url")
    return int(match.group(1)), ""


def prometheus(spec, _context, patience_s):
    body = get(spec["url"], patience_s, spec["username"], spec["password"])
    started = values(body, "process_start_time_seconds", {})
    return value(body, spec["name"], spec["labels"] or {})[0], str(started[0]) if started else ""


def redis(spec, _context, patience_s):
    asked = dict(spec, host=spec["host"] or "localhost", port=spec["port"] or 6379, database=int(spec["database"] or 0))
    try:
        server = log_in(asked, patience_s)
        try:
            info = server.info()
        finally:
            server.close()
    except RefusedError as error:
        raise refused(asked, error) from error
    except (OSError, ValueError) as error:
        raise NoAnswerError("redis %s" % trouble(error, patience_s)) from error
    return int(info.get("total_commands_processed", 0)), info.get("run_id", "")


SOURCES = {
    "disk": disk,
    "file": file,
    "network": network,
    "nginx": nginx,
    "postgresql": postgresql,
    "prometheus": prometheus,
    "redis": redis,
}
WHAT = {"disk": "read and written", "network": "received and sent", "postgresql": "transactions", "redis": "commands"}
NEEDS = {"disk": ("name",), "network": ("name",), "file": ("path",), "nginx": ("url",), "prometheus": ("url", "name")}


def read(spec, context, patience_s):
    count, run_id = SOURCES[spec["source"]](spec, context, patience_s)
    # A check that looks at another counter now keeps its id, and with it the bookmark.
    labels = [" %s=%s" % pair for pair in sorted((spec["labels"] or {}).items())]
    run_id = "%s%s %s" % (target(spec), "".join(labels), run_id)
    return Reading(count, run_id, boot_id(), round(time.clock_gettime(time.CLOCK_BOOTTIME), 3))


def measure(spec, context):
    """(rate per second, over how many seconds); None for a counter that begins anew at every look."""
    patience_s = max(0.1, (context.patience_s - spec["sample"]) / 2)
    before, after = remembered(context.bookmark), read(spec, context, patience_s)
    found = rate(before, after) if before and after.at - before.at >= LEAST_S else None
    if found is None:
        before = after
        time.sleep(spec["sample"])
        after = read(spec, context, patience_s)
        found = rate(before, after)
    context.leave(after._asdict())
    return found, after.at - before.at


def run(spec, context):
    try:
        found, over_s = measure(spec, context)
    except NoAnswerError as error:
        return finding(CRITICAL, "%s: %s" % (target(spec), error), unit="/s")
    if found is None:
        raise CannotLookError("%s: the counter went down while we looked" % target(spec), "look again")
    warn, crit = spec["warn"], spec["crit"]
    status = judge(found, warn, crit)
    shown = size(found) if spec["source"] in ("disk", "network") else number(round(found, 2))
    words = " ".join(part for part in (shown + "/s", WHAT.get(spec["source"])) if part)
    message = "%s: %s%s, over %s" % (target(spec), words, limits(status, warn, crit), span(over_s))
    return finding(status, message, round(found, 3), "/s", perf("rate", found, "", (warn, crit), (0,)))


def target(spec):
    place = spec["url"] and for_people(spec["url"])
    return " ".join(str(part) for part in (spec["source"], spec["name"], spec["path"], place, spec["port"]) if part)


def judge_spec(spec):
    faults = ["%s is missing" % name for name in NEEDS.get(spec["source"], ()) if not spec[name]]
    if spec["source"] == "redis" and not (spec["database"] or "0").isdigit():
        faults.append("database of redis is a number")
    return faults + (url_faults("url", spec["url"]) if spec["url"] else [])


FAMILY = family(
    "throughput",
    "throughput",
    "how fast a counter grows",
    {
        "source": key("str", "what counts", required=True, choices=tuple(SOURCES)),
        "name": key("str", "the disk, the interface or the metric"),
        "labels": key("dict", "only samples of the metric whose labels match these patterns, added up"),
        "path": key("path", "the file that holds the number"),
        "url": key("str", "stub_status of nginx, or the Prometheus endpoint"),
        **REDIS_KEYS,
        **POSTGRESQL_KEYS,
        "host": key("str", "of `redis` (default `localhost`) and `postgresql` (default the local socket)"),
        "port": key("port", "its port; by default the usual one"),
        "username": key("str", "user for basic authentication, or of `redis`"),
        "password": key("str", "password of the username or login"),
        "database": key("str", "name with `postgresql` (default `postgres`), number with `redis` (default 0)"),
        "sample": key("seconds", "how long to look where no earlier round can be compared with", "1s"),
        "warn": threshold("rate", "the rate; `10/s:` is at least ten per second"),
        "crit": threshold("rate", "the rate; `10/s:` is at least ten per second"),
    },
    run,
    target=target,
    judge_spec=judge_spec,
    anywhere=True,
)
