# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Logs: their configuration is sound, what is due is rotated, writers followed, and old ones do not pile up."""

from __future__ import annotations

import os
import shutil
import time

from ..family import size
from ..state import State, own_directory
from ..thresholds import size_bytes
from . import logs_writers
from .base import ProcedureError
from .detached import run_detached
from .held import deleted_files, open_files
from .logrotate import Report, read_report
from .logs_files import compress_forgotten, enforce, rules_of
from .logs_unrotated import propose, unrotated

LOGROTATE = "logrotate"
BUSY = "is already locked"


def tend(step):
    """Do what the module's parameters ask for."""
    params = step.module.params
    rules, least_bytes = rules_of(params["retention"]), size_bytes(params["unrotated_size"])
    wrong = logs_writers.faults(params["reopen"])
    if least_bytes is None:
        wrong.append("unrotated_size must be a size such as 50MiB")
    if wrong:
        raise ProcedureError("refused", "; ".join(wrong) + ". Nothing was done.")
    report = validated(step)
    before = _used(params["directories"])
    found = unrotated(params["directories"], report.logs, least_bytes, params["unrotated_exclude"])
    install_into = params["install_into"] if params["install"] else None
    propose(step, found, params["stanza"], install_into, lambda: _judged(step))
    if params["rotate"]:
        _rotate(step, report)
    # A stanza that was just written counts from now on.
    logs_writers.see_that_writers_reopened(step, set(report.logs), params["directories"], params["reopen"])
    live = logs_writers.live_logs(report.logs)
    for rule in rules:
        enforce(step, rule, live)
    if params["compress"]:
        compress_forgotten(step, set(report.logs), live)
    if not step.check_mode:
        _account(step, before, _used(params["directories"]))
    return _message(step)


def prove(step):
    """Raise ProcedureError unless the configuration is sound and nobody holds a big log that was rotated or deleted."""
    params = step.module.params
    report, giant_bytes = validated(step), size_bytes(params["giant_size"])
    stale = logs_writers.stale_writers(set(report.logs), params["directories"])
    giants = [logs_writers.told(one) for one in stale if one.size_bytes >= giant_bytes]
    if giants:
        raise ProcedureError("verification_failed", "; ".join(giants))
    return "logrotate's configuration is sound, and writers reopened their logs"


def validated(step):
    """logrotate's Report on its configuration. Raises ProcedureError(verification_failed) when that is broken."""
    report = _judged(step)
    if report.faults:
        told = "; ".join("{0}: {1}".format(*fault) for fault in report.faults)
        text = "logrotate's configuration is broken, so nothing was rotated: {0}. Correct it, and try `{1}`."
        raise ProcedureError("verification_failed", text.format(told, " ".join(_judge(step))))
    return report


def _judged(step):
    """logrotate's Report on its configuration, which changes nothing."""
    if not shutil.which(LOGROTATE):
        return Report([], [], {})
    done = step.run(_judge(step))
    return read_report(done.err + done.out)


def _judge(step):
    return [LOGROTATE, "--debug", step.module.params["config"]]


def _rotate(step, report):
    """Have logrotate rotate what is due, and nothing else."""
    due = {path: log.how for path, log in report.logs.items() if log.due}
    for error in report.errors:
        step.warn("logrotate: {0}".format(error))
    if step.check_mode:
        for path, how in sorted(due.items()):
            step.plan("rotate", path, _bytes(path), how)
        return
    if not due:
        return
    sizes = {path: _bytes(path) for path in due}
    with step.action("rotate", ", ".join(sorted(due)), sum(sizes.values())) as action:
        said = _run(step)
        rotated = sorted(path for path, log in said.logs.items() if log.due)
        action["detail"] = ", ".join("{0} ({1})".format(path, size(sizes.get(path, 0))) for path in rotated)
        news = [error for error in said.errors if error not in report.errors]
        if news:
            raise ProcedureError("procedure_failed", "logrotate did not do all: {0}".format("; ".join(news)))


def _run(step):
    """logrotate's Report on what it did; it keeps its own state, and another one at work is waited for.

    What it has begun, it ends and notes there, whatever becomes of the module: or it would rotate all of it once more.
    """
    params = step.module.params
    until = time.monotonic() + params["lock_timeout_s"]
    log = os.path.join(State(params["state_dir"] or own_directory()).make("logs"), "logrotate.log")
    while True:
        with step.held() as fds:
            _code, said = run_detached(step, [LOGROTATE, "--verbose", params["config"]], {}, log, fds)
        if BUSY not in said:
            return read_report(said)
        if time.monotonic() > until:
            raise ProcedureError("locked", "another logrotate is at work. Nothing was rotated.")
        step.tick()
        time.sleep(1)


def _account(step, before, after):
    step.record["before"]["logs_bytes"], step.record["after"]["logs_bytes"] = before, after
    step.record["reclaimed_bytes"] = max(0, before - after)


def _message(step):
    done = [one["action"] for one in step.record["actions"]]
    if not done:
        return "nothing to rotate, compress or remove"
    words = ", ".join("{0} x {1}".format(verb, done.count(verb)) for verb in sorted(set(done)))
    return "would {0}".format(words) if step.check_mode else words


def _used(directories):
    """Bytes on disk of the logs, together with those that are deleted and not yet let go of."""
    roots = tuple(directory.rstrip("/") + "/" for directory in directories)
    files = [
        os.path.join(folder, name) for root in roots for folder, _folders, names in os.walk(root) for name in names
    ]
    held = {one.inode: one.size_bytes for one in deleted_files(open_files()) if one.path.startswith(roots)}
    return sum(map(_bytes, files)) + sum(held.values())


def _bytes(path):
    try:
        return os.lstat(path).st_blocks * 512
    except OSError:
        return 0
