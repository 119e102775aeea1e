# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One change at a time: noted with the value before, made, measured, and taken back when it did not help."""

from __future__ import annotations

from .base import ProcedureError


class Changes:
    """The changes of one call. `measure` is a Measure, or None: then what is asked for is kept."""

    def __init__(self, step, book, measure, lease):
        self._step = step
        self._book = book
        self._measure = measure
        self._lease = lease
        self.kept = self.taken_back = self.refused = 0

    def settle(self, kind):
        """Put in order what a run that died left: an unmeasured change, a file that was not written yet."""
        if self._step.check_mode:
            return
        for change in self._book.changes(kind.name):
            if not change["settled"] and self._measure:
                self.take_back(kind, change, "an earlier run was killed before it was measured")
        kind.persist(self._book.changes(kind.name))

    def make(self, kind, target, new, group=None):
        """Let a setting have a value. Where that is not possible there is a warning, and nothing is changed."""
        try:
            self._make(kind, target, new, group)
        except ProcedureError as error:
            if error.reason != "not_possible":
                raise
            self._step.warn(error.message)

    def _make(self, kind, target, new, group):
        live = kind.live(target)
        known = self._book.find(kind.name, target)
        if live == new and (known is None or known["group"] == group):
            return
        if self._book.refused(kind.name, target, new):
            self.refused += 1
            return
        what, detail = "{0} {1}".format(kind.name, target), "{0} -> {1}".format(live or "(nothing)", new)
        if self._step.check_mode:
            self._step.plan("set", what, detail=detail)
            return
        change = {
            "kind": kind.name, "target": target, "old": kind.remember(target), "was": live, "new": new, "group": group,
            "lease": self._lease, "settled": False,
        }  # fmt: skip
        before = self._measure.take() if self._measure else None
        self._book.put(change)
        try:
            with self._step.action("set", what, detail=detail):
                kind.write(target, new)
        except ProcedureError:
            if known is None:
                self._book.drop(change)
            else:
                self._book.put(known)
            raise
        kind.persist(self._book.changes(kind.name))
        self._judge(kind, self._book.find(kind.name, target), before)

    def _judge(self, kind, change, before):
        if self._measure:
            try:
                helped, words = self._measure.verdict(before, self._measure.take())
            except ProcedureError as error:
                self.take_back(kind, change, error.message)
                raise
            if not helped:
                self.take_back(kind, change, words)
                self._book.refuse(change, words)
                return
        self._book.put(dict(change, settled=True))
        self.kept += 1

    def take_back(self, kind, change, why=None):
        """Restore the value before, unless somebody has set another one since."""
        what = "{0} {1}".format(kind.name, change["target"])
        live = kind.live(change["target"])
        if live not in (change["new"], change["was"], change.get("earlier")):
            text = "{0} is {1}, which Roundsman did not set, and is left so; before it tuned it was {2}"
            self._step.warn(text.format(what, live, change["was"]))
            if self._step.check_mode:
                return
        else:
            back = "{0} -> {1}".format(live, change["was"])
            if self._step.check_mode:
                self._step.plan("take back", what, detail=back)
                return
            with self._step.action("take back", what, detail="{0} ({1})".format(back, why) if why else back):
                kind.restore(change["target"], change["old"])
            self.taken_back += 1
        # The book comes last: what it does not have nobody puts back any more.
        kind.persist([one for one in self._book.changes(kind.name) if one["target"] != change["target"]])
        self._book.drop(change)

    def words(self):
        """What became of the settings."""
        counted = ((self.kept, "set"), (self.taken_back, "taken back"), (self.refused, "not tried again, for no help"))
        return ["{0} settings {1}".format(number, what) for number, what in counted if number]


def put_back(step, book, changes, kinds, lease):
    """Take back the changes of a lease, or without one all; those that cannot be now are kept for the next time."""
    found = list(reversed(book.changes(lease=lease)))
    for change in found:
        kind = kinds[change["kind"]]
        try:
            changes.take_back(kind, change)
        except ProcedureError as error:
            if error.reason not in ("not_possible", "program_missing"):
                raise
            step.warn("{kind} {target} was not put back to {was}: ".format(**change) + error.message)
    if lease is None and not step.check_mode:
        book.forget_refusals()
    left = len(book.changes(lease=lease))
    if left and lease is not None and not step.check_mode:
        raise ProcedureError("rollback_failed", "{0} settings could not be put back; see the warnings".format(left))
    return "{0} of {1} settings put back".format(changes.taken_back, len(found)) if found else "nothing to put back"


def require_in_force(book, kinds, lease):
    """Raise ProcedureError(verification_failed) unless what a lease changed is in force."""
    found = book.changes(lease=lease)
    for change in found:
        live = kinds[change["kind"]].live(change["target"])
        if live != change["new"]:
            text = "{kind} {target} was set to {new} and is {live}"
            raise ProcedureError("verification_failed", text.format(live=live, **change))
    return "{0} settings are in force".format(len(found))
