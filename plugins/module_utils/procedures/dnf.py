# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Updates with dnf (4 and 5): what it lists is what it is told to install, and its history is the way back."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile

from .apt_plan import NOT_FETCHED
from .apt_words import is_named, last_words
from .base import ProcedureError
from .detached import run_detached
from .package_locks import wait_for

LOCKS = ("/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock")
HAS_UPDATES = 100  # exit code of `dnf check-update`
_VERSION = "%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}"
_INSTALLED = "%{INSTALLTIME}\\t%{NAME}.%{ARCH}\\t" + _VERSION + "\\n"
_UPDATE = re.compile(r"^(\S+\.[a-z0-9_]+)\s+(\S+)\s+(\S+)[ \t]*$", re.MULTILINE)
_DUPLICATE = re.compile(r"^(\S+) is a duplicate with (\S+)$", re.MULTILINE)
_TRANSACTION = re.compile(r"^Transaction ID\s*:\s*([0-9]+)", re.MULTILINE)


def installed(text):
    """name.arch -> version. Of packages of which several may be there, as of kernels, it is the one that came last."""
    rows = sorted((line.split("\t") for line in text.splitlines()), key=lambda row: int(row[0]))
    return {name: version for _time, name, version in rows}


def updates(text):
    """[(name.arch, version, repository)] of `dnf check-update`; what other packages replace is not among them."""
    return _UPDATE.findall(text.partition("Obsoleting")[0])


def spec(package, version):
    """How dnf is told a package in a version."""
    name, _dot, architecture = package.rpartition(".")
    return "{0}-{1}.{2}".format(name, version, architecture)


