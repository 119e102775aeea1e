# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the backup modules share: their common arguments, and the effects that their work is given."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import signal
import time

from .engines.base import BackupError
from .engines.restic import LIMITS, Restic
from .redaction import redactor, url_secrets, without_credentials
from .repository import Memory, key, local_path
from .sources.base import Effects
from .state import State, from_os_error, own_directory, remove_tree

COMMON = {
    "repository": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "environment": {"type": "dict", "default": {}, "no_log": True},
    "engine": {"type": "str", "choices": ["restic"], "default": "restic"},
    "state_dir": {"type": "path"},
    "host": {"type": "str", "required": True},
    "timeout_s": {"type": "int", "default": 21600},
    "lock_timeout_s": {"type": "int", "default": 300},
    "low_priority": {"type": "bool", "default": True},
    **{limit: {"type": "int", "default": 0} for limit in LIMITS},
}


def timestamp(moment):
    """Seconds since the epoch as RFC 3339 in UTC with milliseconds."""
    text = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text[:-3] + "Z"


def seconds(text):
    """The reverse of `timestamp`."""
    moment = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp()


class Session:
    """One call of a module: its arguments, clock, deadline, secrets, state and engine."""

    def __init__(self, module, secrets=()):
        params = module.params
        self.module = module
        self.host = params["host"]
        self.url = params["repository"]
        self.repository = without_credentials(self.url)
        known = [params["password"], *secrets, *(str(value) for value in params["environment"].values())]
        self.redact = redactor(self.url, known)
        module.no_log_values.update(url_secrets(self.url))
        self.state = State(params["state_dir"] or own_directory())
        self.memory = Memory(self.state)
        self._lock_fds = []
        self.started = time.monotonic()
        self.deadline = self.started + params["timeout_s"]

    def elapsed(self):
        return round(time.monotonic() - self.started, 3)

    def tick(self):
        """Called often by long work of our own; ends it when the time limit is reached."""
        if time.monotonic() > self.deadline:
            raise BackupError(
                "timeout",
                "the time limit of {0} s was reached. Raise timeout_s.".format(self.module.params["timeout_s"]),
            )

    def processors(self):
        """How many this work may use at once."""
        there = len(os.sched_getaffinity(0))
        return min(there, self.module.params["processors"] or there)

    def engine(self):
        params = self.module.params
        return Restic(
            {
                "repository": self.url,
                "password": params["password"],
                "environment": params["environment"],
                "cache_dir": self.state.cache,
                "deadline": self.deadline,
                "lock_timeout_s": params["lock_timeout_s"],
                "limits": {limit: params[limit] for limit in LIMITS},
                "redact": self.redact,
                "keep_fds": self._lock_fds,
            }
        )

    def effects(self):
        """What a source may do in this call."""
        return Effects(
            self.state,
            self.own_places(),
            self.module.params.get("spool_dir"),
            self.tick,
            lambda: max(1.0, self.deadline - time.monotonic()),
            self.redact,
            self._lock_fds,
        )

    def own_places(self):
        """Where Roundsman keeps something on this host (bytes), also with links resolved: no source holds it."""
        scratch = self.module.params.get("scratch_dir")
        own = [local_path(self.url), os.fsencode(self.state.directory)]
        own.append(os.fsencode(Scratch(scratch, key(self.url)).path) if scratch else None)
        return sorted({name for path in own if path for name in (path, os.path.realpath(path))})

    @contextlib.contextmanager
    def working(self, source=None):
        """Hold this host's lock on the repository (and on a source, when given), and be gentle; yields the engine."""
        if self.module.params["low_priority"]:
            _be_gentle(self.module)
        with self._holding(key(self.url), "this repository"), contextlib.ExitStack() as stack:
            if source:
                stack.enter_context(self.alone(source))
            yield self.engine()

    def alone(self, source):
        """Hold this host's lock on a source: its dump and manifest have one place, whatever repository they go to."""
        return self._holding("source-" + source, "source " + source)

    @contextlib.contextmanager
    def _holding(self, name, what):
        """Hold a lock of this host; what is started meanwhile holds it, too."""
        with self.state.locked(name, what, self.module.params["lock_timeout_s"]) as fd:
            self._lock_fds.append(fd)
            try:
                yield
            finally:
                self._lock_fds.remove(fd)

    def scratch(self, directory):
        """An empty private directory of this repository below `directory`; call under the lock."""
        return Scratch(directory or self.state.make("scratch"), key(self.url))


class Scratch:
    """Where restored copies lie for as long as they are compared. What a crash left there is removed first."""

    def __init__(self, directory, name):
        self._directory = directory
        self.path = os.path.join(directory, "roundsman-" + name)

    def __enter__(self):
        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            remove_tree(self.path)
            os.mkdir(self.path, 0o700)
        except OSError as error:
            raise from_os_error("preparing the scratch directory", self.path, error) from error
        return self.path

    def __exit__(self, *_exc):
        remove_tree(self.path)


def _be_gentle(module):
    """Lowest priority for processor and disk, for this process and the engine."""
    with contextlib.suppress(OSError):
        os.nice(19)
    ionice = shutil.which("ionice")
    if ionice:
        module.run_command([ionice, "-c", "2", "-n", "7", "-p", str(os.getpid())])


def run_module(module, name, record, work, secrets=()):
    """Run `work(session, record)`, which returns what to report besides `record`; report both, also in failure.

    `work` fills `record` (a dict of docs/records.md, with `reason` and `duration_s`) as far as it gets. `secrets` are
    those that the arguments do not declare as such.
    """
    session = start(module, secrets)
    try:
        result = work(session, record)
    except BackupError as failure:
        _fail(session, name, record, failure)
    except OSError as error:
        _fail(session, name, record, from_os_error("the {0}".format(name), error.filename or "?", error))
    if "duration_s" in record:
        record["duration_s"] = session.elapsed()
    module.exit_json(**dict(result, **{name: record}))


def _fail(session, name, record, failure):
    record["reason"] = failure.reason
    if "duration_s" in record:
        record["duration_s"] = session.elapsed()
    session.module.fail_json(msg=session.redact(failure.message), **{name: record})


def _leave(_number, _frame):
    raise SystemExit(143)


def start(module, secrets=()):
    """The session of a module; from here on a polite kill runs the clean-up, too."""
    signal.signal(signal.SIGTERM, _leave)
    return Session(module, secrets)
