# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A note on disk of the restore in place that is under way: after kill -9 the next one finds what it left."""

from __future__ import annotations

import json
import os
import time

from .repository import key
from .session import timestamp
from .state import read_json, replace_file


class Note:
    """What the restore of a source has done so far. `left` is what an earlier one wrote and never took back, or {}:

    `snapshot`, `began_at`, `safety` (id of what was there before, or None), `stopped` (units that it did not start
    again), `touched` (whether it had begun to overwrite).
    """

    def __init__(self, session, record):
        # By repository, because sources of several hosts may be restored here.
        name = "{0}.{1}.json".format(key(session.url), record["source"])
        self._state = session.state
        self._path = os.path.join(self._state.directory, "restoring", name)
        self.left = read_json(self._path, {})
        began_at = timestamp(time.time())
        # What was there before the first of several attempts is what a person wants to have back.
        self._now = dict(
            {"safety": None, "stopped": [], "touched": False},
            **dict(self.left, snapshot=record["snapshot"], began_at=began_at),
        )

    @property
    def stopped(self):
        return self._now["stopped"]

    def write(self, **news):
        self._state.make("restoring")
        self._now.update(news)
        replace_file(self._path, json.dumps(self._now))

    def write_safety(self, snapshot):
        self.write(safety=self._now["safety"] or snapshot)

    def close(self, ended_well):
        """The restore is over: keep the note only when somebody may still need it."""
        if ended_well or not (self._now["touched"] or self.stopped):
            self.forget()

    def forget(self):
        if os.path.exists(self._path):
            os.unlink(self._path)
