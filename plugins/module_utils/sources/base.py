# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a kind of source must offer.

A source is a class with

- `type`: its name in definitions; `KEYS`: the keys that its definition may have besides those of every source;
  `SECRETS`: those of them that hold secrets (they are never kept in the manifest nor shown);
- `SPOOLS`: whether what it saves is one directory that it made by `effects.spool`;
- `faults(spec)`: what is wrong with a definition, as a list of str, without touching anything;
- an instance per definition: `SomeSource(spec)`;
- `prepare(effects)`: make what is to be saved ready and return a Prepared, or raise BackupError. In check mode it is
  called, too, so it must not change what it saves;
- `cleanup()`: remove what `prepare` made; called in any case;
- `prove(copy, values, effects)`: start the application from the restored copy, apart from the network and from what is
  live, and return the same values as `prepare` expected, found in the copy. `copy` is the restored directory (str): of
  a kind that spools what it had made, of any other the one below which the saved paths lie with their full names.
  `values` are those that are expected. It is called on an instance whose
  definition came from the manifest, so without secrets, and maybe on another host. Raises BackupError: `proof_failed`
  when the application refuses the copy, any other reason when nobody could look. Ends everything that it started;
- `put_back(copy, values, effects)`: replace what is live by the restored copy; returns what was done, as a list of str;
  a kind of plain files leaves it out. `values` are those of backup time, as far as there are any;
- `by_hand`, beside `put_back`: why this source is not put back by itself, a text with {0} for its id, or None;
- `remains(effects)`, beside `put_back`: the definition cut down to what of it is still there, or None when all is
  gone, and what is proven to be gone, as a list of str. Left out by kinds whose dump itself shows it;
- `settle(copy, effects)`, beside `put_back`: put right what a `put_back` left that was killed; returns what was done,
  as a list of str. Left out by kinds that leave nothing but what the next `put_back` replaces.

A kind whose files need no application leaves `prove` out; a snapshot saved without expectations is not proven.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
from collections import namedtuple

from ..engines import process
from ..engines.base import BackupError
from ..state import make_private, remove_tree, require_room

# paths (absolute, bytes, none below another), excludes (patterns, bytes), warnings (str), expectations, one_file_system
Prepared = namedtuple("Prepared", "paths excludes warnings expectations one_file_system")
Prepared.__new__.__defaults__ = (None, False)


def expectations(values, canary_at=None):
    """What a proof must find again.

    `values`: what was counted in the very state that is saved, by name (`rows of public.orders` -> 4711), text or
    numbers. `canary_at`: when the newest data in that state were written (RFC 3339, UTC), or None when nobody knows;
    its age is the recovery point that would really be reached.
    """
    return {"values": dict(values), "canary_at": canary_at}


def require_as_then(values, found, done):
    """What was put back must be what was counted at backup time. `found` may hold more than that; `done` is told."""
    wrong = sorted(name for name in found if name in values and values[name] != found[name])
    if wrong:
        first = "{0} is {1}, was {2}".format(wrong[0], found[wrong[0]], values[wrong[0]])
        raise BackupError("restore_differs", _DIFFERS.format(len(wrong), len(found), first, "; ".join(done)))


_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?\s*(Z|[+-]\d\d(?::?\d\d)?)?$")


def moment_of(value):
    """A canary's value as RFC 3339 in UTC with milliseconds, or None when it is no time.

    Times are seconds since 1970 or written as ISO 8601; without a zone they are UTC.
    """
    text = str(value).strip()
    if re.match(r"\d{9,11}(\.\d+)?$", text):
        moment = datetime.datetime.fromtimestamp(float(text), datetime.timezone.utc)
    else:
        match = _TIME.match(text)
        if not match:
            return None
        day, clock, fraction, zone = match.groups()
        zone = "+00:00" if zone in (None, "Z") else (zone + "00" if len(zone) == 3 else zone)
        text = "{0}T{1}.{2}{3}".format(day, clock, ((fraction or ".")[1:] + "000000")[:6], zone)
        try:
            moment = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").astimezone(datetime.timezone.utc)
        except ValueError:
            return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Effects:
    """What a source may do on the host: run programs within the time limit, and keep files in a private place."""

    def __init__(self, state, always_excluded, spool_dir, tick, seconds_left, redact, keep_fds=()):
        self.state = state
        self.always_excluded = always_excluded
        self.tick = tick
        self.redact = redact
        self._spool_dir = spool_dir
        self._seconds_left = seconds_left
        self._keep_fds = keep_fds

    def run(self, argv, reason, doing, **options):
        """Run a program to its end and return process.Finished; BackupError(reason) when it fails or is not there.

        `options` are those of process.run: user, environment, stdin, stdout, cwd. Its output is text, at most 64 MiB.
        """
        environment = _environment(options)
        try:
            said = process.run(argv, environment, self._seconds_left(), keep_fds=self._keep_fds, **options)
        except FileNotFoundError:
            raise BackupError("application_missing", _MISSING.format(doing, argv[0])) from None
        if said.rc is None:
            raise BackupError("timeout", "{0} was stopped, because the time limit was reached.".format(doing))
        if said.rc == _NOT_FOUND:
            raise BackupError("application_missing", self.redact(_LACKS.format(doing, _words(said))))
        if said.rc:
            words = _words(said)
            text = "{0} failed ({1} ended with {2}): {3}".format(doing, argv[0], said.rc, words)
            raise BackupError("no_space" if "No space left" in words else reason, self.redact(text))
        return said

    @contextlib.contextmanager
    def start(self, argv, doing, stdout, stderr, **options):
        """Run a program beside our own work, until the block is left; yields its process. `options` as for run."""
        running = process.started(argv, _environment(options), stdout, stderr, keep_fds=self._keep_fds, **options)
        with contextlib.ExitStack() as stack:
            try:
                started = stack.enter_context(running)
            except FileNotFoundError:
                raise BackupError("application_missing", _MISSING.format(doing, argv[0])) from None
            yield started

    def spool(self, source_id, needed_bytes, user=None):
        """An empty private directory for what a source dumps, always the same one, so that what a crash left there is
        removed and the engine finds the parent. `user` (a name) owns it when given.
        """
        if self._spool_dir:
            # Others have their things there, too, maybe under the name of the source.
            path = os.path.join(self._spool_dir, "roundsman-" + source_id)
        else:
            path = os.path.join(self.state.make("spool"), source_id)
        if os.path.islink(path):
            os.unlink(path)
        remove_tree(path)
        make_private(path, user)
        require_room(path, needed_bytes, _NO_ROOM)
        return path


def _environment(options):
    """What a program finds in its environment; takes `environment` out of `options`."""
    return dict(os.environ, LC_ALL="C.UTF-8", **options.pop("environment", {}))


def _words(said):
    """The end of what a program said, in one line."""
    lines = [line.strip() for line in (said.err or said.out).splitlines()]
    return " | ".join(filter(None, lines))[-600:] or "it said nothing"


_NOT_FOUND = 127  # of shells and of programs that start others
_LACKS = "{0} needs a program that is not on this host. Install it. The shell said: {1}"
_MISSING = "{0} needs the program {1}, which is not on this host. Nothing was done with it. Install it."
_DIFFERS = (
    "{0} of {1} counts are not those of backup time, first: {2}. The dump was loaded without an error: something "
    "writes there at this moment. Name its service in the source's stop, and restore once more. Put back: {3}."
)
_NO_ROOM = (
    "{0} has {1} MiB free, the dump needs {2} MiB. Nothing was saved. Free space there, or set spool_dir "
    "(roundsman_backup_spool_dir) to a directory on a larger filesystem"
)
