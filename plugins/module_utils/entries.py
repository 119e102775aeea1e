# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The entries of a manifest as they come about: what the inode says, what has to be read, and who reads it."""

from __future__ import annotations

import collections
import contextlib
import errno

from . import tree
from .helper import Helper

# As many files as the engine reads at once. What is done beside reading costs less than half of it.
MOST_READERS = 2
_BATCH_ENTRIES = 64
_BATCH_BYTES = 4 << 20


def entry_of(found, tick):
    """The manifest's entry for a Found, or None when it vanished meanwhile."""
    entry, unread = _outline(found)
    told = _read(found.path, entry["type"], tick) if unread else {}
    return None if told is None else dict(entry, **told)


def _outline(found):
    """The entry as far as it is known without reading, and whether there is more to it."""
    entry = {"path": tree.text(found.path)}
    if found.info is None:
        return dict(entry, type="unknown", error=found.error), False
    entry.update(tree.metadata(found.info))
    entry["user"], entry["group"] = tree.user_name(found.info.st_uid), tree.group_name(found.info.st_gid)
    entry["inode"], entry["ctime_ns"] = found.info.st_ino, found.info.st_ctime_ns
    if found.error:
        return dict(entry, error=found.error), False
    return entry, entry["type"] in ("file", "dir", "symlink")


def _read(path, kind, tick):
    """What there is to read of an entry, or why it cannot be read; None when it vanished meanwhile."""
    try:
        told = tree.content(path, kind, tick)
        if kind != "symlink":
            told.update(_xattrs(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        return {"error": error.strerror}
    return told


def _xattrs(path):
    """Those that there are; a filesystem without them says nothing about them."""
    try:
        return {"xattrs": tree.xattrs(path)}
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENODATA):
            return {}
        raise


def described(found, before, tick, processors):
    """Found, entry and line of all that did not vanish, in order: helpers read, this process does the rest.

    `before.known(path)` is the entry of an earlier manifest whose word can be taken, and its line; or None and None.
    The line (str) is there when it is still right as it is, else None.
    """

    def read(requests):
        return [_read(tree.raw(path), kind, tick) for path, kind in requests]

    with contextlib.ExitStack() as stack:
        readers = collections.deque(
            stack.enter_context(Helper(read, processors > 1)) for _reader in range(min(processors, MOST_READERS))
        )
        under_way = collections.deque()
        for batch in _batches(found, before, tick):
            # The next batch is asked for before anything else is done with the one that was read meanwhile.
            done = under_way.popleft()() if len(under_way) == len(readers) else ()
            under_way.append(_begun(batch, readers[0], read, tick))
            readers.rotate(-1)
            yield from done
        for end in under_way:
            yield from end()


def _begun(batch, reader, read, tick):
    """Have `reader` read what is unread of a batch; returns a function that waits for it and returns what is there."""
    requests = [(entry["path"], entry["type"]) for _item, entry, _line, unread in batch if unread]
    if requests:
        reader.ask(requests)

    def end():
        answers = iter(reader.answer(tick, lambda: read(requests)) if requests else ())
        there = []
        for item, entry, line, unread in batch:
            told = next(answers) if unread else {}
            if told is not None:
                entry.update(told)
                there.append((item, entry, line))
        return there

    return end


def _batches(found, before, tick):
    """Lists of (Found, entry, line, unread): enough for a reader to be worth the asking, and no more."""
    batch, size = [], 0
    for item in found:
        tick()
        entry, unread = _outline(item)
        known, line = before.known(item.path) if before and unread else (None, None)
        # A change of content or attributes always moves ctime, which no program can set back; restic goes by the same.
        if known and entry.items() <= known.items():
            batch.append((item, known, line, False))
        else:
            batch.append((item, entry, None, unread))
            size += entry["size"] if unread else 0
        if len(batch) == _BATCH_ENTRIES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch
