# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host remembers of an application, on disk before anything is done that it would be needed for."""

from __future__ import annotations

import contextlib
import json
import os

from ..state import read_json, replace_file
from .base import ProcedureError

BLANK = {"serving": None, "update": None, "failed": None}
# Given back before a rollback, so that the state and the journal have room when the new version filled the disk.
_RESERVE_BYTES = 256 << 10


class Memory:
    """What the host remembers of one application, below Roundsman's state directory."""

    def __init__(self, state, name):
        self._state = state
        self._path = os.path.join(state.directory, "applications", name + ".json")
        self._reserve = self._path[: -len("json")] + "reserve"
        self.known = read_json(self._path, BLANK)

    def keep(self, **changes):
        self.known = dict(self.known, **changes)
        self._state.make("applications")
        replace_file(self._path, json.dumps(self.known, sort_keys=True))

    def begin(self, update):
        """Keep an update that is about to begin, with room for its way back. Raises ProcedureError(no_space)."""
        directory = self._state.make("applications")
        try:
            with open(self._reserve, "wb") as stream:
                stream.write(bytes(_RESERVE_BYTES))
                os.fsync(stream.fileno())
            self.keep(update=update)
        except OSError as error:
            self.release()
            text = "{0} has no room for the {1} KiB that a way back may need ({2}). Nothing was done. Make room there."
            raise ProcedureError("no_space", text.format(directory, _RESERVE_BYTES >> 10, error.strerror)) from error

    def release(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._reserve)
