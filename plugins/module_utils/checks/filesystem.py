# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Space and inodes of one path or of every real mount, and what became read-only; the worst mount decides."""

from __future__ import annotations

import collections
import errno
import os
import queue
import threading
import time

from ..family import (
    BY_SEVERITY,
    CRITICAL,
    GRADES,
    OK,
    UNKNOWN,
    CannotLookError,
    family,
    finding,
    grade,
    judge_share,
    key,
    limits,
    perf,
    size,
    threshold,
    worst,
)
from ..mounts import became_read_only, holding, of_interest, read_mounts, real_mounts

NOT_THERE = (errno.EACCES, errno.EPERM, errno.ENOENT)  # another user's mount, or gone since the list was read

Usage = collections.namedtuple("Usage", "total used free used_percent inodes_percent")
Verdict = collections.namedtuple("Verdict", "path status words usage")


def usage_of(numbers):
    """Usage from statvfs as df reckons it (space for root alone counts as used), or None where nothing can fill up."""
    used, available = numbers.f_blocks - numbers.f_bfree, numbers.f_bavail
    if used + available <= 0:
        return None
    inodes = 100.0 * (numbers.f_files - numbers.f_ffree) / numbers.f_files if numbers.f_files else None
    return Usage(
        total=numbers.f_blocks * numbers.f_frsize,
        used=used * numbers.f_frsize,
        free=available * numbers.f_frsize,
        used_percent=round(100.0 * used / (used + available), 1),
        inodes_percent=None if inodes is None else round(inodes, 1),
    )


def ask(paths, patience_s):
    """path -> Usage, None where nothing can fill up, or statvfs's OSError; without an answer in time it is absent."""
    answers = queue.Queue()

    def look(path):
        try:
            answers.put((path, usage_of(os.statvfs(path))))
        except OSError as error:
            answers.put((path, error))

    # A thread each: a dead network mount holds whoever asks it, for ever.
    for path in paths:
        threading.Thread(target=look, args=(path,), daemon=True).start()
    found, deadline = {}, time.monotonic() + patience_s
    while len(found) < len(paths):
        try:
            path, answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[path] = answer
    return found


def verdict(path, usage, spec):
    """The Verdict on one filesystem: space always has its words, inodes and free space when they are amiss."""
    grades, words = [], []
    for prefix, label, percent, count in (
        ("", "used", usage.used_percent, usage.used),
        ("free_", "free", 100 - usage.used_percent, usage.free),
        ("inodes_", "of inodes used", usage.inodes_percent or 0, None),
    ):
        warn, crit = spec[prefix + "warn"], spec[prefix + "crit"]
        grades.append(judge_share(percent, count, warn, crit))
        if grades[-1] != OK or not prefix:
            words.append("%.0f%% %s%s" % (percent, label, limits(grades[-1], warn, crit)))
    return Verdict(path, worst(grades), "%s %s, %s free" % (path, ", ".join(words), size(usage.free)), usage)


def in_bytes(spec):
    """Whether the thresholds on used space are sizes."""
    units = {limit.unit for limit in (spec["warn"], spec["crit"]) if limit}
    return units == {"B"}


def performance(verdict, spec):
    path, usage, warn, crit = verdict.path, verdict.usage, spec["warn"], spec["crit"]
    percent = [limit if limit and limit.unit == "%" else None for limit in (warn, crit)]
    sizes = [limit if limit and limit.unit == "B" else None for limit in (warn, crit)]
    data = [perf(path, usage.used_percent, "%", percent, (0, 100))]
    data.append(perf(path + " used", usage.used, "B", sizes, (0, usage.total)))
    if usage.inodes_percent is not None:
        thresholds = (spec["inodes_warn"], spec["inodes_crit"])
        data.append(perf(path + " inodes", usage.inodes_percent, "%", thresholds, (0, 100)))
    return data


