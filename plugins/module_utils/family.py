# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one shape of all families of health checks: what they take (Key), find (Finding), and how they run (Family)."""

from __future__ import annotations

import collections
import contextlib
import math
import os
import pwd
import signal
import subprocess
import threading

from .thresholds import number

OK, WARNING, CRITICAL, UNKNOWN = "OK", "WARNING", "CRITICAL", "UNKNOWN"
BY_SEVERITY = (OK, WARNING, UNKNOWN, CRITICAL)
# What a person may want a state to be that no number describes.
GRADES = {"ignore": OK, "warning": WARNING, "critical": CRITICAL}

ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
MOST_SAID_BYTES = 64 * 1024 * 1024  # by one command
# How much of its limit a check waits itself, so that silence is its own verdict and not a check without an answer.
SHARE_TO_WAIT = 0.9

Key = collections.namedtuple("Key", "type default help required dimension floor choices")
# Dimension and defaults of a threshold that depend on the value of another key: dimensions and defaults by that value.
By = collections.namedtuple("By", "key dimensions defaults")
Finding = collections.namedtuple("Finding", "status message value unit perfdata details")
Family = collections.namedtuple("Family", "name area help keys run target needs_psutil judge_spec anywhere")

# What a check is about; `roundsman health HOST` has a part for each.
AREAS = ("services", "resources", "api", "errors", "queues", "throughput")


class CannotLookError(Exception):
    """The check could not measure: its result is UNKNOWN, with `remedy` for the person who reads it."""

    def __init__(self, message, remedy=None):
        super().__init__(message)
        self.remedy = remedy


class NotThereError(CannotLookError):
    """What the check looks at is not on this host. With `optional: true` there is then no result, else UNKNOWN."""


class NoAnswerError(Exception):
    """The server that a check asks is unwell: it does not answer, or not as it should. The text says how."""


class StatementTimeoutError(NoAnswerError):
    """The server itself ended what was asked at its time limit: it lives, and only a statement of its own is unwell."""


class Context:
    """What a running check may use besides its spec: psutil (or None), its time limit in s, a way to run commands.

    `bookmark` is what this check left when it last looked in a recorded round (plain JSON, small), or None: the
    position in a log, the reading of a counter. What it leaves now with `leave` is there on the next round.
    """

    def __init__(self, limit_s, psutil=None, bookmark=None):
        self.limit_s = limit_s
        self.psutil = psutil
        self.bookmark = bookmark
        self.left = None
        self._processes, self._over = [], False

    @property
    def patience_s(self):
        """How long a check may wait for what it asks."""
        return self.limit_s * SHARE_TO_WAIT

    def leave(self, bookmark):
        self.left = bookmark

    def run(self, argv, *, user=None, environment=None, stdin=None):
        """(exit code, stdout, stderr) of a command in the C locale.

        `user`: as whom (only root may name another). `environment` is added to the small one that commands get: the
        place for secrets. `stdin` is text. NotThereError when the program is not there.
        """
        argv = _as_user(argv, user)
        environment = dict(ENVIRONMENT, **(environment or {}))
        try:
            # There is no AnsibleModule on the lean way, and checks run in threads, with limits.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                argv,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                # Where every `user` may be; programs complain where they may not.
                cwd="/",
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise NotThereError("%s is not installed" % argv[0], "install it, or remove the check") from error
        except OSError as error:
            raise CannotLookError("%s cannot be run: %s" % (argv[0], error.strerror)) from error
        self._processes.append(process)
        if self._over:
            self.end()
        stdout, stderr = _talk(process, stdin)
        if len(stdout) > MOST_SAID_BYTES:
            raise CannotLookError("%s says more than %s" % (argv[0], size(MOST_SAID_BYTES)))
        words = stderr.decode("utf-8", "replace")
        if words.startswith("runuser: failed to execute") and process.returncode:
            if "No such file" in words:
                raise NotThereError(words.strip(), "install it, or remove the check")
            raise CannotLookError(words.strip(), "let %s run it, or correct the check's user" % user)
        return process.returncode, stdout.decode("utf-8", "replace"), words

    def end(self):
        """End the commands that run, and those that a check starts that has not noticed, with their children."""
        self._over = True
        for process in self._processes:
            if process.poll() is None:
                with contextlib.suppress(OSError):  # it ended by itself meanwhile
                    os.killpg(process.pid, signal.SIGKILL)


