# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Puts a checked copy back to where it came from, so that whatever happens can be told and undone.

Live data are touched only after the copy was found equal to its manifest and what is there now lies in a safety
snapshot. What is proven to be gone needs none; an application that cannot be asked proves nothing.
"""

from __future__ import annotations

import contextlib
import os

from . import tree
from .backing_up import blank, save_aside
from .engines.base import BackupError
from .placing import put_files
from .sources import registry
from .state import from_os_error
from .unfinished import Note
from .units import start_again, stopped

# Questions to the data that were good; what is spoilt may have no answer, and is still to be saved.
_QUESTIONS = ("canary", "check")


def loads(header):
    """Whether the source's kind puts its data back itself, as databases do."""
    return hasattr(registry.KINDS[header["type"]], "put_back")


class InPlace:
    """One restore in place. `source` is None for plain files; `unfinished` is whether an earlier one was not ended."""

    def __init__(self, session, engine, header, wish, record):
        self._session, self._engine, self._header = session, engine, header
        self._wish, self._record, self._done = wish, record, record["done"]
        self._effects = session.effects()
        self.source = self._declared() if loads(header) else None
        self._note = Note(session, record)
        self.unfinished = bool(self._note.left)
        record["unfinished"] = self._note.left or None
        if self.unfinished:
            self._done.append(self._left())

    def _declared(self):
        """The source as it is declared today, or as it was when it was saved."""
        source = registry.source_of(self._merged())
        by_hand = getattr(source, "by_hand", None)
        if by_hand:
            raise BackupError("engine_failed", by_hand.format(self._header["source"]))
        return source

    def _merged(self):
        """As it is declared today; but which databases are replaced, and so saved before, is said by the snapshot."""
        then, today = self._header["definition"], self._wish["definition"]
        merged = {**then, **today}
        merged.pop("database", None)
        return dict(merged, database=then["database"]) if "database" in then else merged

    def _left(self):
        left = self._note.left
        words = _UNFINISHED.format(left)
        if left["stopped"]:
            words += ", and had stopped {0}".format(", ".join(left["stopped"]))
        if left["safety"]:
            before = undo(self._session, self._record, left["safety"])
            words += " (what was there before that comes back with: {0})".format(before)
        return words

    def foresee(self):
        """Say before anything is done what is gone, and whether what is there can be saved at all."""
        if not (self._wish["safety"] and hasattr(self.source, "remains")):
            return
        try:
            _definition, self._record["gone"] = self.source.remains(self._effects)
        except BackupError as failure:
            self._record["obstacle"] = failure.message

    def require_askable(self):
        if self._record["obstacle"]:
            raise BackupError("dump_failed", _NO_SAFETY.format(self._record["obstacle"]))

    def finish(self):
        """Nothing has to be overwritten: end only what an earlier restore left."""
        words = start_again(self._effects, self._note, self._done)
        if words:
            raise BackupError("service_failed", words)
        self._note.forget()

    def put(self, look, copy, require_equal):
        """Replace what is live by the copy and call `require_equal` before services start again.

        `look`, for plain files, returns the Live: only when nobody writes any more. A service does so when it stops.
        """
        ended_well = False
        try:
            with stopped(self._effects, self._note, self._record["stop"], self._done):
                self._overwrite(look() if look else None, copy)
                require_equal()
            ended_well = True
        finally:
            self._note.close(ended_well)

    def _overwrite(self, live, copy):
        try:
            if self.source:
                copy += self._header["paths"][0] if self.source.SPOOLS else ""
            if hasattr(self.source, "settle"):
                self._done += self.source.settle(copy, self._effects)
            if self._wish["safety"]:
                self._save_aside()
            self._note.write(touched=True)
            if self.source:
                self._done.append("began to put the copy back")
                values = (self._header["expectations"] or {"values": {}})["values"]
                self._done[-1:] = self.source.put_back(copy, values, self._effects)
            else:
                put_files(self._session, live, os.fsencode(copy), self._wish["delete"], self._record)
        except OSError as error:
            raise from_os_error("the restore", error.filename or "?", error) from error

    def _save_aside(self):
        definition = self._what_is_there()
        if definition is None:
            self._done.append("nothing was there that needed a safety snapshot" + _list(self._record["gone"]))
            return
        made = blank(self._session.host, self._session.repository, definition, "incremental")
        try:
            save_aside(self._session, self._engine, definition, made)
        except BackupError as failure:
            if failure.reason == "source_missing":
                self._done.append("nothing was there that needed a safety snapshot: " + failure.message)
                return
            raise BackupError(failure.reason, _NO_SAFETY.format(failure.message)) from failure
        self._note.write_safety(made["snapshot"])
        self._record["safety"] = made["snapshot"]
        text = "saved what was there as safety snapshot {0:.8}" + _list(self._record["gone"])
        self._done.append(text.format(made["snapshot"]))

    def _what_is_there(self):
        """The definition of the safety snapshot; None when nothing is left."""
        spec = dict(self._header["definition"])
        if not self.source:
            # What the snapshot covers, not what is declared today: that is what gets overwritten.
            roots = [tree.raw(path) for path in self._record["paths"] or self._header["paths"]]
            spec["paths"] = [tree.text(path) for path in roots if os.path.lexists(path)]
            return spec if spec["paths"] else None
        spec = self._merged()
        if hasattr(self.source, "remains"):
            spec, self._record["gone"] = self.source.remains(self._effects)
        return {key: spec[key] for key in spec if key not in _QUESTIONS} if spec else None


def _list(gone):
    return ": {0}".format("; ".join(gone)) if gone else ""


@contextlib.contextmanager
def telling(session, record):
    """A failure inside says as well what was done until then, and how to undo it."""
    try:
        yield
    except BackupError as failure:
        if record["done"]:
            failure.message += " Done until then: {0}.".format("; ".join(record["done"]))
        if record["safety"]:
            failure.message += " What was there before comes back with: " + undo(session, record, record["safety"])
        raise


def undo(session, record, snapshot):
    """The command that brings back what a safety snapshot holds."""
    there = "" if record["where"] == session.host else " --on " + record["where"]
    return "roundsman restore {0} --source {1[source]} --snapshot {2:.8} --in-place{3}".format(
        session.host, record, snapshot, there
    )


_UNFINISHED = "found that an earlier restore, of snapshot {0[snapshot]:.8}, begun at {0[began_at]}, did not end well"
_NO_SAFETY = (
    "The safety snapshot of what is there now failed: {0} Nothing was overwritten. Repair that, or go on without one "
    "(--no-safety), when what is there is worth nothing."
)
