# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is decided when a host is tuned: whether a change helped, what may be emptied, what files say. No effects."""

from __future__ import annotations

import re

PROFILE_FILE = "/etc/sysctl.d/90-roundsman-{0}.conf"
RULES_FILE = "/etc/udev/rules.d/60-roundsman-scheduler.rules"
_HEADER = "# Written by Roundsman (tuning). `roundsman maintain tuning --revert` takes it away.\n"
_PROFILE = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
_KEY = re.compile(r"[a-z0-9_]+([./][A-Za-z0-9_.:*@-]+)+\Z")
_DEVICE = re.compile(r"[a-z0-9!_-]+\Z")
_TRIMMED = re.compile(r"\((\d+) bytes\) trimmed")
_ACTIVE = re.compile(r"^Current (active|post-loaded) profile: (.*)$", re.MULTILINE)
# Emptying less than this is not worth the reading.
LEAST_SWAPPED_BYTES = 16 << 20


def faults(params):
    """What is wrong with the module's parameters, as a list of str."""
    found = []
    if params["profile"] and not _PROFILE.match(params["profile"]):
        found.append("profile {0!r} has other characters than a-z, 0-9, _ and -".format(params["profile"]))
    if params["profile"] and params["profile"] not in params["profiles"]:
        known = ", ".join(sorted(params["profiles"])) or "none"
        found.append("there is no profile {0}; known are {1}".format(params["profile"], known))
    for name, values in sorted(params["profiles"].items()):
        strange = sorted(key for key in values if not _KEY.match(key) or ".." in key)
        if strange:
            found.append("profile {0}: {1} is no key of sysctl".format(name, ", ".join(strange)))
    strange = [name for name in params["scheduler"] if not _DEVICE.match(name)]
    found += ["scheduler: {0!r} is no block device".format(name) for name in strange]
    measure = params["measure"]
    if measure and measure["samples"] < 1:
        found.append("measure: samples has to be at least 1")
    return found


def plain(value):
    """A value as the kernel shows it, with single blanks."""
    return " ".join(str(value).split())


def profile_text(values):
    """The text of a profile's file in /etc/sysctl.d; nothing when it holds nothing."""
    lines = ["{0} = {1}\n".format(key, plain(value)) for key, value in sorted(values.items())]
    return _HEADER + "".join(lines) if lines else ""


def rules_text(schedulers):
    """The rules of udev that set these schedulers (device -> name) at every boot."""
    line = 'ACTION=="add|change", KERNEL=="{0}", ATTR{{queue/scheduler}}="{1}"\n'
    lines = [line.format(device, name) for device, name in sorted(schedulers.items())]
    return _HEADER + "".join(lines) if lines else ""


def chosen_scheduler(text):
    """The active one of `none [mq-deadline] kyber`, or None."""
    found = re.search(r"\[([\w-]+)\]", text)
    return found.group(1) if found else None


def active_profile(said):
    """The profile that `tuned-adm active` names, empty for none; None when tuned's daemon does not run.

    What it loads after every profile (post-loaded) is named there as well, and is no part of anybody's choice.
    """
    if said.startswith("No current active profile."):
        return ""
    found = dict(_ACTIVE.findall(said))
    names, after = found.get("active", "").split(), found.get("post-loaded", "").split()
    if not names:
        return None
    return " ".join(names[: -len(after)] if after and names[-len(after) :] == after else names)


def gain_percent(before, after, better):
    """By how much a figure became better; negative when it became worse."""
    if before == after:
        return 0.0
    if before == 0:
        return 100.0 if (after > 0) == (better == "higher") else -100.0
    change = 100.0 * (after - before) / abs(before)
    return change if better == "higher" else -change


def trimmed_bytes(text):
    """How many bytes `fstrim --verbose` says that it trimmed."""
    return sum(int(number) for number in _TRIMMED.findall(text))


def swaps(text):
    """[(path, size in bytes, used in bytes, priority)] of /proc/swaps."""
    found = []
    for line in text.splitlines()[1:]:
        path, _kind, size, used, priority = line.split()
        found.append((path.replace("\\040", " "), int(size) << 10, int(used) << 10, int(priority)))
    return found


def available_bytes(text):
    """(available, total) of /proc/meminfo."""
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    return int(found["MemAvailable"]) << 10, int(found["MemTotal"]) << 10


def why_not_to_empty(used_bytes, available, total, margin_percent):
    """Why this much swap may not be taken back into memory, or None when it may."""
    spare = available - used_bytes
    if spare * 100 < total * margin_percent:
        text = "swap holds {0} MiB, and with them in memory less than {1} % of it would be free"
        return text.format(used_bytes >> 20, margin_percent)
    return None
