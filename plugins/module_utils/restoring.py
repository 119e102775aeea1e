# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores a snapshot, or a part of it, into a directory and compares the result with the manifest."""

from __future__ import annotations

import os

from . import manifest, tree
from .engines.base import BackupFailure, complete_ids, of_source
from .repository import recognise
from .tree import normal, outermost
from .verification import compare_copy, fetch_manifest


def blank(source, target):
    """The record of docs/records.md before anything is known."""
    return {
        "source": source, "snapshot": None, "time": None, "target": target, "entries": 0, "bytes": 0,
        "mismatches": [], "mismatch_count": 0, "duration_s": 0, "reason": None,
    }


def restore(session, record, wanted_id, paths, overwrite, check_mode, scratch_dir):
    """Restore into `record["target"]` unless it already equals the manifest: (changed, message)."""
    target = record["target"]
    with session.working() as engine:
        recognise(engine, session.memory, session.url)
        snapshot = _find(of_source(engine.snapshots(), session.host, record["source"]), wanted_id, record["source"])
        record.update(snapshot=snapshot.id, time=snapshot.time)
        with session.scratch(scratch_dir) as scratch:
            path = fetch_manifest(engine, snapshot, scratch)
            header, _footer = manifest.header_and_footer(path)
            parts = outermost(normal(path) for path in paths or ())
            _require(path, parts)
            if _filled(target):
                if _compare(session, record, snapshot, path, header, parts, strict=True) == 0:
                    return False, "{0} already holds {1}, snapshot {2}".format(target, record["source"], snapshot.short_id)
                if not overwrite:
                    raise BackupFailure("engine_failed", _NOT_EMPTY.format(target))
            if check_mode:
                text = "Would restore {0} of {1}, snapshot {2}, to {3}"
                return True, text.format(", ".join(paths or header["paths"]), record["source"], snapshot.short_id, target)
            os.makedirs(target, 0o700, exist_ok=True)
            engine.restore(snapshot.id, target, parts or [tree.raw(p) for p in header["paths"]])
            if _compare(session, record, snapshot, path, header, parts, strict=False):
                raise BackupFailure("repository_damaged", _DIFFERS.format(record, target))
    text = "Restored {0} of {1}, snapshot {2}, to {3}: {4} entries equal the manifest"
    return True, text.format(record["source"], session.host, snapshot.short_id, target, record["entries"])


def _find(snapshots, wanted_id, source):
    good = complete_ids(snapshots)
    if wanted_id == "latest":
        found = [s for s in snapshots if s.id in good][-1:]
    else:
        # By its id even an incomplete one may be had: in need, most is better than nothing.
        found = [s for s in snapshots if s.id.startswith(wanted_id)]
    if len(found) != 1:
        text = "{0} snapshot of {1} answers to '{2}'. Nothing was restored. List them with the module backup_info."
        raise BackupFailure("no_snapshot", text.format("No" if not found else "More than one", source, wanted_id))
    return found[0]


def _require(path, parts):
    """Each wanted path must be in the manifest, or nothing would be restored in silence."""
    if not parts:
        return
    lacking = {tree.text(part) for part in parts}
    for entry in manifest.entries(path):
        lacking.discard(entry["path"])
    if lacking:
        raise BackupFailure("no_snapshot", "Not in this snapshot: {0}. Nothing was restored.".format(", ".join(sorted(lacking))))


def _filled(target):
    try:
        return bool(os.listdir(target))
    except FileNotFoundError:
        return False


def _compare(session, record, snapshot, path, header, parts, strict):
    found = compare_copy(session, snapshot, path, header, record["target"], parts, strict)
    record.update(entries=found.entries, bytes=found.bytes, mismatches=found.mismatches, mismatch_count=found.mismatch_count)
    return found.mismatch_count


_NOT_EMPTY.format(target))
            if check_mode:
                text = "Would restore {0} of {1}, snapshot {2}, to {3}"
                return True, text.format(", ".join(paths or header["paths"]), record["source"], snapshot.short_id, target)
            os.makedirs(target, 0o700, exist_ok=True)
            engine.restore(snapshot.id, target, parts or [tree.raw(p) for p in header["paths"]])
            if _compare(session, record, snapshot, path, header, parts, strict=False):
                raise BackupFailure("repository_damaged", _DIFFERS.format(record, target))
    text = "Restored {0} of {1}, snapshot {2}, to {3}: {4} entries equal the manifest"
    return True, text.format(record["source"], session.host, snapshot.short_id, target, record["entries"])


def _find(snapshots, wanted_id, source):
    good = complete_ids(snapshots)
    if wanted_id == "latest":
        found = [s for s in snapshots if s.id in good][-1:]
    else:
        # By its id even an incomplete one may be had: in need, most is better than nothing.
        found = [s for s in snapshots if s.id.startswith(wanted_id)]
    if len(found) != 1:
        text = "{0} snapshot of {1} answers to '{2}'. Nothing was restored. List them with the module backup_info."
        raise BackupFailure("no_snapshot", text.format("No" if not found else "More than one", source, wanted_id))
    return found[0]


def _require(path, parts):
    """Each wanted path must be in the manifest, or nothing would be restored in silence."""
    if not parts:
        return
    lacking = {tree.text(part) for part in parts}
    for entry in manifest.entries(path):
        lacking.discard(entry["path"])
    if lacking:
        raise BackupFailure("no_snapshot", "Not in this snapshot: {0}. Nothing was restored.".format(", ".join(sorted(lacking))))


def _filled(target):
    try:
        return bool(os.listdir(target))
    except FileNotFoundError:
        return False


def _compare(session, record, snapshot, path, header, part):
    found = compare_copy(session, snapshot, path, header, record["target"], part)
    record.update(entries=found.entries, bytes=found.bytes, mismatches=found.mismatches, mismatch_count=found.mismatch_count)
    return found.mismatch_count


_NOT_EMPTY = (
    "{0} is not empty and differs from the snapshot. Nothing was restored. Name an empty directory, or set overwrite to "
    "replace the files of the same name there."
)
_DIFFERS = (
    "{0[mismatch_count]} of {0[entries]} restored entries differ from the manifest, first {0[mismatches][0][path]}: "
    "{0[mismatches][0][problem]}. What was restored stays in {1}; do not trust it blindly."
)
