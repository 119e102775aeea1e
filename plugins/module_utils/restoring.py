# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores a snapshot, or a part of it, into a directory or in place, and compares the result with the manifest."""

from __future__ import annotations

import os
import time

from . import clock, in_place, manifest, placing, tree
from .engines.base import BackupError, complete_ids, of_source
from .repository import recognise
from .session import timestamp
from .state import require_room
from .tree import normal, outermost
from .verification import compare_copy, entries_below, fetch_manifest


def blank(source, target, where):
    """The record of docs/records.md before anything is known. `target` is None for a restore in place."""
    return {
        "source": source,
        "snapshot": None,
        "time": None,
        "target": target,
        "where": where,
        "paths": [],
        "expected_entries": 0,
        "expected_bytes": 0,
        "entries": 0,
        "bytes": 0,
        "mismatches": [],
        "mismatch_count": 0,
        "changes": [],
        "change_count": None,
        "extra": [],
        "extra_count": 0,
        "deleted": 0,
        "stop": [],
        "gone": [],
        "obstacle": None,
        "unfinished": None,
        "safety": None,
        "done": [],
        "duration_s": 0,
        "reason": None,
    }


def restore(session, record, wish, check_mode):
    """Restore as `wish` (the module's arguments) says, unless that is there already: (changed, message)."""
    parts = outermost(normal(path) for path in wish["paths"])
    record["paths"] = [tree.text(part) for part in parts]
    with session.working() as engine:
        recognise(engine, session.memory, session.url)
        mine = of_source(engine.snapshots(), session.host, record["source"])
        snapshot = _find(mine, wish["snapshot"], wish["at"], record["source"])
        record.update(snapshot=snapshot.id, time=snapshot.time)
        with session.scratch(wish["scratch_dir"]) as scratch:
            path = fetch_manifest(engine, snapshot, scratch)
            _measure(path, parts, record)
            job = _Job(session, engine, record, wish, snapshot, path, parts)
            return job.in_place(scratch, check_mode) if wish["in_place"] else job.into_directory(check_mode)


class _Job:
    """One restore of one snapshot whose manifest lies at `path`."""

    def __init__(self, session, engine, record, wish, snapshot, path, parts):
        self._session, self._engine, self._record, self._wish = session, engine, record, wish
        self._snapshot, self._path, self._parts = snapshot, path, parts
        self._header, _footer = manifest.header_and_footer(path)
        self._roots = parts or [tree.raw(p) for p in self._header["paths"]]
        # What differs from the manifest in the copy that was compared last, because it changed during the backup.
        self._excused = frozenset()

    def into_directory(self, check_mode):
        target = self._record["target"]
        if self._already_there(target):
            return False, self._say(_ALREADY)
        if check_mode:
            return True, self._say(_WOULD)
        os.makedirs(target, 0o700, exist_ok=True)
        self._extract(target, _DIFFERS)
        return True, self._say(_RESTORED)

    def in_place(self, scratch, check_mode):
        record, header, look = self._record, self._header, None
        record["stop"] = self._wish["definition"].get("stop") or header["definition"].get("stop") or []
        putting = in_place.InPlace(self._session, self._engine, header, self._wish, record)
        if putting.source:
            if self._parts:
                raise BackupError("engine_failed", _WHOLE.format(header["type"]))
            putting.foresee()
        else:
            look = self._look
            live = look()
            if not live.differing and not (self._wish["delete"] and live.extra):
                return self._in_place_already(putting, check_mode)
        if check_mode:
            return True, self._say(_WOULD)
        with in_place.telling(self._session, record):
            putting.require_askable()
            require_room(scratch, record["expected_bytes"] + record["expected_entries"] * 4096, _NO_ROOM)
            copy = os.path.join(scratch, "copy")
            os.mkdir(copy, 0o700)
            self._extract(copy, _DAMAGED)
            putting.put(look, copy, self._require_equal if look else lambda: None)
        message = self._say(_RESTORED) + ": " + "; ".join(record["done"])
        if record["safety"]:
            message += ". What was there before comes back with: "
            message += in_place.undo(self._session, record, record["safety"])
        return True, message

    def _look(self):
        expected = entries_below(self._path, self._parts)
        above = [] if not self._parts else [entry for entry in manifest.entries(self._path) if self._is_above(entry)]
        return placing.look(self._session, self._header, expected, self._roots, self._record, above)

    def _is_above(self, entry):
        directory = tree.raw(entry["path"]).rstrip(b"/") + b"/"
        return entry["type"] == "dir" and any(part.startswith(directory) for part in self._parts)

    def _in_place_already(self, putting, check_mode):
        self._record.update(entries=self._record["expected_entries"], bytes=self._record["expected_bytes"])
        if putting.unfinished and not check_mode:
            with in_place.telling(self._session, self._record):
                putting.finish()
        return putting.unfinished, "; ".join([self._say(_SAME), *self._record["done"]])

    def _require_equal(self):
        if self._compared("/", self._excused):
            raise BackupError("restore_differs", self._say(_MOVED))

    def _extract(self, directory, text):
        try:
            self._engine.restore(self._snapshot.id, directory, self._roots)
        except BackupError as failure:
            if failure.reason in ("repository_damaged", "engine_failed") and self._compared(directory):
                raise BackupError("repository_damaged", self._say(text) + " " + failure.message) from failure
            raise
        if self._compared(directory):
            raise BackupError("repository_damaged", self._say(text))

    def _already_there(self, target):
        """Does the target equal the snapshot? Raises when it holds something else that may not be overwritten."""
        try:
            filled = bool(os.listdir(target))
        except FileNotFoundError:
            return False
        if not filled:
            return False
        if self._compared(target, frozenset()) == 0:
            return True
        if not self._wish["overwrite"]:
            raise BackupError("engine_failed", _NOT_EMPTY.format(target))
        return False

    def _compared(self, directory, excused=None):
        record = self._record
        base = "" if directory == "/" else directory
        found = compare_copy(self._session, self._snapshot, self._path, base, self._parts, excused)
        self._excused = found.changed
        record.update(entries=found.entries, bytes=found.bytes)
        record.update(mismatches=found.mismatches, mismatch_count=found.mismatch_count)
        return found.mismatch_count

    def _say(self, text):
        where = "in place on {0[where]}" if self._record["target"] is None else "to {0[target]} on {0[where]}"
        return text.format(self._record, self._session.host, where.format(self._record))


