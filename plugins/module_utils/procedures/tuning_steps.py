# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps of tuning, each for itself; every one returns what it did, or why it did nothing, in a few words."""

from __future__ import annotations

import os
import time

from ..mounts import of_interest, read_mounts
from .base import ProcedureError
from .tuning import LEAST_SWAPPED_BYTES, available_bytes, plain, swaps, trimmed_bytes, why_not_to_empty
from .tuning_kinds import TUNED_LOG

ORDER = ("fstrim", "swap", "sysctl", "scheduler", "tuned", "postgresql")


class Steps:
    """`kinds` maps names to kinds of settings; `changes` makes them."""

    def __init__(self, step, params, book, changes, kinds):
        self._step = step
        self._params = params
        self._book = book
        self._changes = changes
        self._kinds = kinds

    def run(self, name):
        words = getattr(self, "_" + name)()
        return "{0}: {1}".format(name, words)

    # Storage, memory

    def _fstrim(self):
        if self._in_container():
            return "skipped in a container, whose disks are the host's"
        due = [path for path in _trimmable() if self._is_due(path)]
        total_bytes = 0
        for path in due:
            if self._step.check_mode:
                self._step.plan("trim", path)
                continue
            with self._step.action("trim", path) as done:
                asked = self._step.run(["fstrim", "--verbose", path])
                if _UNSUPPORTED in asked.err:
                    done["detail"] = "its filesystem cannot be trimmed"
                elif asked.rc:
                    raise ProcedureError("procedure_failed", "fstrim {0}: {1}".format(path, asked.err.strip()))
                done["size_bytes"] = trimmed_bytes(asked.out)
                total_bytes += done["size_bytes"]
            self._book.trim(path, time.time())
        if not due:
            return "nothing is due"
        self._step.record["after"]["trimmed_bytes"] = total_bytes
        return "{0} filesystems, {1} MiB".format(len(due), total_bytes >> 20)

    def _is_due(self, path):
        return not 0 <= time.time() - self._book.trimmed_at(path) < self._params["fstrim_every_h"] * 3600

    def _swap(self):
        if self._in_container():
            return "skipped in a container, whose memory is the host's"
        self._switch_on_again()
        rows = swaps(_text("/proc/swaps"))
        used_bytes = sum(used for _path, _size, used, _priority in rows)
        if used_bytes < LEAST_SWAPPED_BYTES:
            return "nothing to bring back"
        available, total = available_bytes(_text("/proc/meminfo"))
        why = why_not_to_empty(used_bytes, available, total, self._params["swap_margin_percent"])
        if why:
            return "left as it is: " + why
        self._step.record["before"]["swapped_bytes"] = used_bytes
        for path, _size, used, priority in rows:
            if used and self._step.check_mode:
                self._step.plan("empty", path, used)
            elif used:
                self._empty(path, used, priority)
        self._step.record["after"]["swapped_bytes"] = sum(row[2] for row in swaps(_text("/proc/swaps")))
        return "brought {0} MiB back into memory".format(used_bytes >> 20)

    def _empty(self, path, used_bytes, priority):
        self._book.swap_off(path, priority)
        with self._step.action("empty", path, used_bytes):
            try:
                done = self._step.run(["swapoff", path])
            finally:
                self._switch_on_again()
            if done.rc:
                raise ProcedureError("procedure_failed", "swapoff {0}: {1}".format(path, done.err.strip()))

    def _switch_on_again(self):
        """Also what a run that was killed left switched off."""
        for path, priority in [] if self._step.check_mode else list(self._book.swapped_off):
            if path not in [row[0] for row in swaps(_text("/proc/swaps"))]:
                wanted = ["--priority", str(priority)] if priority >= 0 else []
                done = self._step.run(["swapon", *wanted, path])
                if done.rc:
                    text = "swap on {0} is switched off and cannot be switched on again: {1}. Run: swapon {0}"
                    raise ProcedureError("procedure_failed", text.format(path, done.err.strip()))
            self._book.swap_on(path)

    # Settings

    def _sysctl(self):
        profile, kind = self._params["profile"], self._kinds["sysctl"]
        self._changes.settle(kind)
        if not profile:
            return "no profile is chosen"
        values = {key: plain(value) for key, value in self._params["profiles"][profile].items()}
        for change in self._book.changes(kind.name):
            if change["target"] not in values:
                self._changes.take_back(kind, change, "profile {0} does not have it".format(profile))
        for key, value in sorted(values.items()):
            self._changes.make(kind, key, value, group=profile)
        return "profile " + profile

    def _scheduler(self):
        kind = self._kinds["scheduler"]
        self._changes.settle(kind)
        for device, name in sorted(self._params["scheduler"].items()):
            self._changes.make(kind, device, name)
        devices = kind.devices()
        return ", ".join("{0} has {1}".format(*pair) for pair in sorted(devices.items())) or "no disk has a choice"

    def _tuned(self):
        kind, wanted = self._kinds["tuned"], plain(self._params["tuned_profile"])
        try:
            live = kind.live(None)
        except ProcedureError as error:
            if error.reason not in ("program_missing", "not_possible"):
                raise
            if wanted:
                self._step.warn("profile {0} was not activated: {1}".format(wanted, error.message))
            return "skipped, " + error.message
        self._changes.settle(kind)
        unknown = kind.unknown(wanted)
        if unknown:
            self._step.warn("tuned has no profile {0}; see `tuned-adm list`".format(", ".join(unknown)))
        elif wanted:
            self._changes.make(kind, "profile", wanted)
            live = kind.live(None)
        words = "profile {0}, recommended {1}".format(live or "none", kind.recommended())
        differs = live == wanted and live and not self._step.check_mode and not kind.agrees()
        return words + (_DIFFERS.format(TUNED_LOG) if differs else "")

    def _postgresql(self):
        kind = self._kinds["postgresql"]
        if not os.path.exists("/run/postgresql/.s.PGSQL.{0}".format(self._params["postgresql_port"])):
            return "no server runs here"
        self._changes.settle(kind)
        # What was tuned already is left alone: the figures are sums of all the time, and would ask for more and more.
        tuned = [change["target"] for change in self._book.changes(kind.name)]
        left = []
        for one in kind.advice(available_bytes(_text("/proc/meminfo"))[1]):
            if one.name in tuned:
                continue
            if self._params["postgresql_apply"] and not one.restart:
                self._changes.make(kind, one.name, str(one.value))
            else:
                left.append("{0} = {1} ({2}{3})".format(one.name, one.value, one.why, _LATER if one.restart else ""))
        return "advised: " + "; ".join(left) if left else "nothing more to advise"

    def _in_container(self):
        try:
            return self._step.run(["systemd-detect-virt", "--quiet", "--container"]).rc == 0
        except ProcedureError as error:
            if error.reason != "program_missing":
                raise
            return False


# The disk can, and the filesystem cannot, such as that of /boot/efi before Linux 4.19.
_UNSUPPORTED = "the discard operation is not supported"
_LATER = "; counts after a restart"
# Where it is not all the host's own to set, as in a container, that is no fault.
_DIFFERS = ", and `tuned-adm verify` finds settings that differ from it (see {0})"


def _trimmable():
    """Mount points of local filesystems on disks that can discard, one of each device."""
    found = {}
    for mount in of_interest(read_mounts()[0]):
        place = "/sys/dev/block/{0}/".format(mount.device)
        for name in ("queue/discard_max_bytes", "../queue/discard_max_bytes"):
            if os.path.exists(place + name) and int(_text(place + name)) and "ro" not in mount.options:
                found.setdefault(mount.device, mount.path)
    return sorted(found.values())


def _text(path):
    with open(path) as stream:
        return stream.read()