def summary(verdicts, read_only, silent, single):
    """The message: what is amiss, worst first, or the fullest filesystem."""
    amiss = ["%s is read-only: %s" % (path, why) for path, why in read_only.items()]
    amiss += [verdict.words for verdict in verdicts if verdict.status != OK]
    amiss += ["%s does not answer%s" % (path, reason) for path, reason in sorted(silent.items())]
    if amiss:
        return "; ".join(amiss)
    return verdicts[0].words if single else "%d filesystems, fullest %s" % (len(verdicts), verdicts[0].words)


def run(spec, context):
    path = spec["path"]
    if path and spec["mounted"] and not os.path.ismount(path):
        return finding(CRITICAL, "%s is not mounted" % path)
    everything, fstab = read_mounts()
    mounts = of_interest(everything, spec["network"], spec["exclude"])
    paths = [path] if path else real_mounts(mounts)
    answers = ask(paths, context.limit_s * 0.8)
    if path and isinstance(answers.get(path), OSError):
        raise CannotLookError("%s: %s" % (path, answers[path].strerror), "correct the path, or mount it")
    if path:  # links are followed only now: it has answered, unless it is silent
        mounts = holding(everything, os.path.realpath(path)) if path in answers else []
    silent = {one: "" for one in paths if one not in answers}
    for one, answer in answers.items():
        if isinstance(answer, OSError) and answer.errno not in NOT_THERE:
            silent[one] = ": " + str(answer.strerror)
    measured = {one: answer for one, answer in answers.items() if isinstance(answer, Usage)}
    # Single files are mounted into containers; what they lie on is not the container's.
    verdicts = [verdict(one, usage, spec) for one, usage in measured.items() if path or os.path.isdir(one)]
    read_only = became_read_only(mounts, fstab) if spec["read_only"] != "ignore" else {}
    return conclude(spec, verdicts, read_only, silent)


def conclude(spec, verdicts, read_only, silent):
    """The finding on the Verdicts, and on the filesystems that are read-only and that do not answer: path -> why."""
    path = spec["path"]
    if not verdicts and not silent and not read_only:
        raise CannotLookError("%s has no space to measure" % (path or "no filesystem"))
    verdicts.sort(key=lambda each: (-BY_SEVERITY.index(each.status), -each.usage.used_percent, each.path))
    grades = [each.status for each in verdicts] + [UNKNOWN] * bool(silent)
    status = worst(grades + [GRADES[spec["read_only"]]] * bool(read_only))
    data = " ".join(item for each in verdicts for item in performance(each, spec))
    fullest = verdicts[0].usage if verdicts else None
    value = fullest and (fullest.used if in_bytes(spec) else fullest.used_percent)
    message = summary(verdicts, read_only, silent, bool(path))
    return finding(status, message, value, "B" if in_bytes(spec) else "%", data)


def judge_spec(spec):
    if spec["path"] and (spec["exclude"] or spec["network"]):
        return ["exclude and network choose among all mounts; they do not go together with path"]
    if spec["mounted"] and not spec["path"]:
        return ["mounted needs a path"]
    return []


FAMILY = family(
    "filesystem",
    "resources",
    "used space and inodes of one path or of every real mount, and whether it became read-only; the worst decides",
    {
        "path": key("path", "look only at the filesystem that holds this path"),
        "mounted": key("bool", "it is critical when nothing is mounted at `path`", False),
        "exclude": key("list", "patterns of mount points to leave out (only without `path`)", ()),
        "network": key("bool", "look at network filesystems as well (only without `path`)", False),
        "warn": threshold("space", "used space, a share or a size", "85%"),
        "crit": threshold("space", "used space, a share or a size", "95%"),
        "free_warn": threshold("space", "free space, a share or a size", floor=True),
        "free_crit": threshold("space", "free space, a share or a size", floor=True),
        "inodes_warn": threshold("percent", "used inodes", "85%"),
        "inodes_crit": threshold("percent", "used inodes", "95%"),
        "read_only": grade("what a filesystem that became read-only is", "critical"),
    },
    run,
    target=lambda spec: spec["path"] or "",
    judge_spec=judge_spec,
)
