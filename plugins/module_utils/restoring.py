# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores a snapshot, or a part of it, into a directory and compares the result with the manifest."""

from __future__ import annotations

import os

from . import manifest, tree
from .engines.base import BackupError, complete_ids, of_source
from .repository import recognise
from .tree import normal, outermost
from .verification import compare_copy, fetch_manifest


def blank(source, target):
    """The record of docs/records.md before anything is known."""
    return {
        "source": source,
        "snapshot": None,
        "time": None,
        "target": target,
        "entries": 0,
        "bytes": 0,
        "mismatches": [],
        "mismatch_count": 0,
        "duration_s": 0,
        "reason": None,
    }


def restore(session, record, wanted_id, paths, overwrite, check_mode, scratch_dir):
    """Restore into `record["target"]` unless it already equals the manifest: (changed, message)."""
    parts = outermost(normal(path) for path in paths)
    with session.working() as engine:
        recognise(engine, session.memory, session.url)
        snapshot = _find(of_source(engine.snapshots(), session.host, record["source"]), wanted_id, record["source"])
        record.update(snapshot=snapshot.id, time=snapshot.time)
        with session.scratch(scratch_dir) as scratch:
            path = fetch_manifest(engine, snapshot, scratch)
            _require(path, parts)

            def compared(strict):
                return _compare(session, record, snapshot, path, parts, strict)

            if _already_there(record["target"], compared, overwrite):
                return False, _ALREADY.format(record, session.host)
            if check_mode:
                return True, _WOULD.format(record, session.host)
            _restore(engine, record, path, parts, compared)
    return True, _RESTORED.format(record, session.host)


def _restore(engine, record, path, parts, compared):
    header, _footer = manifest.header_and_footer(path)
    os.makedirs(record["target"], 0o700, exist_ok=True)
    try:
        engine.restore(record["snapshot"], record["target"], parts or [tree.raw(p) for p in header["paths"]])
    except BackupError as failure:
        if failure.reason in ("repository_damaged", "engine_failed") and compared(strict=False):
            raise BackupError("repository_damaged", _DIFFERS.format(record) + " " + failure.message) from failure
        raise
    if compared(strict=False):
        raise BackupError("repository_damaged", _DIFFERS.format(record))


def _already_there(target, compared, overwrite):
    """Does the target equal the snapshot? Raises when it holds something else that may not be overwritten."""
    try:
        filled = bool(os.listdir(target))
    except FileNotFoundError:
        return False
    if not filled:
        return False
    if compared(strict=True) == 0:
        return True
    if not overwrite:
        raise BackupError("engine_failed", _NOT_EMPTY.format(target))
    return False


def _find(snapshots, wanted_id, source):
    good = complete_ids(snapshots)
    if wanted_id == "latest":
        found = [s for s in snapshots if s.id in good][-1:]
    else:
        # By its id even an incomplete one may be had: in need, most is better than nothing.
        found = [s for s in snapshots if s.id.startswith(wanted_id)]
    if len(found) != 1:
        text = "{0} snapshot of {1} answers to '{2}'. Nothing was restored. List them with the module backup_info."
        raise BackupError("no_snapshot", text.format("No" if not found else "More than one", source, wanted_id))
    return found[0]


def _require(path, parts):
    """Each wanted path must be in the manifest, or nothing would be restored in silence."""
    if not parts:
        return
    lacking = {tree.text(part) for part in parts}
    for entry in manifest.entries(path):
        lacking.discard(entry["path"])
    if lacking:
        text = "Not in this snapshot: {0}. Nothing was restored."
        raise BackupError("no_snapshot", text.format(", ".join(sorted(lacking))))


def _compare(session, record, snapshot, path, parts, strict):
    found = compare_copy(session, snapshot, path, record["target"], parts, strict)
    record.update(entries=found.entries, bytes=found.bytes)
    record.update(mismatches=found.mismatches, mismatch_count=found.mismatch_count)
    return found.mismatch_count


_ALREADY = "{0[target]} already holds {0[source]} of {1}, snapshot {0[snapshot]:.8}"
_WOULD = "Would restore {0[source]} of {1}, snapshot {0[snapshot]:.8}, to {0[target]}"
_RESTORED = (
    "Restored {0[source]} of {1}, snapshot {0[snapshot]:.8}, to {0[target]}: {0[entries]} entries equal the manifest"
)
_NOT_EMPTY = (
    "{0} is not empty and differs from the snapshot. Nothing was restored. Name an empty directory, or set overwrite "
    "to replace the files of the same name there."
)
_DIFFERS = (
    "{0[mismatch_count]} of {0[entries]} restored entries differ from the manifest, first {0[mismatches][0][path]}: "
    "{0[mismatches][0][problem]}. What was restored stays in {0[target]}; do not trust it blindly."
)
