# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What snapshots hold over time: where a file is found, and what differs between two of them or from what is live."""

from __future__ import annotations

import os

from . import manifest, tree
from .comparison import merged
from .engines.base import TAG, BackupError, complete_ids, of_source, tag_value
from .engines.patterns import compile_patterns
from .entries import entry_of
from .repository import recognise
from .sources import registry
from .verification import fetch_manifest, manifest_path

LISTED = 1000
_COMPARED = (
    *(("type", "type"), ("size", "size"), ("sha256", "content"), ("target", "link target"), ("mode", "mode")),
    *(("uid", "owner"), ("gid", "group"), ("mtime_ns", "time"), ("xattrs", "attributes")),
)


def find(session, pattern, source, since):
    """Every entry that matches, by path and from old to new: {source, path, snapshot, time, complete, …, change}.

    `change`: `first`, `same` or `changed` (type, size or time), beside the snapshot before it that holds the path.
    """
    engine = session.engine()
    recognise(engine, session.memory, session.url)
    snapshots = engine.snapshots()
    good, by_id = complete_ids(snapshots), {s.id: s for s in snapshots if s.host == session.host and TAG in s.tags}
    found = []
    for snapshot_id, entry in engine.find(pattern, session.host, source):
        s = by_id.get(snapshot_id)
        # Manifests and runbooks are ours, not the source's.
        if s and entry["path"] not in _own(s):
            found.append(
                dict(entry, source=tag_value(s, "source"), snapshot=s.id, time=s.time, complete=s.id in good)
            )
    found.sort(key=lambda one: (one["source"] or "", one["path"], one["time"]))
    previous = None
    for one in found:
        one["change"] = _change(previous, one)
        previous = one
    return [one for one in found if not since or one["time"] >= since]


def _own(snapshot):
    path = manifest_path(snapshot)
    return (path, path[: -len(".jsonl")] + ".runbook.sh") if path else ()


def _change(before, one):
    if not before or (before["source"], before["path"]) != (one["source"], one["path"]):
        return "first"
    same = all(before[key] == one[key] for key in ("type", "size_bytes", "mtime"))
    return "same" if same else "changed"


def differences(before, after):
    """What became of each entry between two manifests (iterators of entries in the order of the walk).

    Yields {path, change: added, removed or changed, what: list of words}.
    """
    for old, new in merged(before, after, _order, _order):
        if old is None or new is None:
            entry = old or new
            yield {"path": _shown(entry), "change": "removed" if new is None else "added", "what": [entry["type"]]}
            continue
        what = [word for key, word in _COMPARED if old.get(key) != new.get(key)]
        if what:
            yield {"path": _shown(new), "change": "changed", "what": what}


def _order(entry):
    return tree.order(tree.raw(entry["path"]))


def _shown(entry):
    return tree.printable(entry["path"])


def diff(session, snapshot_id, other_id, live, scratch_dir):
    """{source, before, after (ids, or `live`), added, removed, changed (counts), differences (at most LISTED)}."""
    with session.working() as engine, session.scratch(scratch_dir) as scratch:
        recognise(engine, session.memory, session.url)
        mine = [s for s in engine.snapshots() if s.host == session.host and TAG in s.tags]
        first = _one(mine, snapshot_id)
        second = None if live else _one(mine, other_id) if other_id else _before(mine, first)
        older, newer = (first, None) if live else sorted((first, second), key=lambda s: (s.time, s.id))
        paths = [_fetched(engine, s, scratch, name) for s, name in ((older, "older"), (newer, "newer")) if s]
        if live and registry.KINDS[manifest.header_and_footer(paths[0])[0]["type"]].SPOOLS:
            raise BackupError("engine_failed", _NO_LIVE.format(tag_value(older, "source")))
        after = _live(session, paths[0]) if live else manifest.entries(paths[1])
        found = {"source": tag_value(older, "source"), "before": older.id, "after": "live" if live else newer.id}
        found.update(added=0, removed=0, changed=0, differences=[])
        for one in differences(manifest.entries(paths[0]), after):
            session.tick()
            found[one["change"]] += 1
            if len(found["differences"]) < LISTED:
                found["differences"].append(one)
    return found


_NO_LIVE = "What {0} dumps is on the host only while it is saved. Compare two snapshots, without --live."


def _one(snapshots, beginning):
    found = [s for s in snapshots if s.id.startswith(beginning)]
    if len(found) != 1:
        text = "{0} snapshot of this host has an id that begins with {1}. List them with roundsman backup list --all."
        raise BackupError("no_snapshot", text.format("No" if not found else "More than one", beginning))
    return found[0]


def _before(snapshots, snapshot):
    """The newest complete snapshot of the same source before one."""
    same = of_source(snapshots, snapshot.host, tag_value(snapshot, "source"))
    good = complete_ids(same)
    older = [s for s in same if s.id in good and (s.time, s.id) < (snapshot.time, snapshot.id)]
    if not older:
        raise BackupError("no_snapshot", "There is no complete snapshot before {0.short_id}.".format(snapshot))
    return older[-1]


def _fetched(engine, snapshot, scratch, name):
    directory = os.path.join(scratch, name)
    os.mkdir(directory, 0o700)
    return fetch_manifest(engine, snapshot, directory)


def _live(session, path):
    """Entries as a manifest of now would have them, of what the snapshot is of."""
    header, _footer = manifest.header_and_footer(path)
    excluded = compile_patterns([tree.raw(pattern) for pattern in header["excludes"]])
    one_file_system = bool((header.get("definition") or {}).get("one_file_system"))
    for found in tree.walk([tree.raw(one) for one in header["paths"]], b"", excluded, one_file_system):
        entry = entry_of(found, session.tick)
        if entry:
            yield entry
