# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Climbs the ladder of evidence for snapshots: stored, read, restored, proven."""

from __future__ import annotations

import os
import time
from collections import namedtuple

from . import checking, clock, manifest, rotation, tree
from .comparison import compare
from .describing import seen_changing
from .engines.base import BackupError, complete_ids, of_source, tag_value
from .proof import DAMAGE, prove
from .repository import recognise
from .session import seconds, timestamp
from .state import from_os_error, require_room

LEVELS = ("stored", "read", "restored", "proven")


def blank(source, snapshot, wanted):
    """A verification of docs/records.md before anything is known: that is `unknown`."""
    return {
        "source": source,
        "snapshot": snapshot,
        "wanted": wanted,
        "level": None,
        "failed_level": LEVELS[0],
        "parts": None,
        "parts_read": None,
        "outcome": "unknown",
        "reason": None,
        "message": "",
        "entries": 0,
        "bytes": 0,
        "mismatches": [],
        "mismatch_count": 0,
        "changed_during_backup": 0,
        "where": None,
        "findings": [],
        "canary_at": None,
        "restore_s": None,
        "drill_s": None,
        "duration_s": 0,
        "time": None,
    }


# wanted (level), read_days (in how many days all data are to be read), where (name of the host that looks), scratch_dir
# (or None), self_test (must a drill be able to fail?)
Wish = namedtuple("Wish", "wanted read_days where scratch_dir self_test")


def verify(session, wish, sources, snapshot_ids):
    """Verify the newest complete snapshot of each source, or the given snapshots: a list of verifications."""
    wanted = wish.wanted
    records = [blank(source, None, wanted) for source in sources] + [blank(None, s, wanted) for s in snapshot_ids]
    try:
        with session.working() as engine:
            repository_id = recognise(engine, session.memory, session.url)
            everything = engine.snapshots()
            chosen = _choose(records, everything, session.host)
            if chosen:
                _climb(session, engine, wish, chosen, repository_id)
    except BackupError as failure:
        _settle(session, [r for r in records if not r["reason"] and r["outcome"] != "ok"], failure)
    except OSError as error:
        failure = from_os_error("the verification", error.filename or "?", error)
        _settle(session, [r for r in records if not r["reason"] and r["outcome"] != "ok"], failure)
    return [_finished(session, wish, record) for record in records]


def _choose(records, everything, host):
    """Find the snapshot for each record; pairs (record, Snapshot) of those that exist."""
    good = complete_ids(everything)
    latest = timestamp(time.time() + clock.TOLERANCE_S)
    chosen = []
    for record in records:
        if record["snapshot"]:
            found = [s for s in everything if s.id.startswith(record["snapshot"]) and s.host == host]
            lack = "no snapshot of this host has the id {0}".format(record["snapshot"])
        else:
            found = [s for s in of_source(everything, host, record["source"]) if s.id in good and s.time <= latest][-1:]
            lack = "the repository holds no complete snapshot of this source"
        if len(found) != 1:
            record.update(reason="no_snapshot", message=lack + ". Make a backup first")
            continue
        record.update(snapshot=found[0].id, source=tag_value(found[0], "source"))
        if found[0].id in good:
            chosen.append((record, found[0]))
        else:
            record.update(
                outcome="damaged",
                reason="source_unreadable",
                message="it is marked incomplete: files could not be read",
            )
    return chosen


def _climb(session, engine, wish, chosen, repository_id):
    started = time.monotonic()
    seen = checking.look(session, engine, repository_id, None if wish.wanted == "stored" else wish.read_days)
    for record, snapshot in chosen:
        _reach_what_was_seen(record, snapshot, seen)
    if seen.failure:
        _settle(session, [record for record, _snapshot in chosen], seen.failure)
        return
    shared_s = time.monotonic() - started
    for record, snapshot in chosen:
        started = time.monotonic()
        if wish.wanted in ("restored", "proven"):
            _restore_and_compare(session, engine, wish, record, snapshot)
        else:
            record.update(outcome="ok", failed_level=None)
        record["duration_s"] = round(shared_s + time.monotonic() - started, 3)


def _reach_what_was_seen(record, snapshot, seen):
    """`read` is reached when all data were read since the snapshot was made."""
    level = seen.level
    if seen.reading:
        record["parts"] = seen.reading["of"]
        since = 0 if seen.whole else seconds(snapshot.time)
        record["parts_read"] = rotation.parts_read(seen.reading, since, time.time())
        if level == "read" and record["parts_read"] < record["parts"]:
            level = "stored"
    if level:
        record.update(level=level, failed_level=LEVELS[LEVELS.index(level) + 1])


def _settle(session, records, failure):
    """Write a failure into records: damage speaks against a snapshot, all else means that we could not look."""
    outcome = "damaged" if failure.reason in DAMAGE else "unknown"
    for record in records:
        record.update(outcome=outcome, reason=failure.reason, message=session.redact(failure.message))