class Dnf:
    """dnf of this host. Changes are dictionaries as apt's (apt_plan), with `history`, the number of a transaction."""

    def __init__(self, step, directory, options=()):
        self._step = step
        self._params = step.module.params
        self._directory = directory
        self._options = list(options)

    def wait(self):
        """Wait for everybody who has the database of packages."""
        if not self._step.check_mode:
            wait_for(self._step, self._params["package_lock_timeout_s"], LOCKS)

    def versions(self):
        return installed(self._ask(["rpm", "--query", "--all", "--queryformat", _INSTALLED]))

    def broken(self):
        """What an interrupted transaction left: packages that are there in two versions."""
        said = self._step.run(["dnf", "--quiet", "--cacheonly", *self._options, "check", "--duplicates"]).out
        return {name: "a duplicate of " + other for name, other in _DUPLICATE.findall(said)}

    def repair(self):
        """Let dnf remove the older ones; what it said."""
        return self._dnf(["remove", "--duplicates"])[1]

    def refresh(self):
        """Fetch the lists of packages. Raises ProcedureError(refresh_failed)."""
        done = self._step.run(["dnf", "--quiet", *self._options, "makecache"])
        if done.rc:
            raise ProcedureError("refresh_failed", NOT_FETCHED.format(last_words(done.err or done.out)))

    def plan(self, refused):
        """{changes, left} as apt's. What dnf adds for dependencies is not known before."""
        known, listed = self.versions(), self._listed()
        possible = [
            {"package": name, "from": known.get(name), "to": version, "origin": repository}
            for name, version, repository in listed
        ]
        why = {one["package"]: "excluded" for one in possible if is_named_by(one["package"], self._params["exclude"])}
        why.update({one["package"]: "refused" for one in possible if refused.get(one["package"]) == one["to"]})
        changes = [one for one in possible if one["package"] not in why]
        sizes = self._sizes(changes)
        for one in changes:
            one.update(size_bytes=sizes.get((one["package"], one["to"]), 0), forced=False, automatic=False)
        left = [dict(one, why=why[one["package"]]) for one in possible if one["package"] in why]
        return {"changes": changes, "left": left}

    def require_room(self, _changes):
        """rpm looks for itself whether there is room, before it changes anything."""

    def download(self, changes):
        """Fetch the packages. Raises ProcedureError(download_failed)."""
        done = self._step.run(["dnf", "--assumeyes", "--quiet", "upgrade", "--downloadonly", *_specs(changes, "to")])
        if done.rc:
            text = "the packages could not be fetched: {0}. Nothing was installed"
            raise ProcedureError("download_failed", text.format(last_words(done.err or done.out)))

    def keep_previous(self, changes, forget):
        """dnf's history knows the way back, as far as a repository has the old versions."""

    def transact(self, changes):
        """Do these changes; (exit code, what dnf said)."""
        self.wait()
        code, said = self._dnf(["upgrade", *_specs(changes, "to")])
        if code == 0:
            number = _TRANSACTION.search(self._ask(["dnf", "--quiet", "--cacheonly", "history", "info", "last"]))
            for one in changes:
                one["history"] = number.group(1) if number else None
        return code, said

    def put_back(self, changes):
        """Undo the transactions of dnf's, the last one first; (exit code, what dnf said)."""
        self.wait()
        numbers = sorted({int(one["history"]) for one in changes if one.get("history")}, reverse=True)
        code, said = 0, ""
        for number in numbers:
            code, more = self._dnf(["history", "undo", str(number)])
            said += more
        loose = [one for one in changes if not one.get("history") and one["from"]]
        if loose and code == 0:
            code, more = self._dnf(["downgrade", *_specs(loose, "from")])
            said += more
        return code, said

    def mark(self, changes):
        """dnf remembers by itself who asked for a package."""

    def set_aside(self, changes, since):
        """Files of configuration that packages brought and that were not put in place, in the time since."""
        names = [one["package"] for one in changes if one["to"]]
        if not names:
            return []
        said = self._ask(["rpm", "--query", "--configfiles", *names])
        paths = [line + ".rpmnew" for line in said.splitlines() if line.startswith("/")]
        return sorted(path for path in paths if os.path.exists(path) and os.stat(path).st_ctime >= since)

    def _listed(self):
        security = ["--security"] if self._params["scope"] == "security" else []
        done = self._step.run(["dnf", "--quiet", "--cacheonly", *self._options, "check-update", *security])
        if done.rc not in (0, HAS_UPDATES):
            text = "dnf cannot tell what there is to update: {0}. Nothing was done"
            raise ProcedureError("package_manager_failed", text.format(last_words(done.err or done.out)))
        return updates(done.out)

    def _sizes(self, changes):
        """(name.arch, version) -> bytes of the package."""
        if not changes:
            return {}
        # dnf 5 ends no line by itself, dnf 4 ends each.
        fields = "%{name}.%{arch} %{evr} %{downloadsize}\n"
        query = ["repoquery", "--queryformat", fields, *_specs(changes, "to")]
        said = self._step.run(["dnf", "--quiet", "--cacheonly", *self._options, *query]).out
        rows = [line.split() for line in said.splitlines() if line.strip()]
        return {(name, version): int(size) for name, version, size in rows}

    def _dnf(self, arguments):
        log = os.path.join(self._directory, "transaction.log")
        return run_detached(self._step, ["dnf", "--assumeyes", *arguments], {}, log)

    def _ask(self, argv):
        done = self._step.run(argv)
        if done.rc:
            words = "{0} failed: {1}".format(" ".join(argv[:3]), last_words(done.err or done.out))
            raise ProcedureError("package_manager_failed", words)
        return done.out


@contextlib.contextmanager
def opened(step, directory):
    """The Dnf of this host; one that only plans has lists and logs of its own."""
    if not step.check_mode:
        yield Dnf(step, directory)
        return
    with tempfile.TemporaryDirectory(prefix="roundsman-lists-") as place:
        own = ["--setopt=cachedir=" + place] if step.module.params["refresh"] else []
        yield Dnf(step, directory, [*own, "--setopt=logdir=" + place])


def is_named_by(package, patterns):
    """Whether a pattern means a package, with or without its architecture."""
    return is_named(package, patterns) or is_named(package.rpartition(".")[0], patterns)


def _specs(changes, which):
    return [spec(one["package"], one[which]) for one in changes]
