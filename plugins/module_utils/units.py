# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Stops systemd units for a while, and starts again what ran, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import json
import os

from .engines.base import BackupError
from .state import read_json, replace_file


@contextlib.contextmanager
def stopped(session, name, units, done):
    """While it is open, `units` do not run; those of them that ran are started at its end. `done` takes what was done.

    Which they are is noted on disk first: after kill -9 the next restore of `name` starts them.
    """
    if not units:
        yield
        return
    effects = session.effects()
    note = os.path.join(session.state.make("stopped"), name + ".json")
    were_running = sorted({*_running(effects, units), *read_json(note, ())})
    replace_file(note, json.dumps(were_running))
    try:
        if were_running:
            effects.run(["systemctl", "stop", "--", *were_running], "service_failed", "stopping services")
            done.append("stopped " + ", ".join(were_running))
        yield
    finally:
        if were_running:
            _start(effects, were_running, done)
        os.unlink(note)


def _running(effects, units):
    said = effects.run(
        ["systemctl", "show", "--property=Id,ActiveState", "--", *units], "service_failed", "asking systemd"
    )
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in said.out.split("\n\n")]
    return [block["Id"] for block in blocks if block.get("ActiveState") in ("active", "activating", "reloading")]


def _start(effects, units, done):
    try:
        effects.run(["systemctl", "start", "--", *units], "service_failed", "starting services")
    except BackupError as failure:
        raise BackupError(failure.reason, _NOT_STARTED.format(failure.message, " ".join(units))) from failure
    done.append("started " + ", ".join(units))


_NOT_STARTED = "{0} What was stopped for the restore may not run: look at `systemctl status {1}` and start it."
