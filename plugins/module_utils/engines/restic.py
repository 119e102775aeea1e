# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""restic, 0.14 and newer, as a backup engine."""

from __future__ import annotations

import os
import shutil
import socket
import time

from . import restic_locks as locks
from . import restic_words as words
from .base import COMPLETE, INCOMPLETE, BackupError, Engine, Saved
from .process import program_of, run

OPEN_LIMIT_S = 90  # restic itself retries a dead server for up to a quarter of an hour
_RETRY_S = 5

# What may be limited, as whole numbers; 0 leaves it to restic.
LIMITS = ("limit_upload_kib_s", "limit_download_kib_s", "connections", "processors")

# What it means and what to do next, for the person on call.
_EXPLANATIONS = {
    "repository_missing": "there is no repository at this address. Look whether its storage is mounted or was moved",
    "repository_unavailable": (
        "the repository cannot be reached or refuses access. Look at the network, the server and its credentials"
    ),
    "repository_locked": "another process holds the repository. Look for a backup, check or prune that runs",
    "repository_damaged": (
        "the repository is damaged. Change nothing in it, save a copy, then follow restic's guide to troubleshooting"
    ),
    "wrong_password": (
        "the repository does not open with this password. "
        "Compare roundsman_repository_password with the one that it was made with"
    ),
    "no_space": "a filesystem is full. Free space on the host and at the repository",
    "timeout": (
        "the time limit was reached and the engine was stopped. Raise timeout_s, or look for a stuck disk or network"
    ),
    "no_snapshot": "there is no such snapshot. List them with the module backup_info",
    "unprivileged": "permission was denied. Run with become, or give this user access to the repository",
    "engine_failed": "restic failed",
}

_TOO_MUCH = (
    "Of what was found so much is to be told that the end of it is missing. Nothing is shown. Give a narrower pattern, "
    "or name the source."
)
_INSTALL = (
    ("apt-get", "sudo apt-get install restic"),
    ("dnf", "sudo dnf install restic"),
    ("zypper", "sudo zypper install restic"),
    ("apk", "sudo apk add restic"),
    ("pacman", "sudo pacman -S restic"),
)


def how_to_install(which=shutil.which):
    """The command that installs restic with this host's package manager."""
    return next((command for tool, command in _INSTALL if which(tool)), "install restic 0.14 or newer")


