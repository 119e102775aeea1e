# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is kept on a host about its last transaction of packages, so that it can be finished, proven or undone later."""

from __future__ import annotations

import contextlib
import json
import os

from ..family import CRITICAL, OK, UNKNOWN, WARNING
from ..state import State, own_directory, read_json, replace_file

# begun: packages may be in any state. installed: they are there, and not yet proven. verified, undone: it is over.
OPEN = ("begun", "installed")
_RANK = {OK: 0, WARNING: 1, UNKNOWN: 2, CRITICAL: 3}
NOTHING = {
    "state": "none",
    "lease": None,
    "began_at": 0.0,
    "changes": [],
    "failed_units": [],
    "restarted": [],
    "boot": None,
}


class Transactions:
    """The transaction of this host, below Roundsman's state directory."""

    def __init__(self, state_dir):
        self._state = State(state_dir or own_directory())
        self.directory = os.path.join(self._state.directory, "updates")

    def make(self):
        self._state.make("updates")

    def load(self):
        return dict(NOTHING, **read_json(self._path("transaction.json"), {}))

    def keep(self, transaction, **news):
        transaction.update(news)
        self._write("transaction.json", transaction)

    def refused(self):
        """package -> {version, why}: what failed here, and is not tried again in this version."""
        return read_json(self._path("refused.json"), {})

    def refuse(self, news):
        self._write("refused.json", dict(self.refused(), **news))

    def forgive(self):
        """Try again what failed."""
        self._write("refused.json", {})

    def in_vain(self, boot):
        """Reasons for a reboot that were there at the beginning of this boot: it was for nothing as to them."""
        found = read_json(self._path("in_vain.json"), {"boot": None, "reasons": []})
        return found["reasons"] if found["boot"] == boot else []

    def rebooted(self, boot, reasons):
        """Keep why the host must be rebooted still, after it was."""
        self._write("in_vain.json", {"boot": boot, "reasons": reasons})

    def drained(self):
        """Whether the host was taken out of service for updates, and not put back yet."""
        return os.path.exists(self._path("drained.json"))

    def drain(self, unwell):
        """Keep what was amiss when the host was taken out of service; a second drain knows no better."""
        if not self.drained():
            self._write("drained.json", {"unwell": unwell})

    def unwell(self):
        """check -> status of what was amiss then."""
        return read_json(self._path("drained.json"), {"unwell": {}})["unwell"]

    def undrain(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path("drained.json"))

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _write(self, name, content):
        self.make()
        replace_file(self._path(name), json.dumps(content, sort_keys=True))


def continued(earlier, changes, versions):
    """The changes of a transaction that goes on where an earlier one was cut off.

    What the earlier one had done belongs to it, and what was there before the first of them is what to go back to.
    """
    planned = {one["package"]: one for one in changes}
    merged = []
    for old in earlier:
        new = planned.pop(old["package"], None)
        if new is not None:
            kept = old.get("kept") or (new.get("kept") if new["from"] == old["from"] else None)
            merged.append(dict(new, **{"from": old["from"], "kept": kept}))
        elif versions.get(old["package"]) == old["to"]:
            merged.append(old)
    return merged + list(planned.values())


def worse(now, then):
    """Checks that are in a worse state than they were; both map checks that are not OK to their status."""
    return {check: status for check, status in now.items() if _RANK[status] > _RANK[then.get(check, OK)]}


def remaining(changes, versions):
    """Those of the changes that are not done."""
    return [one for one in changes if versions.get(one["package"]) != one["to"]]


def done(changes, versions):
    """Those that are done, and can be undone."""
    return [one for one in changes if versions.get(one["package"]) == one["to"] and one["from"] != one["to"]]