def _talk(process, text):
    """(stdout, stderr) of a process that is told `text`; who says too much gets SIGPIPE, before it fills the memory."""
    said = {}

    def hear(stream):
        with stream:
            said[stream] = stream.read(MOST_SAID_BYTES + 1)

    ears = [threading.Thread(target=hear, args=(stream,), daemon=True) for stream in (process.stdout, process.stderr)]
    for ear in ears:
        ear.start()
    if text is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin:  # it may end without hearing us out
            process.stdin.write(text.encode())
    for ear in ears:
        ear.join()
    process.wait()
    return said[process.stdout], said[process.stderr]


def _as_user(argv, user):
    """The command that runs `argv` as `user`; CannotLookError when that takes a root that we are not."""
    if user is None or user == pwd.getpwuid(os.geteuid()).pw_name:
        return argv
    if os.geteuid() != 0:
        raise CannotLookError(
            "only root can look as %s" % user,
            "check as root (roundsman_health_become: true), or log in as %s" % user,
        )
    try:
        pwd.getpwnam(user)
    except KeyError:
        raise NotThereError("there is no user %s on the host" % user, "correct the check's user") from None
    return ["runuser", "-u", user, "--", *argv]


def key(kind, text, default=None, required=False, choices=None):
    """A key of type `str`, `path`, `bool`, `int`, `port`, `seconds`, `size`, `list` (of str), `command`, `dict` (of
    str) or `values` (a mapping to plain values, or to mappings of those).
    """
    return Key(kind, default, text, required, None, False, choices)


def grade(text, default="warning"):
    """A key that says which of GRADES a state is."""
    return key("str", text, default, choices=tuple(GRADES))


def threshold(dimension, text, default=None, floor=False):
    """A threshold key; with `floor`, a single number is the least that is fine. `dimension` may be a By."""
    return Key("threshold", default, text, False, dimension, floor, None)


def family(name, area, text, keys, run, *, target=None, needs_psutil=False, judge_spec=None, anywhere=False):
    """`target(spec) -> str` says what is looked at; `judge_spec(spec) -> [str]` finds faults across keys.

    `area` is one of AREAS. `anywhere`: it looks over the network, so it can also run on the controller, `from` there.
    """
    target, judge_spec = target or (lambda _spec: ""), judge_spec or (lambda _spec: [])
    return Family(name, area, text, keys, run, target, needs_psutil, judge_spec, anywhere)


def finding(status, message, value=None, unit="", perfdata="", details=None):
    """`details`: a small mapping of plain JSON for machines, where a recommendation wants more than one value."""
    return Finding(status, message, value, unit, perfdata, details or {})


def judge(value, warn, crit):
    """The status that two thresholds (or None) give to a value in their base unit."""
    if crit is not None and crit.violated(value):
        return CRITICAL
    if warn is not None and warn.violated(value):
        return WARNING
    return OK


def judge_share(percent, count, warn, crit):
    """As `judge`, by thresholds each of which may be a share or a number of bytes."""
    values = [percent if limit and limit.unit == "%" else count for limit in (warn, crit)]
    return worst([judge(values[0], warn, None), judge(values[1], None, crit)])


def worst(statuses):
    """The worst status by CRITICAL > UNKNOWN > WARNING > OK; OK for none."""
    return max(statuses, key=BY_SEVERITY.index, default=OK)


def told(verdicts, several):
    """The message on verdicts (with `status` and `words`, worst first): what is amiss, else the first of `several`."""
    amiss = [each.words for each in verdicts if each.status != OK]
    first = verdicts[0].words
    return "; ".join(amiss) or (several % len(verdicts) + first if len(verdicts) > 1 else first)


def limits(status, warn, crit):
    """What was crossed, for a message: ` (crit 90%)`."""
    crossed = {CRITICAL: crit, WARNING: warn}.get(status)
    if crossed is None:
        return ""
    return " (%s %s)" % ("crit" if status == CRITICAL else "warn", crossed.text)


def perf(label, value, unit="", thresholds=(None, None), bounds=()):
    """One item of performance data: 'label'=value[UOM];warn;crit;min;max (Monitoring Plugins guidelines)."""
    # A server may count infinitely many; the guidelines call that undetermined.
    shown = number(value) + unit if math.isfinite(value) else "U"
    fields = [shown] + ["" if limit is None else limit.perfdata() for limit in thresholds]
    fields += [number(bound) for bound in bounds]
    return "'%s'=%s" % (label.replace("'", "").replace("=", "_"), ";".join(fields).rstrip(";"))


def size(count):
    """Bytes for a person, in powers of 1024 as `df -h` does."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return "%.0f %s" % (count, unit) if unit == "B" else "%.1f %s" % (count, unit)
        count /= 1024.0
    return "%.1f TiB" % count


def span(seconds):
    """A duration for a person, in its largest unit."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return "%d %s" % (seconds // length, unit)
    return "%.1f s" % seconds if seconds < 10 else "%.0f s" % seconds
