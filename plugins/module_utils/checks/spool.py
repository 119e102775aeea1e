# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A directory that serves as a queue: how many files wait in it, how old the oldest is, how large they are together."""

from __future__ import annotations

import fnmatch
import os
import stat
import time

from ..family import (
    OK,
    CannotLookError,
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
    worst,
)


class Pile:
    """What was counted so far."""

    def __init__(self):
        self.count = self.size_bytes = self.unreadable = 0
        self.oldest = None  # seconds since the epoch
        self.finished = True


def count(path, pattern, recursive, deadline, clock=time.monotonic):
    """The Pile of the regular files below `path`; links are neither counted nor followed. OSError of `path` itself."""
    pile, waiting = Pile(), [path]
    while waiting:
        folder = waiting.pop()
        try:
            entries = os.scandir(folder)
        except OSError:
            if folder == path:
                raise
            pile.unreadable += 1
            continue
        with entries:
            for entry in entries:
                if clock() >= deadline:
                    pile.finished = False
                    return pile
                if recursive and entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif fnmatch.fnmatchcase(entry.name, pattern):
                    _add(pile, entry)
    return pile


def _add(pile, entry):
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # it was taken from the queue meanwhile
        return
    except OSError:
        pile.unreadable += 1
        return
    if stat.S_ISREG(found.st_mode):
        pile.count += 1
        pile.size_bytes += found.st_size
        pile.oldest = found.st_mtime if pile.oldest is None else min(pile.oldest, found.st_mtime)


def judge_pile(spec, pile, now):
    """The Finding at `now`, in seconds since the epoch."""
    # The clock of the host, or of who wrote the file, may have been wrong.
    age_s = max(0.0, now - pile.oldest) if pile.oldest is not None else 0.0
    parts = [
        (pile.count, "%d files" % pile.count, "", "files"),
        (age_s, "oldest %s" % span(age_s), "age_", "age"),
        (pile.size_bytes, size(pile.size_bytes), "size_", "size"),
    ]
    grades, words, data = [], [], []
    for value, text, prefix, label in parts:
        warn, crit = spec[prefix + "warn"], spec[prefix + "crit"]
        grades.append(judge(value, warn, crit))
        if pile.count or label == "files":
            words.append(text + limits(grades[-1], warn, crit))
        unit = {"age": "s", "size": "B"}.get(label, "")
        data.append(perf(label, value, unit, (warn, crit), (0,)))
    if not pile.finished:
        words[0] = "at least " + words[0] + " (not all were counted within the time limit)"
    if pile.unreadable:
        words.append("%d could not be read" % pile.unreadable)
    return finding(worst(grades), "%s: %s" % (spec["path"], ", ".join(words)), pile.count, "", " ".join(data))


def run(spec, context):
    deadline = time.monotonic() + context.limit_s * 0.8
    try:
        pile = count(spec["path"], spec["pattern"], spec["recursive"], deadline)
    except PermissionError as error:
        remedy = "check as root (roundsman_health_become: true), or as a user who may read it"
        raise CannotLookError("%s: no permission" % spec["path"], remedy) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotThereError("%s is not a directory on the host" % spec["path"], "create it, or correct path") from error
    except OSError as error:
        raise CannotLookError("%s: %s" % (spec["path"], error.strerror)) from error
    found = judge_pile(spec, pile, time.time())
    if found.status == OK and not pile.finished:
        raise CannotLookError(found.message, "give it a longer timeout, or warn and crit that what was counted exceeds")
    return found


FAMILY = family(
    "spool",
    "queues",
    "how many files wait in a directory; also how old the oldest is, and how large they are",
    {
        "path": key("path", "the directory", required=True),
        "pattern": key("str", "count only files whose name matches (`*`, `?`)", "*"),
        "recursive": key("bool", "count in the directories below as well", False),
        "warn": threshold("count", "number of files"),
        "crit": threshold("count", "number of files"),
        "age_warn": threshold("duration", "age of the oldest file by its modification time"),
        "age_crit": threshold("duration", "age of the oldest file by its modification time"),
        "size_warn": threshold("size", "size of all together"),
        "size_crit": threshold("size", "size of all together"),
    },
    run,
    target=lambda spec: spec["path"],
)