def _restore_and_compare(session, engine, wish, record, snapshot):
    record["failed_level"] = "restored"
    try:
        with session.scratch(wish.scratch_dir) as scratch:
            path = fetch_manifest(engine, snapshot, scratch)
            header, footer = manifest.header_and_footer(path)
            require_room(scratch, footer["bytes"] + footer["entries"] * 4096, _NO_ROOM)
            copy = os.path.join(scratch, "copy")
            os.mkdir(copy, 0o700)
            started = time.monotonic()
            failure = _restore(engine, snapshot, copy)
            record["restore_s"] = round(time.monotonic() - started, 3)
            found = compare_copy(session, snapshot, path, copy)
            _judge(session, record, found, failure)
            if wish.wanted == "proven" and record["outcome"] == "ok":
                prove(session, record, header, copy, wish.self_test)
                record["drill_s"] = round(time.monotonic() - started, 3)
    except BackupError as failure:
        _settle(session, [record], failure)
    except OSError as error:
        _settle(session, [record], from_os_error("the verification", error.filename or "?", error))


def _restore(engine, snapshot, copy):
    """Restore; a failure that may be damage is returned, so that the comparison can say which files it hit."""
    try:
        engine.restore(snapshot.id, copy, ())
    except BackupError as failure:
        if failure.reason not in ("repository_damaged", "engine_failed"):
            raise
        return failure
    return None


def manifest_path(snapshot):
    """Where the manifest lies in a snapshot."""
    ending = "/manifests/{0}.jsonl".format(tag_value(snapshot, "source"))
    return next((path for path in snapshot.paths if path.endswith(ending)), None)


def fetch_manifest(engine, snapshot, scratch):
    inside = manifest_path(snapshot)
    if not inside:
        raise BackupError("repository_damaged", "the snapshot holds no manifest")
    path = os.path.join(scratch, "manifest.jsonl")
    with open(path, "wb") as stream:
        engine.dump(snapshot.id, inside, stream)
    if manifest.file_sha256(path) != tag_value(snapshot, "manifest"):
        raise BackupError(
            "repository_damaged",
            "the manifest in the snapshot is not the one that was saved: its SHA-256 differs from the snapshot's tag",
        )
    return path


_NO_ROOM = (
    "{0} has {1} MiB free, restoring needs {2} MiB. Nothing was restored or judged. Free space there, or set "
    "scratch_dir to a directory on a larger filesystem"
)


def compare_copy(session, snapshot, path, copy, parts=(), excused=None):
    """Compare what lies below `copy` with the manifest at `path`; `parts` (bytes) limits both to these paths.

    What changed during the backup is what the host saw, and what the copy shows; of a copy that others may have worked
    on since it is only `excused`, paths (str) that an untouched one showed.
    """
    header, _footer = manifest.header_and_footer(path)
    base = os.fsencode(copy)
    inside = tree.raw(manifest_path(snapshot))
    expected = entries_below(path, parts)
    restored = tree.walk(parts or [tree.raw(p) for p in header["paths"]], base, lambda p: p == inside)
    taken_at_ns, changed = None, excused
    if excused is None:
        taken_at_ns = header["taken_at_ns"]
        changed = seen_changing(session.state, session.url, header["source"], tag_value(snapshot, "manifest"))
    return compare(expected, restored, base, taken_at_ns, changed, os.geteuid() == 0, session.tick)


def entries_below(path, parts):
    """The entries of the manifest at `path`; with `parts` (bytes) those below them, as if there were no others."""
    for entry in manifest.entries(path):
        if parts and not is_below(entry, parts):
            continue
        if parts and "hard_link_of" in entry and not is_below({"path": entry["hard_link_of"]}, parts):
            del entry["hard_link_of"]
        yield entry


def is_below(entry, parts):
    """Whether an entry of a manifest is one of `parts` (bytes) or lies below one."""
    path = tree.raw(entry["path"])
    return any((path + b"/").startswith(part.rstrip(b"/") + b"/") for part in parts)


def _judge(session, record, found, failure):
    record.update(
        entries=found.entries,
        bytes=found.bytes,
        mismatches=found.mismatches,
        mismatch_count=found.mismatch_count,
        changed_during_backup=len(found.changed),
    )
    if found.mismatch_count:
        text = "{0} of {1} restored entries differ from the manifest, first {2[path]}: {2[problem]}"
        message = text.format(found.mismatch_count, found.entries, found.mismatches[0])
        message += ". " + failure.message if failure else ""
        _settle(session, [record], BackupError("repository_damaged", message))
    elif failure:
        _settle(session, [record], failure)
    else:
        record.update(outcome="ok", level="restored", failed_level=None)


def _finished(session, wish, record):
    record["where"] = wish.where
    record["time"] = timestamp(time.time())
    record["duration_s"] = record["duration_s"] or session.elapsed()
    where = "{0} of {1}, snapshot {2}".format(record["source"] or "?", session.host, (record["snapshot"] or "none")[:8])
    if record["outcome"] == "ok":
        record["message"] = "{0}: {1}".format(where, record["level"])
        if record["parts"] != record["parts_read"]:
            record["message"] += _IN_PARTS.format(record)
    else:
        text = "{0}: {1} at level {2}: {3}"
        record["message"] = text.format(where, record["outcome"], record["failed_level"], record["message"])
    return record


_IN_PARTS = ", and {0[parts_read]} of {0[parts]} parts of the repository's data were read since it was made"
