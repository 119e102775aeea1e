# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Updates with apt: what its resolver planned is what it is told to do."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile

from .apt_plan import ENVIRONMENT, NOTHING_WRITTEN, AptPlan
from .apt_words import archive_name, arguments, arguments_back, last_words
from .base import ProcedureError
from .detached import run_detached
from .package_locks import wait_for
from .room import require_room

ARCHIVES = "/var/cache/apt/archives"
CONFFILES = {
    "keep": (["--force-confdef", "--force-confold"], {"UCF_FORCE_CONFFOLD": "1"}),
    "replace": (["--force-confnew"], {"UCF_FORCE_CONFFNEW": "1"}),
}


class Apt(AptPlan):
    """apt and dpkg of this host; what they say is kept in `directory`."""

    def __init__(self, step, directory, options=()):
        super().__init__(step, options)
        self._directory = directory

    def wait(self):
        """Wait for everybody who has the package manager."""
        if not self._step.check_mode:
            wait_for(self._step, self._params["package_lock_timeout_s"])

    def repair(self):
        """Let dpkg and apt finish what they left; what they said."""
        force, environment = CONFFILES[self._params["conffiles"]]
        self.wait()
        said = self._detached(["dpkg", *force, "--configure", "-a"], environment)[1]
        if self.broken():
            said += self._apt(["--no-remove", "--fix-broken", "install"])[1]
        return said

    def require_room(self, changes):
        """Raise ProcedureError(no_space) unless the file systems can take the packages."""
        have = {name: one["installed_bytes"] for name, one in self.packages().items()}
        require_room(changes, have, ARCHIVES, 2 if self._params["keep_previous"] else 1)

    def download(self, changes):
        """Fetch the packages. Raises ProcedureError(download_failed)."""
        argv = ["apt-get", "-q", "-y", "--download-only", *self.install(), *arguments(changes)]
        done = self._step.run(argv, ENVIRONMENT)
        if done.rc:
            text = "the packages could not be fetched: {0}. Nothing was installed."
            raise ProcedureError("download_failed", text.format(last_words(done.err or done.out)))

    def keep_previous(self, changes, forget):
        """Keep the packages that are installed now, as far as they are to be had; sets `kept` (a path) in changes.

        `forget` those that were kept before.
        """
        kept = os.path.join(self._directory, "previous")
        if forget:
            shutil.rmtree(kept, ignore_errors=True)
        os.makedirs(kept, 0o700, exist_ok=True)
        known = self.packages()
        names = {}
        for one in changes:
            if one["from"]:
                architecture = known[one["package"]]["architecture"]
                names[one["package"], one["from"]] = archive_name(one["package"], one["from"], architecture)
        for name in names.values():
            if os.path.exists(os.path.join(ARCHIVES, name)):
                shutil.copy(os.path.join(ARCHIVES, name), kept)
        missing = [wanted for wanted, name in names.items() if not os.path.exists(os.path.join(kept, name))]
        there = ["{0}={1}".format(*wanted) for wanted in self.offered(missing)]
        if there:
            self._step.run(["apt-get", "-q", "download", *there], ENVIRONMENT, cwd=kept)
        for one in changes:
            path = os.path.join(kept, names.get((one["package"], one["from"]), "."))
            one["kept"] = path if os.path.isfile(path) else None

    def transact(self, changes):
        """Do exactly these changes; (exit code, what apt said). ProcedureError(plan_changed) if apt would do others."""
        self.wait()
        argv = [*self.install(), *arguments(changes)]
        planned = {(one["package"], one["to"]) for one in changes}
        now = {(one["package"], one["to"]) for one in self.simulate(argv)}
        if now != planned:
            more = ", ".join(sorted("{0} {1}".format(name, to or "(removal)") for name, to in now ^ planned))
            text = "apt would no longer do what was planned (it differs in {0}). Nothing was installed; run it again."
            raise ProcedureError("plan_changed", text.format(more))
        return self._apt(argv)

    def put_back(self, changes):
        """Install the versions that were there before; (exit code, what apt said)."""
        self.wait()
        argv = ["--allow-downgrades", "--no-install-recommends", "install", *arguments_back(changes)]
        new = {one["package"] for one in changes if one["from"] is None}
        more = {one["package"] for one in self.simulate(argv) if one["to"] is None} - new
        if more:
            text = "apt would remove {0} to put back what was there. That was not done."
            raise ProcedureError("rollback_impossible", text.format(", ".join(sorted(more))))
        return self._apt(argv)

    def mark(self, changes):
        """Packages that came because others need them do so still: to name them made apt forget it."""
        present = self.versions()
        names = [one["package"] for one in changes if one["automatic"] and one["package"] in present]
        if names:
            self.wait()
            self._ask(["apt-mark", "auto", *names])

    def set_aside(self, changes, since):
        """Files of configuration that packages brought and that were not put in place, in the time since."""
        names = [one["package"] for one in changes if one["to"]]
        if not names:
            return []
        said = self._ask(["dpkg-query", "--show", "--showformat", "${Conffiles}\\n", *names])
        paths = [line.split(" ")[1] + ".dpkg-dist" for line in said.splitlines() if line.startswith(" /")]
        return sorted(path for path in paths if os.path.exists(path) and os.stat(path).st_ctime >= since)

    def _apt(self, arguments_):
        force, environment = CONFFILES[self._params["conffiles"]]
        options = [part for option in force for part in ("-o", "Dpkg::Options::=" + option)]
        patience = "DPkg::Lock::Timeout={package_lock_timeout_s}".format(**self._params)
        argv = ["apt-get", "-q", "-y", *options, "-o", "Dpkg::Use-Pty=0", "-o", patience, *arguments_]
        return self._detached(argv, environment)

    def _detached(self, argv, environment):
        log = os.path.join(self._directory, "transaction.log")
        return run_detached(self._step, argv, dict(ENVIRONMENT, **environment), log)


@contextlib.contextmanager
def opened(step, directory):
    """The Apt of this host; one that only plans has lists and caches of its own, and leaves the host's as they are."""
    if not step.check_mode:
        yield Apt(step, directory)
        return
    with tempfile.TemporaryDirectory(prefix="roundsman-lists-") as lists:
        os.chmod(lists, 0o755)  # noqa: S103  (apt fetches as a user of its own)
        own = ["-o", "Dir::State::lists=" + lists] if step.module.params["refresh"] else []
        yield Apt(step, directory, [*NOTHING_WRITTEN, *own])
