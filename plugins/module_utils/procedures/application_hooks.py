# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the hooks of an application: as its user, within their time, secrets by the environment alone."""

from __future__ import annotations

import contextlib
import os
import pwd
import time

from ..engines.process import run
from ..health import run_all
from ..redaction import redactor
from ..specs import read
from .application import LOOK_S, check_of
from .base import ProcedureError

_QUOTED_LINES = 3
_QUOTED = 600
_PAUSE_S = 0.5
_STEADY_S = 2


class Hooks:
    """The hooks of one application. `where(version)` is the directory in which a hook for that version runs."""

    def __init__(self, step, params, hooks, where):
        self._step = step
        self._params = params
        self._hooks = hooks
        self._where = where
        self._redact = redactor("", params["environment"].values())

    def __contains__(self, name):
        return name in self._hooks

    def url(self, name):
        return self._hooks[name].url

    def user(self, name):
        return self._hooks[name].user or self._params["user"]

    def command(self, name, version, update, cwd=None):
        """Run the command of a hook and return what it printed. Raises ProcedureError (hook_failed, timeout)."""
        hook = self._hooks[name]
        argv = hook.command if isinstance(hook.command, list) else ["/bin/sh", "-c", hook.command]
        directory = cwd or self._where(version)
        # What a start leaves running would hold the host for ever when we are killed just then.
        holding = contextlib.nullcontext([]) if name in ("start", "verify") else self._step.held()
        with holding as fds:
            done = run(
                argv, self._environment(hook, name, version, update, directory), hook.timeout_s,
                keep_fds=fds, user=hook.user, cwd=directory,
            )  # fmt: skip
            if done.rc is None:
                text = "{0} did not end within {1:g} s and was stopped"
                raise ProcedureError("timeout", text.format(name, hook.timeout_s))
        if done.rc:
            said = self._last_words(done.err or done.out)
            raise ProcedureError("hook_failed", "{0} ended with {1}{2}".format(name, done.rc, said))
        return done.out

    def verify(self, version, update, within_s):
        """Look until the application is well. Raises ProcedureError(verification_failed) when it is not in time."""
        until = time.monotonic() + within_s
        while True:
            amiss = self._amiss(version, update)
            if amiss is None:
                return
            if time.monotonic() >= until:
                raise ProcedureError("verification_failed", amiss)
            time.sleep(_PAUSE_S)

    def _amiss(self, version, update):
        """What is wrong with the application at this moment, or None."""
        unit = self._params["unit"]
        state = _state_of(unit) if unit else "active"
        if not state.startswith("active"):
            return "{0} is {1}".format(unit, state.partition(" ")[0])
        if "verify" not in self._hooks:
            # A program that dies at once and is started again is active for moments.
            time.sleep(_STEADY_S)
            return None if _state_of(unit) == state else "{0} does not stay up".format(unit)
        if self.url("verify"):
            return self._amiss_at_url()
        try:
            self.command("verify", version, update)
        except ProcedureError as failure:
            return failure.message
        return None

    def _amiss_at_url(self):
        specs, _faults = read([check_of(self._hooks["verify"])], LOOK_S)
        result = run_all(specs, None, "not needed")[0][0]
        return None if result["status"] == "OK" else self._redact(result["message"])

    def _environment(self, hook, name, version, update, directory):
        entry = pwd.getpwnam(hook.user) if hook.user else pwd.getpwuid(os.geteuid())
        told = {
            "ROUNDSMAN_HOOK": name,
            "ROUNDSMAN_APPLICATION": self._params["id"],
            "ROUNDSMAN_VERSION": version or "",
            "ROUNDSMAN_PREVIOUS": (update or {}).get("from") or "",
            "ROUNDSMAN_RELEASE": directory,
        }
        person = {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name, "LC_ALL": "C.UTF-8"}
        secret = {key: str(value) for key, value in self._params["environment"].items()}
        return dict(os.environ, **dict(person, **dict(secret, **told)))

    def _last_words(self, text):
        lines = [line.strip() for line in text.strip().splitlines() if line.strip()][-_QUOTED_LINES:]
        return ": " + self._redact(" / ".join(lines))[:_QUOTED] if lines else ""


def _state_of(unit):
    """What systemd says of a unit: its state and its main process."""
    argv = ["systemctl", "show", "--property=ActiveState,MainPID", "--", unit]
    lines = run(argv, dict(os.environ, LC_ALL="C"), LOOK_S).out.splitlines()
    found = dict(line.partition("=")[::2] for line in lines)
    return "{0} {1}".format(found.get("ActiveState", "unknown"), found.get("MainPID", ""))
