# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes one backup of one source: manifest, engine, a second look, and an honest record of it all."""

from __future__ import annotations

import contextlib
import functools
import os
import time

from . import clock, tree, unjudged
from .describing import describing, forget_changes, look_again, walk
from .engines.base import COMPLETE, INCOMPLETE, SAFETY, TAG, BackupError, Snapshot, complete_ids, of_source, tag_value
from .engines.patterns import literal
from .helper import Helper
from .repository import key, open_or_create, recognise
from .runbook import runbook
from .session import seconds
from .sources import registry
from .sources.plan import own_tags, plan_of
from .state import replace_file

SHOWN = 10


def blank(host, repository, spec, backup_type):
    """The record of docs/records.md before anything is known."""
    return {
        "source": spec.get("id"),
        "type": spec.get("type", "files"),
        "host": host,
        "repository": repository,
        "engine": None,
        "backup_type": backup_type,
        "snapshot": None,
        "parent": None,
        "time": None,
        "files": 0,
        "total_bytes": 0,
        "added_bytes": 0,
        "duration_s": 0,
        "manifest_sha256": None,
        "manifest_entries": 0,
        "warnings": [],
        "plan": plan_of(spec),
        "due_at": None,
        "reason": None,
        "snapshots": [],
    }


def listed(snapshots):
    """Snapshots as the record lists them."""
    good = complete_ids(snapshots)
    return [
        dict(
            s.sizes,
            id=s.id,
            time=s.time,
            manifest_sha256=tag_value(s, "manifest"),
            complete=s.id in good,
            tags=own_tags(s.tags),
        )
        for s in snapshots
    ]


def some(paths):
    """A few of many paths, for a message."""
    shown = [tree.printable(p) for p in paths[:SHOWN]]
    rest = len(paths) - len(shown)
    return ", ".join(shown) + (" and {0} more".format(rest) if rest > 0 else "")


def look(session, spec, record):
    """Check mode: what a backup would read, without touching the repository."""
    source = registry.source_of(spec)
    # A dump takes the place of the one that a backup may be saving at this moment.
    with session.working(spec["id"]) if source.SPOOLS else contextlib.nullcontext(session.engine()) as engine:
        return _look(session, engine, source, spec, record)


def _look(session, engine, source, spec, record):
    try:
        prepared = source.prepare(session.effects())
        record["warnings"] = list(prepared.warnings)
        for found in walk(prepared):
            session.tick()
            record["manifest_entries"] += 1
            if found.info and tree.type_of(found.info.st_mode) == "file":
                record["files"] += 1
                record["total_bytes"] += found.info.st_size
    finally:
        source.cleanup()
    record["engine"] = {"name": engine.name, "version": engine.version}
    try:
        recognise(engine, session.memory, session.url)
        repository = "the repository is there"
    except BackupError as failure:
        if (
            failure.reason != "repository_missing"
            or session.memory.known(session.url)
            or not session.module.params["initialize"]
        ):
            raise
        repository = "a new repository would be made"
    text = "Would back up {0} entries of {1} with {2} bytes to {3}; {4}"
    return text.format(record["manifest_entries"], spec["id"], record["total_bytes"], session.repository, repository)


def back_up(session, spec, record):
    """Make the backup; returns the message for a person. Fills `record` as far as it gets, also when it fails."""
    with session.working(spec["id"]) as engine:
        record["engine"] = {"name": engine.name, "version": engine.version}
        source = registry.source_of(spec)

        @functools.lru_cache(maxsize=None)
        def opened():
            made = open_or_create(engine, session.memory, session.url, session.module.params["initialize"])
            return [_MADE.format(session.repository)] if made else []

        try:
            prepared = source.prepare(session.effects())
            return _save_calmly(session, engine, spec, prepared, record, opened)
        finally:
            source.cleanup()


def _save_calmly(session, engine, spec, prepared, record, opened):
    """Save, and save again as often as the source wants it while files still moved; each time is a whole snapshot."""
    retries = spec.get("retries", 0)
    for left in range(retries, -1, -1):
        record["warnings"] = list(prepared.warnings)
        message, moved = _save(session, engine, spec, prepared, record, opened)
        if moved:
            again = " in all of {0} attempts".format(retries + 1) if retries else ""
            record["warnings"].append("changed or vanished while the backup ran{0}: {1}".format(again, some(moved)))
        if not moved or not left:
            break
    return message


def save_aside(session, engine, spec, record):
    """A snapshot of what is there now, before it is overwritten. It counts as no backup: only its id leads to it."""
    source = registry.source_of(spec)
    with session.alone(spec["id"]):
        try:
            message, _moved = _save(session, engine, spec, source.prepare(session.effects()), record, list, SAFETY)
            return message
        finally:
            source.cleanup()