class Restic(Engine):
    """restic at one repository.

    `settings`: repository, password, environment (dict), cache_dir, state-independent limits `deadline` (monotonic
    seconds) and `lock_timeout_s`, `limits` (LIMITS -> number), `redact` (str -> str), `keep_fds` (descriptors that hold
    the host's lock).
    """

    name = "restic"

    def __init__(self, settings, clock=time.monotonic, sleep=time.sleep):
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._locks = {}
        path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/bin", "/usr/bin", "/usr/local/sbin"))
        self._binary = shutil.which("restic", path=path)
        self._version = self._find_version()
        self.version = ".".join(str(part) for part in self._version)

    def _find_version(self):
        if not self._binary:
            raise BackupError(
                "engine_missing", "restic is not installed here. Nothing was done. Run: " + how_to_install()
            )
        said = run([self._binary, "version"], dict(os.environ), 30)
        found = words.version(said.out)
        if not found or found < words.OLDEST:
            raise BackupError(
                "engine_missing",
                "restic 0.14 or newer is needed, {0} is {1}. Nothing was done.".format(
                    self._binary, words.last_words(said.out + said.err) or "silent"
                ),
            )
        return found

    def _environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RESTIC_")}
        own = {
            "RESTIC_REPOSITORY": self._settings["repository"],
            "RESTIC_PASSWORD": self._settings["password"],
            "RESTIC_CACHE_DIR": self._settings["cache_dir"],
            "RESTIC_PROGRESS_FPS": "0.02",
            "LC_ALL": "C.UTF-8",
        }
        if self._settings["limits"]["processors"]:
            own["GOMAXPROCS"] = str(self._settings["limits"]["processors"])
        kept.update({k: str(v) for k, v in self._settings["environment"].items()})
        kept.update(own)
        return kept

    def _left(self):
        return max(1.0, self._settings["deadline"] - self._clock())

    def _once(self, argv, stdout=None, limit_s=None):
        left = self._left()
        return run(
            [self._binary, *words.limit_options(self._settings["repository"], self._settings["limits"]), *argv],
            self._environment(),
            min(left, limit_s) if limit_s else left,
            stdout=stdout,
            keep_fds=self._settings["keep_fds"],
        )

    def _patiently(self, argv, stdout=None):
        """Run; when the repository is locked, let restic clear stale locks and try again for `lock_timeout_s`.

        restic's own --retry-lock (0.16) would wait for a stale lock, too, so that all versions take this way.
        """
        until = self._clock() + self._settings["lock_timeout_s"]
        while True:
            said = self._once(argv, stdout)
            if self._is_locked(said) and self._unlock_stale():
                said = self._once(argv, stdout)
            if not self._is_locked(said) or self._clock() >= until:
                return said
            self._sleep(_RETRY_S)

    @staticmethod
    def _is_locked(said):
        return said.rc != 0 and words.reason_of(said.rc, said.out + said.err) == "repository_locked"

    def _unlock_stale(self):
        """Let restic remove the locks that it takes as stale; False when there are none, or somebody would be hit."""
        if not locks.may_unlock([state for _lock, state in self._held_locks()]):
            return False
        return self._once(["unlock"], limit_s=OPEN_LIMIT_S).rc == 0

    def _held_locks(self):
        """The locks of the repository as pairs (Lock, state), without taking one."""
        listed = self._once(["list", "locks", "--no-lock", "-q"], limit_s=OPEN_LIMIT_S).out.split()
        for name in listed:
            if name not in self._locks:  # a refreshed lock is a new file with a new name
                self._locks[name] = self._once(["cat", "lock", name, "--no-lock", "-q"], limit_s=OPEN_LIMIT_S)
        told = [self._locks[name] for name in listed]
        found = [locks.lock_of(said.out, time.time()) if said.rc == 0 else None for said in told]
        return [(lock, locks.state_of(lock, socket.gethostname(), program_of)) for lock in found]

    def failure(self, doing, said, reason=None):
        """The BackupError for a run of restic that ended badly."""
        reason = reason or words.reason_of(said.rc, said.out + said.err)
        text = "{0} failed: {1}.".format(doing, _EXPLANATIONS[reason])
        if reason == "repository_locked":
            text += "".join(" " + locks.in_words(*held) for held in self._held_locks())
        heard = words.last_words(said.err or said.out)
        if heard:
            text += " restic said: " + heard
        return BackupError(reason, self._settings["redact"](text))

    def _ask(self, doing, argv, stdout=None):
        said = self._patiently(argv, stdout)
        if said.rc != 0:
            raise self.failure(doing, said)
        return said.out

    def _ask_quickly(self, doing, argv):
        """Without a lock and with a short limit: what does not answer cannot be reached."""
        said = self._once([*argv, "--no-lock"], limit_s=OPEN_LIMIT_S)
        if said.rc is None:
            # 0.18 waits for an S3 bucket that is not there as if it might come.
            missing = words.reason_of(1, said.out + said.err) == "repository_missing"
            raise self.failure(doing, said, "repository_missing" if missing else "repository_unavailable")
        if said.rc != 0:
            raise self.failure(doing, said)
        return said.out

    def _ask_at_once(self, doing, argv):
        """Without a lock, so without waiting for anybody."""
        said = self._once([*argv, "--no-lock"])
        if said.rc != 0:
            raise self.failure(doing, said, "timeout" if said.rc is None else None)
        return said.out

    def repository_id(self):
        out = self._ask_quickly("opening the repository", ["cat", "config", "--no-cache"])
        return words.json.loads(out)["id"]

    def create_repository(self):
        self._ask("creating the repository", ["init"])

    def snapshots(self):
        return words.snapshots(self._ask_quickly("listing snapshots", ["snapshots", "--json"]))

    def save(self, paths, excludes, host, tags, parent, one_file_system=False):
        said = self._patiently(words.save_command(paths, excludes, host, tags, parent, one_file_system))
        done = words.summary(said.out)
        if said.rc not in (0, 3) or not done:
            raise self.failure("the backup", said)
        items = words.unsaved_items(said.err + "\n" + said.out) if said.rc == 3 else []
        unreadable = [path for path, vanished in items if not vanished]
        if said.rc == 3 and not items:
            unreadable = [self._settings["redact"](words.last_words(said.err))]
        return Saved(
            snapshot=done["snapshot_id"],
            files=done["total_files_processed"],
            total_bytes=done["total_bytes_processed"],
            added_bytes=done["data_added"],
            unreadable=unreadable,
            vanished=[path for path, vanished in items if vanished],
        )

    def mark_incomplete(self, snapshot):
        # Where deletes are refused this ends in an error after the marked copy was written, which is enough
        # (complete_ids); so what counts is what is there afterwards.
        self._patiently(["tag", "--remove", COMPLETE, "--add", INCOMPLETE, snapshot])

    def check(self, part):
        doing, options = "checking the repository's structure", []
        if part == (1, 1):
            doing, options = "reading back all data of the repository", ["--read-data"]
        elif part:
            doing = "reading back part {0} of {1} of the repository's data".format(*part)
            options = ["--read-data-subset={0}/{1}".format(*part)]
        self._ask(doing, ["check", "--no-cache", *options])

    def find(self, pattern, host, source):
        argv = words.find_command(pattern, host, source)
        # It reads the trees of all snapshots, which may take long without anything being wrong.
        out = self._ask_at_once("searching", argv)
        try:
            return words.found_entries(out)
        except ValueError:
            raise BackupError("engine_failed", _TOO_MUCH) from None

    def dump(self, snapshot, path, stream):
        self._ask("reading {0}".format(path), ["dump", "--no-cache", snapshot, path], stdout=stream)

    def restore(self, snapshot, target, paths):
        self._ask("the restore", words.restore_command(snapshot, target, paths, sparse=self._version >= words.SPARSE))

    def remove(self, snapshots):
        self._ask("removing snapshots", ["forget", "--prune", *snapshots])
