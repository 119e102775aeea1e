# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was done under a lease: one line before an action and one after it, so that it can be said after any death."""

from __future__ import annotations

import json
import os

from .base import ProcedureError


def blank(procedure, step):
    """The record of one step of a procedure (docs/records.md)."""
    return {
        "procedure": procedure,
        "step": step,
        "actions": [],
        "before": {},
        "after": {},
        "reclaimed_bytes": None,
        "warnings": [],
        "reason": None,
        "message": "",
        "duration_s": 0.0,
    }


class Journal:
    """An append-only file of JSON lines: {started: record}, {begun: action}, {ended: outcome}, {step: record}."""

    def __init__(self, path):
        self._path = path

    def write(self, **line):
        """Append a line and wait until it is on disk. Raises ProcedureError(no_space) when it does not get there."""
        data = (json.dumps(line, sort_keys=True) + "\n").encode("ascii")
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                start = os.fstat(fd).st_size
                if os.write(fd, data) != len(data):
                    os.ftruncate(fd, start)
                    raise OSError(0, "the disk took only a part of the line")
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            text = "what is done cannot be noted in {0} ({1}), so nothing more is done"
            raise ProcedureError("no_space", text.format(self._path, error.strerror)) from error

    def records(self):
        """The records of all steps, oldest first; of one that was killed, what it had begun and done."""
        records, open_step = [], None
        for line in self._lines():
            if "begun" in line:
                open_step["actions"].append(dict(line["begun"], outcome="interrupted"))
            elif "ended" in line:
                open_step["actions"][-1].update(line["ended"])
            elif "step" in line:
                records.append(line["step"])
                open_step = None
            else:
                records += _killed(open_step)
                open_step = line["started"]
        return records + _killed(open_step)

    def _lines(self):
        try:
            with open(self._path, encoding="ascii") as stream:
                return [json.loads(line) for line in stream if _is_whole(line)]
        except FileNotFoundError:
            return []


def _killed(record):
    """The record of a step that has no end."""
    if record is None:
        return []
    text = "{procedure} ({step}) was killed; what is marked as interrupted may be done in part".format(**record)
    return [dict(record, reason="interrupted", message=text)]


def _is_whole(line):
    """A power cut may have left half a line, or zeros."""
    try:
        return line.endswith("\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False
