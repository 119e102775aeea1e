# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kinds of settings that can be tuned: how each is read, written, put back, and kept over a reboot.

All raise ProcedureError(not_possible) where this host has no such thing or does not let it be set.
"""

from __future__ import annotations

import contextlib
import glob
import os

from .base import ProcedureError
from .files import write_for_all
from .tuning import PROFILE_FILE, RULES_FILE, active_profile, chosen_scheduler, plain, profile_text, rules_text

ROOT = "/"
TUNED_LOG = "/var/log/tuned/tuned.log"
_RESTS = "tuned does not run, so no profile is in force; `systemctl enable --now tuned` starts it"


class Sysctl:
    """Keys of the kernel; a change's group is the profile whose file keeps it."""

    name = "sysctl"

    def __init__(self, root=ROOT):
        self._root = root

    def live(self, target):
        return plain(_read(self._path(target)))

    remember = live

    def write(self, target, value):
        _write(self._path(target), plain(value))

    restore = write

    def persist(self, changes):
        """Let the files of profiles hold these changes and nothing else."""
        profiles = {}
        for change in changes:
            profiles.setdefault(change["group"], {})[change["target"]] = change["new"]
        there = glob.glob(os.path.join(self._root, PROFILE_FILE.format("*").lstrip("/")))
        for path in {*there, *(self._file(profile) for profile in profiles)}:
            profile = os.path.basename(path)[len("90-roundsman-") : -len(".conf")]
            keep_file(path, profile_text(profiles.get(profile, {})))

    def _file(self, profile):
        return os.path.join(self._root, PROFILE_FILE.format(profile).lstrip("/"))

    def _path(self, key):
        return os.path.join(self._root, "proc/sys", key if "/" in key else key.replace(".", "/"))


class Scheduler:
    """The I/O scheduler of a block device."""

    name = "scheduler"

    def __init__(self, root=ROOT):
        self._root = root

    def live(self, target):
        found = chosen_scheduler(_read(self._path(target)))
        if found is None:
            raise ProcedureError("not_possible", "{0} has no choice of schedulers".format(target))
        return found

    remember = live

    def write(self, target, value):
        _write(self._path(target), value)

    restore = write

    def persist(self, changes):
        path = os.path.join(self._root, RULES_FILE.lstrip("/"))
        keep_file(path, rules_text({change["target"]: change["new"] for change in changes}))

    def devices(self):
        """device -> its scheduler, of all that have a choice."""
        found = {}
        for path in sorted(glob.glob(os.path.join(self._root, "sys/block/*/queue/scheduler"))):
            device = path.split("/")[-3]
            with contextlib.suppress(ProcedureError):
                found[device] = self.live(device)
        return found

    def _path(self, device):
        return os.path.join(self._root, "sys/block", device, "queue/scheduler")


class Tuned:
    """The active profile of tuned, which keeps it over a reboot itself. Its daemon is not started."""

    name = "tuned"

    def __init__(self, run):
        self._run = run

    def live(self, _target):
        done = self._run(["tuned-adm", "active"])
        profile = active_profile(done.out)
        # Without a profile and without a daemon, it says the same.
        if profile is None or (not profile and "Cannot talk" in done.err):
            raise ProcedureError("not_possible", _RESTS)
        return profile

    def remember(self, target):
        """Whether tuned chose by itself is part of what was: its choice may be another one after a reboot."""
        return {"profile": self.live(target), "automatic": "auto" in self._run(["tuned-adm", "profile_mode"]).out}

    def unknown(self, profile):
        """Those of its names that tuned does not know."""
        return [name for name in profile.split() if self._run(["tuned-adm", "profile_info", name]).rc]

    def recommended(self):
        return self._run(["tuned-adm", "recommend"]).out.strip() or "none"

    def agrees(self):
        """Whether all that the active profile sets is so."""
        return self._run(["tuned-adm", "verify"]).rc == 0

    def write(self, target, value):
        self._tell("profile", value)
        live = self.live(target)
        if live != value:
            text = "tuned was told to activate {0}, and {1} is active; see {2}"
            raise ProcedureError("not_possible", text.format(value, live or "none", TUNED_LOG))

    def restore(self, target, old):
        if old["automatic"]:
            self._tell("auto_profile")
        elif old["profile"]:
            self.write(target, old["profile"])
        else:
            self._tell("off")

    def persist(self, changes):
        pass

    def _tell(self, *arguments):
        done = self._run(["tuned-adm", *arguments])
        if done.rc:
            said = (done.err or done.out).strip()
            raise ProcedureError("not_possible", "tuned-adm {0}: {1}".format(arguments[0], said))


def keep_file(path, text):
    """Let a file hold `text`, or not be there without any; untouched when that is so already."""
    if not text:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    with contextlib.suppress(FileNotFoundError), open(path) as stream:
        if stream.read() == text:
            return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_for_all(path, text)


def _read(path):
    try:
        with open(path) as stream:
            return stream.read()
    except OSError as error:
        raise ProcedureError("not_possible", "{0} cannot be read: {1}".format(path, error.strerror)) from error


def _write(path, value):
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, (value + "\n").encode())
        finally:
            os.close(fd)
    except OSError as error:
        text = "{0} cannot be set to {1}: {2}".format(path, value, error.strerror)
        raise ProcedureError("not_possible", text) from error
