# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Logs since the last round: which parts of which files, however they were rotated, truncated or replaced meanwhile.

A log is known again by its device and inode (it was renamed) or by a hash of its first bytes (it was copied), and only
when both its size and that hash still fit: inodes are used again, and a truncated log may have grown past our place.
"""

from __future__ import annotations

import collections
import contextlib
import glob
import os
import re
import stat
import time

from .apart import SHARE_OF_LIMIT, run_apart
from .family import CannotLookError, NotThereError, key, size, span
from .log_worker import answer, head_of

MOST_FILES = 50
MOST_ROTATED = 3  # per log; more often than that between two rounds nobody rotates
PACKED = (".gz", ".xz", ".bz2", ".zst", ".lz4", ".Z")

KEYS = {
    "path": key("path", "the log, or a pattern of several (`*`, `?`); what was rotated is found", required=True),
    "tail": key("size", "how much of the end of each log the first look reads, 0 for nothing", "1MiB"),
}

File = collections.namedtuple("File", "path device inode size modified rotated")
Mark = collections.namedtuple("Mark", "path device inode offset known head")
Segment = collections.namedtuple("Segment", "path device inode start partial")
# `seconds` since the last look, None on the first; `notes` what has to be said about what could not be read.
Look = collections.namedtuple("Look", "sums seconds notes")


def marks_in(bookmark, pattern):
    """(time of the last look, marks) in a bookmark; (None, []) when it holds none for this pattern."""
    try:
        if bookmark["path"] != pattern:
            return None, []
        marks = [Mark(str(p), int(d), int(i), int(o), int(k), str(h)) for p, d, i, o, k, h in bookmark["files"]]
        return float(bookmark["at"]), marks
    except (TypeError, KeyError, ValueError):
        return None, []


def owners(files, marks, fits):
    """(mark by number of the file that it is of, numbers of files that are only copies, marks of none)."""
    owned, copies, lost = {}, set(), []
    for mark in marks:
        fitting = [number for number, file in enumerate(files) if fits(mark, file)]
        same = [n for n in fitting if (files[n].device, files[n].inode) == (mark.device, mark.inode)]
        alike = [n for n in fitting if files[n].rotated and mark.known]
        chosen = same or sorted(alike, key=lambda n: files[n].modified)[-1:]
        if not chosen:
            lost.append(mark)
            continue
        owned[chosen[0]] = mark
        if not files[chosen[0]].rotated:
            copies.update(n for n in alike if n != chosen[0])
    return owned, copies, lost


def plan(files, marks, looked_at, tail_bytes, fits):
    """(a Segment for each file, marks whose file is gone). `looked_at`: s since the epoch, None on the first look.

    `fits(mark, file)` says whether the file has what the mark's had, as far as the mark knows.
    """
    owned, copies, lost = owners(files, marks, fits)
    segments = []
    for number, file in enumerate(files):
        start = file.size
        if number in owned:
            start = owned[number].offset
        elif looked_at is None and not file.rotated:
            start = max(0, file.size - tail_bytes)
        elif looked_at is not None and number not in copies and not (file.rotated and file.modified < looked_at):
            start = 0
        partial = number not in owned and 0 < start < file.size
        segments.append(Segment(file.path, file.device, file.inode, start, partial))
    present = {file.path for file in files if not file.rotated}
    return segments, [mark for mark in lost if mark.path in present]


def file_at(path, rotated=False):
    """The File at a path; CannotLookError when it is none that can be read."""
    try:
        state = os.stat(path)
        if not stat.S_ISREG(state.st_mode):
            raise CannotLookError("%s is not a regular file" % path, "name the file that is written to")
        with open(path, "rb"):
            return File(path, state.st_dev, state.st_ino, state.st_size, state.st_mtime, rotated)
    except FileNotFoundError as error:
        raise NotThereError("%s is not there" % path, "correct the path, or remove the check") from error
    except PermissionError as error:
        raise CannotLookError(
            "no permission to read %s" % path,
            "check as root (roundsman_health_become: true), or let the user who checks read it (group adm on Debian)",
        ) from error
    except OSError as error:
        raise CannotLookError("%s: %s" % (path, error.strerror)) from error


def is_rotated(name, base):
    """Whether logrotate may have made `name` of the log `base`: app.log.1, app.log-20261125, app-20261125.log."""
    stem, dot, extension = base.rpartition(".")
    plain = name[: -len(os.path.splitext(name)[1])] if name.endswith(PACKED) else name
    stamp = r"[.-]\d[\d.-]*"
    forms = [re.escape(base) + stamp] + [re.escape(stem) + stamp + re.escape(dot + extension)] * bool(stem)
    return any(re.fullmatch(form, plain) for form in forms)


def rotated_of(path):
    """(paths of the rotated logs of `path` that can be read as they are, the newest last; paths of the packed ones)."""
    folder, base = os.path.split(path)
    try:
        names = [name for name in os.listdir(folder) if is_rotated(name, base)]
    except PermissionError:  # a folder that may be entered but not listed
        names = []
    paths = sorted((os.path.join(folder, name) for name in names), key=_modified)
    return [p for p in paths if not p.endswith(PACKED)][-MOST_ROTATED:], [p for p in paths if p.endswith(PACKED)]


def _modified(path):
    try:
        return os.stat(path).st_mtime
    except OSError:  # rotated away between two calls
        return 0.0


def logs_at(pattern):
    """(paths of the logs of a pattern, the newest first; how many more there are)."""
    if not glob.has_magic(pattern):
        return [pattern], 0
    paths = [path for path in glob.glob(pattern) if os.path.isfile(path) and not path.endswith(PACKED)]
    names = set(paths)
    # What is rotated of another one belongs to that one.
    paths = [path for path in paths if not any(_belongs(path, other) for other in names)]
    if not paths:
        raise NotThereError("no file matches %s" % pattern, "correct the path, or remove the check")
    paths.sort(key=_modified, reverse=True)
    return paths[:MOST_FILES], len(paths[MOST_FILES:])


def _belongs(path, other):
    return path != other and is_rotated(os.path.basename(path), os.path.basename(other))


def same_beginning(mark, file):
    if file.size < mark.offset:
        return False
    try:
        with open(file.path, "rb") as opened:
            return head_of(opened, mark.known) == mark.head
    except OSError:
        return False


def look(spec, context, request):
    """The Look at the logs of a check: what the worker of log_worker.py counts for `request` since the last round."""
    looked_at, marks = marks_in(context.bookmark, spec["path"])
    now = time.time()
    paths, more = logs_at(spec["path"])
    files, packed = [], {}
    for path in paths:
        current = file_at(path)
        rotated, packed[path] = rotated_of(path)
        for one in rotated:
            with contextlib.suppress(CannotLookError):  # its mark, if it has one, is lost, and that is said
                files.append(file_at(one, rotated=True))
        files.append(current)
    segments, lost = plan(files, marks, looked_at, spec["tail"], same_beginning)
    seconds = context.limit_s * SHARE_OF_LIMIT
    sums = run_apart(context, answer, dict(request, segments=segments, seconds=seconds))
    ends = sums.pop("ends")
    context.leave({"path": spec["path"], "at": now, "files": _marks_after(segments, ends, marks)})
    notes = _notes(spec, looked_at, lost, packed, sum(end[3] for end in ends if end), more)
    return Look(sums, None if looked_at is None else max(0.0, now - looked_at), notes)


def _marks_after(segments, ends, before):
    kept = [
        Mark(segment.path, segment.device, segment.inode, end[0], end[1], end[2])
        for segment, end in zip(segments, ends)
        if end
    ]
    moved = {(segment.device, segment.inode) for segment, end in zip(segments, ends) if not end}
    return kept + [mark for mark in before if (mark.device, mark.inode) in moved]


def _notes(spec, looked_at, lost, packed, behind_bytes, more):
    notes = []
    if looked_at is None:
        notes.append("first look, at the last %s" % size(spec["tail"]) if spec["tail"] else "first look, from now on")
    for mark in lost:
        fresh = [path for path in packed[mark.path] if _modified(path) >= looked_at]
        what = "was rotated and compressed as %s" % fresh[-1] if fresh else "was truncated, or rotated away"
        notes.append("%s %s: what it got after the last look is missed" % (mark.path, what))
    if behind_bytes:
        notes.append("%s behind, as the time limit ended the reading; the next look goes on there" % size(behind_bytes))
    if more:
        notes.append("%d more files match and are not looked at" % more)
    return notes


def since(seconds):
    """The words for the time that a Look covers."""
    return "" if seconds is None else " in %s" % span(seconds)