def _find(snapshots, wanted_id, at, source):
    good = complete_ids(snapshots)
    latest = timestamp(time.time() + clock.TOLERANCE_S)
    if wanted_id != "latest":
        # By its id even an incomplete one may be had: in need, most is better than nothing.
        found = [s for s in snapshots if s.id.startswith(wanted_id)]
    else:
        found = [s for s in snapshots if s.id in good and s.time <= latest and not (at and s.time > at)][-1:]
    if len(found) == 1:
        return found[0]
    wanted = "made at {0} or before".format(at) if at and wanted_id == "latest" else "that answers to " + wanted_id
    text = "{0} snapshot of {1} {2}. Nothing was restored. See them with: roundsman backup list --all."
    text = text.format("More than one" if found else "There is no", source, wanted)
    if any(s.time > latest for s in snapshots):
        text += _FUTURE
    raise BackupError("no_snapshot", text)


def _measure(path, parts, record):
    """What the manifest promises. Each wanted path must be in it, or nothing would be restored in silence."""
    lacking = {tree.text(part) for part in parts}
    for entry in entries_below(path, parts):
        lacking.discard(entry["path"])
        record["expected_entries"] += 1
        record["expected_bytes"] += entry.get("size", 0)
    if lacking:
        text = "Not in this snapshot: {0}. Nothing was restored."
        raise BackupError("no_snapshot", text.format(", ".join(sorted(lacking))))


_FUTURE = " Snapshots that this host's clock takes for future ones come back by their id only (--snapshot)."
_SAME = "{0[source]} of {1} is already what it was in snapshot {0[snapshot]:.8}"
_ALREADY = "{0[target]} already holds {0[source]} of {1}, snapshot {0[snapshot]:.8}"
_WOULD = "Would restore {0[source]} of {1}, snapshot {0[snapshot]:.8}, {2}"
_RESTORED = "Restored {0[source]} of {1}, snapshot {0[snapshot]:.8}, {2}: {0[entries]} entries equal the manifest"
_NOT_EMPTY = (
    "{0} is not empty and differs from the snapshot. Nothing was restored. Name an empty directory, or set overwrite "
    "to replace the files of the same name there."
)
_FIRST = (
    "{0[mismatch_count]} of {0[entries]} restored entries differ from the manifest, first {0[mismatches][0][path]}: "
    "{0[mismatches][0][problem]}."
)
_DIFFERS = _FIRST + " What was restored stays in {0[target]}; do not trust it blindly."
_DAMAGED = (
    _FIRST + " Nothing that is live was touched. Take an older snapshot (--at, --snapshot), or restore with --to and "
    "take from there what is good."
)
_MOVED = _FIRST + " The copy was equal: something writes there at this moment. Name its service in the source's stop."
_WHOLE = "A source of type {0} comes back as a whole only. Nothing was restored. Leave paths out, or restore with --to."
_NO_ROOM = (
    "{0} has {1} MiB free, the copy that is checked before it goes in place needs {2} MiB. Nothing was restored. Free "
    "space there, or set scratch_dir (roundsman_restore_scratch_dir) to a directory on a larger filesystem"
)