def _save(session, engine, spec, prepared, record, opened, mark=COMPLETE):
    """`opened` opens the repository, as far as it is not, and returns what to warn of."""
    with describing(session, spec, prepared, record["backup_type"] == "incremental") as described:
        record["warnings"] += opened()
        parents_manifest = _look_at_repository(session, engine, spec, record)
        written, taken_at_ns = described(parents_manifest)
    record["manifest_sha256"], record["manifest_entries"] = written.sha256, written.entries
    tags = [TAG, "source=" + spec["id"], "manifest=" + written.sha256, INCOMPLETE if written.unreadable else mark]
    tags += spec.get("tags", [])
    own = [os.fsencode(session.state.manifest(spec["id"])), os.fsencode(_write_runbook(session, spec))]
    # They lie in the excluded state directory; the last word takes them back in, whatever came before.
    excludes = [*prepared.excludes, *(b"!" + literal(file) for file in own)]
    unjudged.begin(session, spec["id"], written.sha256)
    saved = engine.save(
        [*prepared.paths, *own], excludes, session.host, tags, record["parent"], prepared.one_file_system
    )
    if written.sockets:
        record["warnings"].append("sockets are made by programs and not saved: " + some(written.sockets))
    record.update(files=saved.files, total_bytes=saved.total_bytes, added_bytes=saved.added_bytes)
    marked = bool(saved.unreadable) and not written.unreadable
    if marked:
        engine.mark_incomplete(saved.snapshot)
    else:
        unjudged.end(session, spec["id"])
    with Helper(lambda _request: engine.snapshots(), session.processors() > 1) as helper:
        helper.ask()
        moved = look_again(session, spec["id"], written, taken_at_ns)
        after = [Snapshot(*one) for one in helper.answer(session.tick, engine.snapshots)]
    _find_saved(session, spec, saved, record, of_source(after, session.host, spec["id"]))
    said = _require_marked(session, spec, record) if marked else _IS_MARKED
    unreadable = sorted(set(written.unreadable) | set(saved.unreadable))
    if unreadable:
        raise BackupError(
            "source_unreadable",
            _UNREADABLE.format(len(unreadable), spec["id"], some(unreadable), record["snapshot"][:8], said),
        )
    text = "Backed up {0} of {1}: {2} entries, {3} bytes, {4} new, snapshot {5}"
    message = text.format(
        spec["id"], session.host, written.entries, saved.total_bytes, saved.added_bytes, record["snapshot"][:8]
    )
    return message, sorted({*moved, *saved.vanished})


def _require_marked(session, spec, record):
    """Whether the mark is there decides whether the next backup has to make it; what to tell of it, in words."""
    (mine,) = (one for one in record["snapshots"] if one["id"] == record["snapshot"])
    if mine["complete"]:
        mine["complete"] = False
        return _NOT_MARKED
    unjudged.end(session, spec["id"])
    return _IS_MARKED


def _look_at_repository(session, engine, spec, record):
    """Fill `record` with what was there before, and with the parent; the hash of the parent's manifest, or None."""
    before, warnings = unjudged.settle(
        session, engine, spec["id"], of_source(engine.snapshots(), session.host, spec["id"])
    )
    record["warnings"] += warnings
    record["snapshots"] = listed(before)
    _judge_clock(session, before, record)
    good = [s for s in record["snapshots"] if s["complete"]]
    parent = good[-1] if good and record["backup_type"] == "incremental" else {"id": None, "manifest_sha256": None}
    record["parent"] = parent["id"]
    return parent["manifest_sha256"]


def _judge_clock(session, before, record):
    controller_s = session.module.params.get("controller_time_s")
    if controller_s is not None:
        # What the clock said when the module began, whatever took its time since.
        began_s = time.time() - session.elapsed()
        warning = clock.judge(began_s, controller_s, [seconds(s.time) for s in before])
        record["warnings"] += [warning] if warning else []


def _write_runbook(session, spec):
    """So that whoever has nothing but the repository and its password knows what to do; its path."""
    access = {
        "repository": session.repository,
        "password": "what this was read with",
        "environment": sorted(session.module.params["environment"]),
    }
    source = {"source": spec["id"], "type": spec.get("type", "files")}
    path = session.state.runbook(spec["id"])
    replace_file(path, runbook(session.host, access, [source]))
    return path


def _find_saved(session, spec, saved, record, after):
    record["snapshots"] = listed(after)
    forget_changes(
        session.state.changes(key(session.url), spec["id"]), {s["manifest_sha256"] for s in record["snapshots"]}
    )
    mine = [s for s in after if s.id.startswith(saved.snapshot) or (s.original or "").startswith(saved.snapshot)]
    if not mine:
        raise BackupError(
            "engine_failed", "restic reported snapshot {0}, but the repository does not list it.".format(saved.snapshot)
        )
    record["snapshot"], record["time"] = mine[-1].id, mine[-1].time


_MADE = "a new repository was made at {0}: keep its password safe"
_UNREADABLE = (
    "{0} entries of {1} could not be read and are not in the backup: {2}. Snapshot {3} holds the rest; {4}. "
    "Give read access (become), or add them to excludes."
)
_IS_MARKED = "it is marked incomplete and does not count"
_NOT_MARKED = "it could not be marked incomplete, which the next backup does: until then do not restore it"
