# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One call of a module that changes a host: under the host's lock and lease, within its time, noted in the journal."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time

from ..engines.base import BackupError
from ..engines.process import run
from ..state import State, own_directory
from .base import ProcedureError
from .journal import blank
from .lease import Leases

COMMON = {
    "lease": {"type": "int"},
    "state_dir": {"type": "path"},
    "timeout_s": {"type": "int", "default": 3600},
    "lock_timeout_s": {"type": "int", "default": 300},
}

FULL = (errno.ENOSPC, errno.EDQUOT)


class Step:
    """What a module's work is given. `record` is what it says about itself; in check mode actions are only planned."""

    def __init__(self, module, record, journal, deadline, keep_fds=(), child=None):
        self.module = module
        self.check_mode = module.check_mode
        self.record = record
        self.keep_fds = list(keep_fds)
        self._journal = journal
        self._deadline = deadline
        self._child = child

    def left_s(self):
        """How much of the time limit is left, in seconds, at least 1."""
        return max(1.0, self._deadline - time.monotonic())

    def tick(self):
        """Called often by long work of our own; raises ProcedureError(timeout) when the time limit is reached."""
        if time.monotonic() > self._deadline:
            raise ProcedureError("timeout", "the time limit was reached; raise timeout_s")

    @contextlib.contextmanager
    def action(self, action, target, size_bytes=None, detail=None):
        """Note an action before and after its block; the block may set `size_bytes` and `detail` of what it is given.

        Not for check mode: there, see `plan`.
        """
        noted = {"action": action, "target": target, "size_bytes": size_bytes, "detail": detail}
        self._note(begun=noted)
        done = dict(noted, outcome="failed")
        self.record["actions"].append(done)
        try:
            yield done
            done["outcome"] = "done"
        finally:
            ended = {key: done[key] for key in ("outcome", "size_bytes", "detail")}
            self._note(ended=ended)

    def plan(self, action, target, size_bytes=None, detail=None):
        """Note what would be done."""
        noted = {"action": action, "target": target, "size_bytes": size_bytes, "detail": detail, "outcome": "planned"}
        self.record["actions"].append(noted)

    def warn(self, text):
        self.record["warnings"].append(text)

    def run(self, argv, env=None, **options):
        """Run a program within the time that is left; what it is given and gives is as for engines.process.run.

        Raises ProcedureError: timeout, program_missing.
        """
        whole_env = dict(os.environ, LC_ALL="C", **(env or {}))
        with self.held() as fds:
            try:
                done = run(argv, whole_env, self.left_s(), keep_fds=fds, **options)
            except FileNotFoundError:
                text = "{0} is not on this host".format(argv[0])
                raise ProcedureError("program_missing", text) from None
            if done.rc is None:
                raise ProcedureError("timeout", "{0} did not end in time and was stopped".format(argv[0]))
        return done

    @contextlib.contextmanager
    def held(self):
        """Descriptors by which a program that is run in the block holds the host until it has ended.

        When the block raises, whoever comes next waits for all that is left of it.
        """
        with contextlib.ExitStack() as stack:
            try:
                fds = [stack.enter_context(self._child())] if self._child else self.keep_fds
            except OSError:  # a full disk is no reason not to put back what filled it
                fds = self.keep_fds
            yield fds

    def _note(self, **line):
        if self._journal is not None:
            self._journal.write(**line)


def run_step(module, procedure, step, work):
    """Run `work(step)`, which returns the message, and report it with the record under `maintenance`.

    Without `lease` among the parameters the module works for itself, while nobody else holds the host. `work` raises
    ProcedureError (or BackupError, of what it shares with backups) when it cannot go on.
    """
    record = blank(procedure, step)
    started = time.monotonic()
    signal.signal(signal.SIGTERM, _leave)
    failed = False
    try:
        with _under_lease(module, record, started + module.params["timeout_s"]) as one:
            try:
                record["message"] = work(one)
            except BaseException as error:
                _explain(record, error)
                raise
            finally:
                record["duration_s"] = round(time.monotonic() - started, 3)
    except (ProcedureError, BackupError, OSError) as error:
        failed = True
        _explain(record, error)
    changed = any(action["outcome"] != "failed" for action in record["actions"])
    answer = {"changed": changed, "msg": record["message"], "maintenance": record}
    if failed:
        module.fail_json(**answer)
    module.exit_json(**answer)


@contextlib.contextmanager
def _under_lease(module, record, deadline):
    """The step, with everything that keeps two of them apart; nothing of that in check mode, which changes nothing."""
    if module.check_mode:
        yield Step(module, record, None, deadline)
        return
    leases = Leases(State(module.params["state_dir"] or own_directory()))
    number = module.params["lease"]
    with leases.alone(module.params["lock_timeout_s"]) as fd:
        leases.require(number, time.time())
        if number is None:
            yield Step(module, record, None, deadline, [fd], leases.child)
            return
        journal = leases.journal(number)
        journal.write(started=record)
        leases.extend(number, module.params["timeout_s"], time.time())
        try:
            yield Step(module, record, journal, deadline, [fd], leases.child)
        except BaseException:
            # What went wrong first is what counts, also where there is no room to note it.
            with contextlib.suppress(ProcedureError):
                journal.write(step=record)
            raise
        journal.write(step=record)


def _explain(record, error):
    if isinstance(error, (ProcedureError, BackupError)):
        record.update(reason=error.reason, message=error.message)
    elif isinstance(error, OSError):
        text = "{0}: {1}".format(error.filename or record["procedure"], error.strerror or error)
        record.update(reason="no_space" if error.errno in FULL else "procedure_failed", message=text)
    elif isinstance(error, SystemExit):
        record.update(reason="interrupted", message="{procedure} was asked to stop".format(**record))
    else:
        record.update(reason="procedure_failed", message="{0}: {1}".format(type(error).__name__, error))


def _leave(_number, _frame):
    raise SystemExit(143)
