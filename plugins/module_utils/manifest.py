# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The manifest: what a source held when it was backed up, entry by entry.

JSON lines in ASCII: a header, one line per entry in the order of `tree.walk`, a footer. File names that are not UTF-8
carry their odd bytes as lone surrogates (PEP 383). Described in docs/backup.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
from collections import namedtuple

from . import tree
from .engines.base import BackupError
from .entries import described

FORMAT = 1

# Written: sha256 (of the manifest), entries, bytes (hard links once), unreadable and sockets (paths, str)
Written = namedtuple("Written", "sha256 entries bytes unreadable sockets")

# File times come from a clock that ticks at most every 10 ms, behind the one that we read; FAT knows 2 s.
CLOCK_GRAIN_NS = 2 * 10**9

_ENCODER = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"))


class _Lines:
    """Counts and hashes what it writes."""

    def __init__(self, stream):
        self._stream = stream
        self._hash = hashlib.sha256()

    def write(self, record, line=None):
        """`line` (str) is that of the record, where it is known."""
        written = (line or _ENCODER.encode(record) + "\n").encode("ascii")
        self._hash.update(written)
        self._stream.write(written)

    def sha256(self):
        return self._hash.hexdigest()


class _Before:
    """The entries of an earlier manifest, asked for in the order of the walk."""

    def __init__(self, path):
        self._records = _entries(path)
        # What was touched right before it was looked at may have been touched again without a trace.
        self._until_ns = header_and_footer(path)[0]["taken_at_ns"] - CLOCK_GRAIN_NS
        self._next = next(self._records, None)

    def known(self, path):
        """The trustworthy entry of this path and its line, or None and None."""
        name = tree.text(path)
        while self._next and self._next[0]["path"] != name and _precedes(self._next[0]["path"], path):
            self._next = next(self._records, None)
        entry, line = self._next or ({"path": None}, None)
        if entry["path"] != name or "error" in entry or entry.get("ctime_ns", self._until_ns) >= self._until_ns:
            return None, None
        # Which of several names comes first is for the new manifest to say.
        return entry, None if entry.pop("hard_link_of", None) else line


def _precedes(name, path):
    return tree.order(tree.raw(name)) < tree.order(path)


def write(path, header, found, tick, before=None, processors=1):
    """Describe every Found in a new manifest at `path` (mode 0600, on the disk when done) and return Written.

    `before` is the path of an earlier, intact manifest: files that were not touched since are not read again.
    """
    entries_now = described(found, _Before(before) if before else None, tick, processors)
    with contextlib.closing(entries_now), open(path, "wb", opener=_privately) as stream:
        written = _write(_Lines(stream), header, entries_now)
        stream.flush()
        os.fsync(stream.fileno())
    return written


def _privately(path, flags):
    return os.open(path, flags, 0o600)


def _write(lines, header, entries_now):
    entries, size, linked, unreadable, sockets = 0, 0, {}, [], []
    lines.write(dict(header, roundsman_manifest=FORMAT))
    for item, entry, line in entries_now:
        entries += 1
        if "error" in entry:
            unreadable.append(entry["path"])
        if entry["type"] == "socket":
            sockets.append(entry["path"])
        inode = (item.info.st_dev, item.info.st_ino) if item.info and item.info.st_nlink > 1 else None
        if inode in linked:
            entry["hard_link_of"] = linked[inode]
        else:
            size += entry.get("size", 0)
        if inode and entry["type"] == "file":
            linked.setdefault(inode, entry["path"])
        lines.write(entry, None if inode else line)
    lines.write({"end": True, "entries": entries, "bytes": size, "unreadable": len(unreadable)})
    return Written(lines.sha256(), entries, size, unreadable, sockets)


def file_sha256(path):
    return tree.digest(path, lambda: None)


def _entries(path):
    """Pairs of entry and line, one after the other."""
    with open(path, encoding="ascii") as stream:
        for line in itertools.islice(stream, 1, None):
            record = json.loads(line)
            if not record.get("end"):
                yield record, line


def header_and_footer(path):
    """First and last record of a manifest. Raises BackupError when it is none or of a newer format."""
    with open(path, "rb") as stream:
        first = stream.readline()
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - 4096))
        last = stream.read().splitlines()[-1:]
    try:
        header, footer = json.loads(first), json.loads(last[0] if last else b"")
    except ValueError:
        raise BackupError("repository_damaged", "the manifest in the snapshot is not readable") from None
    if header.get("roundsman_manifest") != FORMAT or not footer.get("end"):
        raise BackupError(
            "engine_failed",
            "the manifest in the snapshot has a format that this version of Roundsman does not know; update Roundsman",
        )
    return header, footer


def entries(path):
    """The entries of a manifest, one after the other."""
    return (entry for entry, _line in _entries(path))


def changes_since(path, taken_at_ns):
    """Re-look at every entry on the host: (paths that may differ from the manifest, those that certainly do).

    A change of content always moves ctime, which no program can set back, so what has an older ctime is as described.
    """
    suspects, certain = [], []
    for entry in entries(path):
        try:
            info = os.lstat(tree.raw(entry["path"]))
        except OSError:
            suspects.append(entry["path"])
            certain.append(entry["path"])
            continue
        fresh = info.st_ctime_ns >= taken_at_ns - CLOCK_GRAIN_NS
        if not fresh and info.st_ctime_ns == entry.get("ctime_ns") and info.st_ino == entry["inode"]:
            continue
        now = tree.metadata(info)
        differs = any(now[key] != entry[key] for key in now if key in entry)
        if differs or fresh:
            suspects.append(entry["path"])
        if differs:
            certain.append(entry["path"])
    return suspects, certain
