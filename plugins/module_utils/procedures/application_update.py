# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings an application to a version, or back to the one before. What was begun is on disk before it is begun.

Whoever comes next, after any death, reads there how far the update came: it is gone on with, or undone.
"""

from __future__ import annotations

import contextlib
import time

from ..engines.base import BackupError
from . import application_words as words
from .application import DONE, HOOKS, bars_the_way_back, decide, has_begun, is_open
from .base import ProcedureError
from .step import FULL

INTERRUPTED = "the update was interrupted"


class Update:
    """One application on this host. `params` are the module's; the other parts are as their classes say."""

    def __init__(self, step, params, memory, hooks, recipe, releases):
        self._step = step
        self._params = params
        self._memory = memory
        self._hooks = hooks
        self._recipe = recipe
        self._releases = releases

    def bring(self):
        """See to it that the wanted version serves, and return what was done in words."""
        wanted, known = self._params["version"], self._memory.known
        serving = self._recipe.serving()
        self._figure("before", serving)
        decision = decide(wanted, serving, known, self._params["retry"])
        if decision.what == "go back":
            return self._go_back_first()
        if decision.what == "nothing":
            self._figure("after", serving)
            return "{0} {1} serves already".format(self._params["id"], wanted)
        if decision.what == "failed before":
            self._step.warn(words.FAILED_BEFORE.format(self._params["id"], serving, **known["failed"]))
            return "{0} stays at {1}".format(self._params["id"], serving or "nothing")
        if self._step.check_mode:
            return self._plan(serving, decision.hooks)
        if decision.what == "update":
            self._begin(serving)
        return self._forward(decision.hooks)

    def prove(self):
        """See whether what this lease has updated still serves."""
        update = self._memory.known["update"]
        if self._step.check_mode or update is None or update["lease"] != self._params["lease"]:
            return "{0} was not touched".format(self._params["id"])
        self._hooks.verify(update["to"], update, self._params["verify_within_s"])
        return "{0} {1} passes its verification".format(self._params["id"], update["to"])

    def undo(self):
        """Undo what this lease did, or what was left in between."""
        update = self._memory.known["update"]
        if update is None or not (is_open(update) or update["lease"] == self._params["lease"]):
            return "{0} is as before".format(self._params["id"])
        self._refuse_the_irreversible(update)
        if self._step.check_mode:
            return self._plan_back(update)
        self._back(update, "the host was not as well as before")
        return "{0} {1} serves again".format(self._params["id"], update["from"] or "nothing")

    def _begin(self, serving):
        """Note what the way back needs."""
        update = {
            "from": serving,
            "to": self._params["version"],
            "lease": self._params["lease"],
            "begun": HOOKS[0],
            "back": None,
            "previous": self._recipe.remember(),
            "was_well": bool(serving or self._params["unit"]) and self._is_well(serving),
        }
        self._memory.begin(update)

    def _forward(self, hooks):
        update = self._memory.known["update"]
        for name in filter(self._is_there, hooks):
            try:
                with self._noted(name, update["from"], update["to"]):
                    # What cannot be noted is not begun.
                    self._memory.keep(update=dict(update, begun=name, lease=self._params["lease"]))
                    update = self._memory.known["update"]
                    self._run(name, update["to"], update)
            except (ProcedureError, BackupError, OSError) as failure:
                self._failed(name, update, _explained(failure))
        try:
            self._memory.keep(serving=update["to"], update=dict(update, begun=DONE), failed=None)
        except OSError as failure:
            self._failed("noting that it serves", update, _explained(failure))
        self._memory.release()
        self._prune(update)
        self._figure("after", update["to"])
        return "{0} {1} serves{2}".format(self._params["id"], update["to"], words.instead_of(update["from"]))

    def _failed(self, name, update, failure):
        """Leave things as they can best be left after the hook `name`, and raise what came of it."""
        what = "{0} {1}: {2} failed: {3}".format(self._params["id"], update["to"], name, failure.message)
        if not has_begun(update, "stop"):
            self._releases.discard(update["to"])
            self._memory.release()
            self._memory.keep(update=None)
            still = "; {0} is still in place".format(update["from"]) if update["from"] else ""
            text = "{0}. Nothing was stopped or switched{1}"
            raise ProcedureError(failure.reason, text.format(what, still)) from failure
        self._refuse_the_irreversible(update, what)
        if not self._params["rollback"]:
            text = "{0}. It was left as it is, for rolling back is switched off; the next run goes on with {1}"
            raise ProcedureError(failure.reason, text.format(what, update["begun"])) from failure
        self._back(update, "{0}: {1}".format(name, failure.message))
        text = "{0}. {1} was put back{2}"
        again = " and serves again" if update["was_well"] else ""
        raise ProcedureError(failure.reason, text.format(what, update["from"] or "what was there", again)) from failure

    def _back(self, update, why):
        """Undo an update as far as it was begun. What fails here leaves it marked, and the next run tries again."""
        update = dict(update, back=why)
        to, old = update["to"], update["from"]
        try:
            self._note_back(update)
            if has_begun(update, "switch"):
                self._undo("stop", to, update)
            if has_begun(update, "migrate") and "migrate_undo" in self._hooks:
                self._undo("migrate_undo", to, update)
            if has_begun(update, "switch"):
                with self._noted("switch back", to, old):
                    self._recipe.restore(update["previous"], old, update)
            if old != to:
                self._releases.discard(to)
            if has_begun(update, "stop") and (old or update["was_well"]):
                self._undo("start", old, update)
            if update["was_well"]:
                with self._noted("verify", to, old):
                    self._hooks.verify(old, update, self._params["verify_within_s"])
            failed = None if why == INTERRUPTED else {"version": to, "why": why, "at": int(time.time())}
            self._memory.keep(serving=old, update=None, failed=failed)
        except (ProcedureError, BackupError, OSError) as failure:
            explained = _explained(failure)
            text = words.STUCK.format(self._params["id"], to, why, old or "what was there", explained.message)
            raise ProcedureError("rollback_failed", text) from failure
        self._figure("after", old)

    def _note_back(self, update):
        """Keep that an update is undone, and give its reserve back.

        What fills the disk may be the new version: then it is stopped before, or it would have the reserve as well.
        """
        try:
            self._memory.keep(update=update)
        except OSError:
            if "stop" in self._hooks and has_begun(update, "start"):
                with contextlib.suppress(ProcedureError, BackupError, OSError):
                    self._hooks.command("stop", update["to"], update)
            self._memory.release()
            self._memory.keep(update=update)
        self._memory.release()

    def _undo(self, name, version, update):
        if name in self._hooks:
            with self._noted(name, update["to"], update["from"]):
                self._hooks.command(name, version, update)

    def _go_back_first(self):
        """An earlier run was killed on its way back, or on its way to a version that nobody wants any more."""
        update = self._memory.known["update"]
        self._refuse_the_irreversible(update)
        if self._step.check_mode:
            return self._plan_back(update)
        self._back(update, update["back"] or INTERRUPTED)
        said = "the interrupted update of {0} to {1} was undone".format(self._params["id"], update["to"])
        self._step.warn(said)
        return "{0}; {1}".format(said, self.bring())

    def _refuse_the_irreversible(self, update, what=None):
        if bars_the_way_back(update, self._params):
            said = what or "{0} {1} is to be rolled back".format(self._params["id"], update["to"])
            now, old = self._recipe.serving(), update["from"] or "nothing"
            text = words.IRREVERSIBLE.format(said, update["begun"], now, old, self._params["id"])
            raise ProcedureError("irreversible", text)

    def _run(self, name, version, update):
        if name == "fetch":
            self._releases.fetch(version, self._hooks, update)
        elif name == "switch":
            self._recipe.switch(version, update)
        elif name == "verify":
            self._hooks.verify(version, update, self._params["verify_within_s"])
        else:
            self._hooks.command(name, version, update)

    def _is_there(self, name):
        return name in self._hooks or name == "switch" or (name == "verify" and self._params["unit"])

    def _is_well(self, serving):
        try:
            self._hooks.verify(serving, None, 0)
        except ProcedureError:
            return False
        return True

    def _plan(self, serving, hooks):
        for name in hooks:
            if self._is_there(name):
                self._step.plan(name, words.way(self._params["id"], serving, self._params["version"]))
        for name, size_bytes in self._releases.surplus({serving, self._params["version"]}, self._params["keep"] - 1):
            self._step.plan("remove", words.release(self._params["id"], name), size_bytes)
        return "{0} would go{1} to {2}".format(
            self._params["id"], " from {0}".format(serving) if serving else "", self._params["version"]
        )

    def _plan_back(self, update):
        self._step.plan("roll back", words.way(self._params["id"], update["to"], update["from"]))
        return "{0} would be rolled back to {1}".format(self._params["id"], update["from"] or "nothing")

    def _prune(self, update):
        removed_bytes = 0
        for name, size_bytes in self._releases.surplus({update["from"], update["to"]}, self._params["keep"]):
            with self._step.action("remove", words.release(self._params["id"], name), size_bytes):
                self._releases.discard(name)
            removed_bytes += size_bytes
        if removed_bytes:
            self._step.record["reclaimed_bytes"] = removed_bytes

    def _noted(self, name, old, new):
        return self._step.action(name, words.way(self._params["id"], old, new))

    def _figure(self, when, version):
        self._step.record[when][self._params["id"] + "_version"] = version


def _explained(failure):
    """The ProcedureError that says the same."""
    if isinstance(failure, ProcedureError):
        return failure
    if isinstance(failure, BackupError):
        return ProcedureError(failure.reason, failure.message)
    said = "{0}: {1}".format(failure.filename or "", failure.strerror or failure)
    return ProcedureError("no_space" if failure.errno in FULL else "hook_failed", said)
