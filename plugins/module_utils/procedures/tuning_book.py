# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was tuned on a host, with the values before: on disk before a value is changed, so that all can be put back."""

from __future__ import annotations

import json
import os

from ..state import read_json, replace_file

_BLANK = {"changes": [], "refused": [], "trimmed": {}, "swapped_off": []}


class Book:
    """A change is {kind, target, old, was, new, group, lease, settled}: `old` restores what `was`, the value before.

    `earlier`, where it is there, is what we had set before: a run that was killed may not have got any further.
    It is settled when it was measured, if it was to be. Its group says which file keeps it.
    """

    def __init__(self, state):
        self._state = state
        self._path = os.path.join(state.directory, "tuning", "changes.json")
        self._known = dict(_BLANK, **read_json(self._path, {}))

    def changes(self, kind=None, lease=None):
        """The changes, oldest first; of a kind, or of a lease."""
        return [
            change
            for change in self._known["changes"]
            if kind in (None, change["kind"]) and lease in (None, change["lease"])
        ]

    def find(self, kind, target):
        return next((change for change in self.changes(kind) if change["target"] == target), None)

    def put(self, change):
        """Note a change before it is made, or once more. Of several the first knows how it was before all of them."""
        before = self.find(change["kind"], change["target"])
        noted = dict(change, old=before["old"], was=before["was"], earlier=before["new"]) if before else change
        self._keep(changes=[*self._without(change), noted])

    def drop(self, change):
        """The value is as it was."""
        self._keep(changes=self._without(change))

    def refuse(self, change, why):
        """Remember that a change did not help, so that not every run tries it."""
        refused = {"kind": change["kind"], "target": change["target"], "new": change["new"], "why": why}
        self._keep(refused=[*self._known["refused"], refused])

    def refused(self, kind, target, new):
        """Why a change was refused earlier, or None."""
        key = {"kind": kind, "target": target, "new": new}
        return next((one["why"] for one in self._known["refused"] if dict(one, **key) == one), None)

    def forget_refusals(self):
        if self._known["refused"]:
            self._keep(refused=[])

    def trimmed_at(self, path):
        return self._known["trimmed"].get(path, 0)

    def trim(self, path, now):
        self._keep(trimmed=dict(self._known["trimmed"], **{path: now}))

    @property
    def swapped_off(self):
        """[[path, priority]] of swap that was switched off and has to be switched on again."""
        return self._known["swapped_off"]

    def swap_off(self, path, priority):
        self._keep(swapped_off=[*self.swapped_off, [path, priority]])

    def swap_on(self, path):
        self._keep(swapped_off=[one for one in self.swapped_off if one[0] != path])

    def _without(self, change):
        key = (change["kind"], change["target"])
        return [one for one in self._known["changes"] if (one["kind"], one["target"]) != key]

    def _keep(self, **changes):
        self._known = dict(self._known, **changes)
        self._state.make("tuning")
        replace_file(self._path, json.dumps(self._known, sort_keys=True))
