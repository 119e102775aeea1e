# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Stops systemd units for a while, and starts again what ran, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import time

from .engines.base import BackupError

# A service of Type=simple counts as started before its program has looked at the data.
_SETTLE_S = 2
_RUNNING = ("active", "activating", "reloading")


@contextlib.contextmanager
def stopped(effects, note, units, done):
    """While it is open, `units` do not run; those of them that ran are started at its end. `done` takes what was done.

    Which they are is noted on disk first: after kill -9 the next restore of the source starts them.
    """
    running = _running(effects, sorted({*units, *note.stopped}))
    if running:
        note.write(stopped=sorted({*running, *note.stopped}))
    try:
        if running:
            effects.run(["systemctl", "stop", "--", *running], "service_failed", _STOPPING)
            done.append("stopped " + ", ".join(running))
        yield
    except BackupError as failure:
        failure.message += " " + start_again(effects, note, done)
        failure.message = failure.message.rstrip()
        raise
    except BaseException:
        start_again(effects, note, done)
        raise
    words = start_again(effects, note, done)
    if words:
        raise BackupError("service_failed", words)


def start_again(effects, note, done):
    """Start what the note says was stopped; returns in words what does not run then, and what to do about it."""
    units = note.stopped
    if not units:
        return ""
    said = ""
    try:
        effects.run(["systemctl", "start", "--", *units], "service_failed", "starting services")
    except BackupError as failure:
        said = " " + failure.message
    else:
        time.sleep(_SETTLE_S)
    running = _running(effects, units, for_good=True)
    if running:
        done.append("started " + ", ".join(running))
    down = [unit for unit in units if unit not in running]
    note.write(stopped=down)
    return _DOWN.format(", ".join(down), " -u ".join(down), " ".join(down), said) if down else ""


def _running(effects, units, for_good=False):
    """Which of them run; `for_good` those that do not just wait for their next start after a failure."""
    if not units:
        return []
    said = effects.run(
        ["systemctl", "show", "--property=Id,ActiveState,SubState", "--", *units], "service_failed", "asking systemd"
    )
    found = []
    for block in said.out.split("\n\n"):
        unit = dict(line.split("=", 1) for line in block.splitlines())
        if unit.get("ActiveState") in _RUNNING and not (for_good and unit.get("SubState") == "auto-restart"):
            found.append(unit["Id"])
    return found


_STOPPING = "Stopping services, before anything was overwritten,"
_DOWN = (
    "{0} ran before the restore and does not run now.{3} See why with `journalctl -n 50 -u {1}`, correct that, and "
    "start it with `systemctl start {2}`, or restore once more, which starts it as well."
)
