# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What apt and dpkg know and would do. Nothing here changes a package."""

from __future__ import annotations

import contextlib
import os
import tempfile

from .apt_words import (
    GONE,
    STATUS_FORMAT,
    arguments,
    described,
    installed,
    is_from,
    is_named,
    last_words,
    simulated,
    unwell,
    with_holds,
)
from .base import ProcedureError

STATUS = "/var/lib/dpkg/status"
INTERRUPTED = "/var/lib/dpkg/updates"
ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBIAN_PRIORITY": "critical",
    "APT_LISTCHANGES_FRONTEND": "none",
    # Services are looked for after the transaction, and restarted by our own policy.
    "NEEDRESTART_SUSPEND": "1",
    "NEEDRESTART_MODE": "l",
}
WITH_HELD = ["--ignore-hold", "--allow-change-held-packages"]
# Also when it only simulates, apt writes its caches, and a log of what it thought (/var/log/apt/eipp.log.xz).
NOTHING_WRITTEN = [
    *("-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="),
    *("-o", "Dir::Log::Planner=/dev/null"),
]
NOT_FETCHED = (
    "the lists of packages could not be fetched, so what there is to update is not known: {0}. Nothing was done."
)
_UNDESCRIBED = {"size_bytes": 0, "installed_bytes": 0, "architecture": ""}


class AptPlan:
    """apt's own resolver, asked. Changes are dictionaries: package, from (None: new), to (None: removed), origin,
    size_bytes (of the package), installed_bytes, forced (others need it), automatic (nobody asked for it by name).
    """

    def __init__(self, step, options=()):
        self._step = step
        self._params = step.module.params
        self._options = list(options)

    def packages(self):
        """What dpkg knows: see apt_words.installed."""
        native = self._ask(["dpkg", "--print-architecture"]).strip()
        return installed(self._ask(["dpkg-query", "--show", "--showformat", STATUS_FORMAT]), native)

    def versions(self):
        return {name: one["version"] for name, one in self.packages().items() if one["state"] not in GONE}

    def broken(self):
        """package -> state of what dpkg did not finish, with `dpkg` itself when it was interrupted."""
        found = unwell(self.packages())
        if os.path.isdir(INTERRUPTED) and os.listdir(INTERRUPTED):
            found["dpkg"] = "interrupted"
        return found or self._unmet()

    def refresh(self):
        """Fetch the lists of packages. Raises ProcedureError(refresh_failed)."""
        # Without the mode, apt is content with old lists where a repository does not answer.
        argv = ["apt-get", "-q", "-o", "APT::Update::Error-Mode=any", *self._options, "update"]
        done = self._step.run(argv, ENVIRONMENT)
        if done.rc:
            raise ProcedureError("refresh_failed", NOT_FETCHED.format(last_words(done.err or done.out)))

    def plan(self, refused):
        """{changes, left}: what is to be done, and what there is besides, each with `why` it stays.

        `refused` maps packages to the version that they must not get.
        """
        possible = [one for one in self.simulate([*WITH_HELD, "dist-upgrade"]) if one["from"] and one["to"]]
        why = {one["package"]: "excluded" for one in possible if is_named(one["package"], self._params["exclude"])}
        why.update({one["package"]: "refused" for one in possible if refused.get(one["package"]) == one["to"]})
        changes = self._changes(list(why))
        done = {one["package"] for one in changes}
        left = [one for one in possible if one["package"] not in done and self._is_wanted(one)]
        why.update({name: "held" for name, one in self.packages().items() if one["want"] == "hold"})
        return {"changes": changes, "left": [dict(one, why=why.get(one["package"], "kept back")) for one in left]}

    def simulate(self, arguments_):
        return simulated(self._ask(["apt-get", "-qq", "--simulate", *self._options, *arguments_]))

    def install(self):
        """How apt-get is told to do changes; what they are follows."""
        removal = [] if self._params["removals"] else ["--no-remove"]
        return [*removal, "--no-install-recommends", "--only-upgrade", "install"]

    def offered(self, wanted):
        """(package, version) -> apt_words.described of those that a repository has."""
        if not wanted:
            return {}
        argv = ["apt-cache", *self._options, "show", *("{0}={1}".format(*one) for one in wanted)]
        found = {key: one for key, one in described(self._step.run(argv).out).items() if one["size_bytes"]}
        plain = {(name, version): (name.partition(":")[0], version) for name, version in wanted}
        return {one: found[key] for one, key in plain.items() if key in found}

    def _changes(self, spared):
        """What apt does with what is wanted, while it sees the packages `spared` held."""
        with self._holding(spared) as holding:
            upgrade = ["dist-upgrade"] if self._params["removals"] else ["--with-new-pkgs", "upgrade"]
            chosen = [one for one in self.simulate([*holding, *upgrade]) if self._is_wanted(one)]
            changes = self.simulate([*holding, *self.install(), *arguments(chosen)]) if chosen else []
        wanted = {one["package"] for one in chosen}
        automatic = set(self._ask(["apt-mark", *self._options, "showauto"]).split())
        sizes = self.offered([(one["package"], one["to"]) for one in changes if one["to"]])
        for one in changes:
            one.update(sizes.get((one["package"], one["to"]), _UNDESCRIBED))
            one.update(forced=one["package"] not in wanted, automatic=one["package"] in automatic)
        return changes

    def _is_wanted(self, change):
        if self._params["scope"] == "all":
            return change["from"] is not None
        return bool(change["from"] and change["to"]) and is_from(change["origin"], self._params["security_origins"])

    def _unmet(self):
        done = self._step.run(["apt-get", "-qq", *NOTHING_WRITTEN, "-o", "Debug::NoLocking=1", "check"])
        return {"dependencies": "unmet ({0})".format(last_words(done.err or done.out))} if done.rc else {}

    @contextlib.contextmanager
    def _holding(self, names):
        """Options with which apt sees these packages held, as it does with those of an administrator."""
        if not names:
            yield []
            return
        with open(STATUS, encoding="utf-8", errors="surrogateescape") as stream:
            text = with_holds(stream.read(), names)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="surrogateescape") as status:
            status.write(text)
            status.flush()
            yield [*NOTHING_WRITTEN, "-o", "Dir::State::status=" + status.name]

    def _ask(self, argv):
        done = self._step.run(argv, ENVIRONMENT)
        if done.rc:
            text = "{0} failed: {1}. Nothing was done by it."
            words = text.format(" ".join(argv[:4]), last_words(done.err or done.out))
            raise ProcedureError("package_manager_failed", words)
        return done.out
