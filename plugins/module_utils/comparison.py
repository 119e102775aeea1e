# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compares a restored tree with its manifest, entry by entry, in one pass over both.

An entry that differs is damage, unless it changed while the backup ran. Two things prove that:

- the host saw it: after the engine had finished, the entry was gone, or its metadata or ctime had moved (`changed`);
- the copy shows it: its size or mtime differs from the manifest *and* its mtime is not older than the manifest.
  Damage to file data cannot do that: metadata lies in other blobs, which carry hashes of their own.

What changed is then judged by the engine alone, whose restore checks the hash of every blob that it reads.
"""

from __future__ import annotations

import errno
import os
from collections import namedtuple

from . import tree
from .manifest import CLOCK_GRAIN_NS

MAX_MISMATCHES = 20

# mismatches: list of {path, problem}, at most 20; changed: paths (str) of what differs and changed during the backup;
# extra: how many entries the manifest does not know
Comparison = namedtuple("Comparison", "entries bytes mismatches mismatch_count changed extra")

_META = (("mode", "mode"), ("mtime_ns", "mtime"))
_OWNER = (("uid", "owner"), ("gid", "group"))


def pairs(expected, restored):
    """Merge two sequences in walk order into (entry or None, Found or None)."""
    return merged(
        expected, restored, lambda entry: tree.order(tree.raw(entry["path"])), lambda found: tree.order(found.path)
    )


def merged(lefts, rights, left_key, right_key):
    """Merge two iterators that are sorted by their keys into (left or None, right or None)."""
    left, right = next(lefts, None), next(rights, None)
    while left is not None or right is not None:
        at, other = left_key(left) if left is not None else None, right_key(right) if right is not None else None
        if other is None or (at is not None and at < other):
            yield left, None
            left = next(lefts, None)
        elif at is None or other < at:
            yield None, right
            right = next(rights, None)
        else:
            yield left, right
            left, right = next(lefts, None), next(rights, None)


def problems_of(entry, found, base, with_owner, tick):
    """How a restored entry differs from the manifest: a list of words, empty when equal."""
    if found.info is None:
        return ["not readable: {0}".format(found.error)]
    there = tree.metadata(found.info)
    if there["type"] != entry["type"]:
        return ["is a {0}, was a {1}".format(there["type"], entry["type"])]
    problems = ["size {0}, was {1}".format(there["size"], entry["size"])] if there["size"] != entry["size"] else []
    if not problems:
        problems += _content_problems(entry, base + found.path, tick)
    # A symbolic link's own mode means nothing on Linux.
    keys = (_META if entry["type"] != "symlink" else _META[1:]) + (_OWNER if with_owner else ())
    problems += [
        "{0} {1}, was {2}".format(word, there[key], entry[key]) for key, word in keys if there[key] != entry[key]
    ]
    if there.get("device") != entry.get("device"):
        problems.append("is another device")
    if with_owner and "xattrs" in entry:
        problems += _xattr_problems(entry["xattrs"], base + found.path)
    return problems + _link_problems(entry, found, base)


def _xattr_problems(expected, path):
    """Only root can restore all of them, and only where the filesystem has them."""
    try:
        there = tree.xattrs(path)
    except OSError as error:
        return [] if error.errno == errno.ENOTSUP else ["attributes not readable: {0}".format(error.strerror)]
    differing = sorted(name for name in {*expected, *there} if expected.get(name) != there.get(name))
    return ["attribute {0} differs".format(name) for name in differing if name in there or _could_be(path, name)]


def _could_be(path, name):
    """Whether the filesystem has attributes of this kind; to remove one that is not there changes nothing."""
    try:
        os.removexattr(path, os.fsdecode(tree.raw(name)), follow_symlinks=False)
    except OSError as error:
        return error.errno != errno.ENOTSUP
    return True


def _link_problems(entry, found, base):
    if "hard_link_of" not in entry:
        return []
    try:
        first = os.lstat(base + tree.raw(entry["hard_link_of"]))
    except OSError:
        return []  # not restored, or missing, which is a problem of its own
    same = (first.st_dev, first.st_ino) == (found.info.st_dev, found.info.st_ino)
    return [] if same else ["is no longer one file with {0}".format(tree.printable(entry["hard_link_of"]))]


def _content_problems(entry, path, tick):
    try:
        there = tree.content(path, entry["type"], tick)
    except OSError as error:
        return ["not readable: {0}".format(error.strerror)]
    if there.get("sha256") != entry.get("sha256"):
        return ["content differs from its SHA-256"]
    return ["leads elsewhere"] if there.get("target") != entry.get("target") else []


def _shows_change(entry, found, taken_at_ns):
    if taken_at_ns is None or found is None or found.info is None:
        return False
    there = tree.metadata(found.info)
    moved = there["size"] != entry["size"] or there["mtime_ns"] != entry["mtime_ns"]
    return moved and there["mtime_ns"] >= taken_at_ns - CLOCK_GRAIN_NS


def compare(expected, restored, base, taken_at_ns, changed, with_owner, tick):
    """Compare manifest entries with Founds below `base`; `changed` are the paths that the host saw changing.

    With `taken_at_ns` None the copy's own times prove nothing, because people may have worked on it.
    """
    total = size = count = extra = 0
    mismatches, moved = [], set()
    for entry, found in pairs(expected, restored):
        tick()
        if entry is None:
            extra += 1
            continue
        total += 1
        size += entry.get("size", 0)
        # Sockets are made by programs, no engine restores them; what could not be read then cannot be compared now.
        if "error" in entry or entry["type"] == "socket":
            continue
        problems = problems_of(entry, found, base, with_owner, tick) if found else ["missing"]
        if not problems:
            continue
        if entry["path"] in changed or _shows_change(entry, found, taken_at_ns):
            moved.add(entry["path"])
            continue
        count += 1
        if len(mismatches) < MAX_MISMATCHES:
            mismatches.append({"path": tree.printable(entry["path"]), "problem": "; ".join(problems)})
    return Comparison(total, size, mismatches, count, moved, extra)
