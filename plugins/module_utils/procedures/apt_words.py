# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What apt and dpkg say, and what follows from it. No effects."""

from __future__ import annotations

import fnmatch
import re

# Inst tool [1.0] (1.1 Debian-Security:12/stable-security, Debian:12.5/stable [all]) []; without [1.0] it is new.
_INST = re.compile(
    r"^Inst (\S+)(?: \[([^\]]+)\])? \((\S+) (.*?)(?: \[([^\]]*)\])?\)(?: \[.*\])?$", re.MULTILINE
)
_REMV = re.compile(r"^(?:Remv|Purg) (\S+)(?: \[([^\]]+)\])?", re.MULTILINE)
_ERROR = re.compile(r"^dpkg: error processing (?:package|archive) (\S+) \(--[a-z-]+\):\n (.+)$", re.MULTILINE)
# What dpkg says itself, before a script speaks.
_PROGRESS = (
    "Setting up ",
    "Unpacking ",
    "Preparing to ",
    "Processing triggers ",
    "Removing ",
    "Selecting ",
    "(Reading database",
    "Errors ",
    "dpkg: ",
)
_MOST_SAID = 3
_STATUS_FIELDS = ("Package", "Architecture", "Version", "db:Status-Want", "db:Status-Status", "db:Status-Eflag")
STATUS_FORMAT = "\\t".join("${%s}" % field for field in _STATUS_FIELDS) + "\\t${Installed-Size}\\n"
GONE = ("config-files", "not-installed")
_AT_REST = ("installed", *GONE)


def simulated(text):
    """Changes in what `apt-get --simulate` prints: package, from (None: new), to (None: removed), origin."""
    changes = [
        {"package": name, "from": old or None, "to": new, "origin": origin}
        for name, old, new, origin, _architecture in _INST.findall(text)
    ]
    removed = [{"package": name, "from": old, "to": None, "origin": ""} for name, old in _REMV.findall(text)]
    return changes + removed


def is_from(origins, patterns):
    """Whether one of the places that offer a version ("Debian-Security:12/stable-security, ...") matches a pattern."""
    places = [place.strip().lower() for place in origins.split(",")]
    return any(fnmatch.fnmatchcase(place, pattern.lower()) for place in places for pattern in patterns)


def is_named(package, patterns):
    """Whether a package, with or without its architecture, matches one of the patterns."""
    names = {package, package.partition(":")[0]}
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)


def with_holds(status, names):
    """The text of dpkg's status file in which these packages are held."""

    def hold(stanza):
        fields = dict(re.findall(r"^(Package|Architecture): (.*)$", stanza, re.MULTILINE))
        package = fields.get("Package")
        if package in names or "{0}:{1}".format(package, fields.get("Architecture")) in names:
            return re.sub(r"^Status: install ", "Status: hold ", stanza, count=1, flags=re.MULTILINE)
        return stanza

    return "\n\n".join(hold(stanza) for stanza in status.split("\n\n"))


def installed(text, native):
    """package -> {architecture, version, want, state, installed_bytes}, from dpkg-query with STATUS_FORMAT.

    Packages of a foreign architecture are named with it, as apt does.
    """
    found = {}
    for line in text.splitlines():
        name, architecture, version, want, state, flag, size_kib = line.split("\t")
        known = name if architecture in (native, "all") else "{0}:{1}".format(name, architecture)
        found[known] = {
            "architecture": architecture,
            "version": version,
            "want": want,
            "state": state if flag == "ok" else flag,
            "installed_bytes": int(size_kib) << 10 if size_kib.isdigit() else 0,
        }
    return found


def unwell(packages):
    """package -> state of those that dpkg did not finish with."""
    return {name: one["state"] for name, one in sorted(packages.items()) if one["state"] not in _AT_REST}


def failures(log):
    """package -> why dpkg failed with it, with what its script said last."""
    found = {}
    for match in _ERROR.finditer(log):
        said = []
        for line in reversed(log[: match.start()].splitlines()):
            if line.startswith(_PROGRESS) or len(said) == _MOST_SAID:
                break
            said.insert(0, line.strip())
        found[match.group(1)] = "; ".join([*said, match.group(2)])
    return found


def last_words(text):
    """What apt names as its error, or else its last line."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    errors = [line[3:] for line in lines if line.startswith("E: ")]
    return ("; ".join(errors[:3]) or (lines or ["it said nothing"])[-1])[:500].rstrip(".")


def described(text):
    """(package, version) -> {size_bytes, installed_bytes, architecture}, from `apt-cache show`."""
    found = {}
    for stanza in text.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|Architecture|Size|Installed-Size): (.*)$", stanza, re.MULTILINE))
        if "Package" in fields and "Version" in fields:
            found[fields["Package"], fields["Version"]] = {
                "size_bytes": int(fields.get("Size", 0)),
                "installed_bytes": int(fields.get("Installed-Size", 0)) << 10,
                "architecture": fields.get("Architecture", ""),
            }
    return found


def archive_name(package, version, architecture):
    """The name of a package's file in apt's cache."""
    return "{0}_{1}_{2}.deb".format(package.partition(":")[0], version.replace(":", "%3a"), architecture)


def arguments(changes):
    """What `apt-get install` is told for these changes. New packages follow from what needs them."""
    named = ["{package}={to}".format(**change) for change in changes if change["from"] and change["to"]]
    return named + ["{package}-".format(**change) for change in changes if change["to"] is None]


def arguments_back(changes):
    """What `apt-get install` is told to undo them: a kept file, or else the version; what was new goes."""
    said = []
    for change in changes:
        if change["from"] is None:
            said.append("{package}-".format(**change))
        else:
            said.append(change.get("kept") or "{package}={from}".format(**change))
    return said


def versions(change):
    """A change in words."""
    if change["to"] is None:
        return "{from} removed".format(**change)
    words = "{0} -> {1}".format(change["from"], change["to"]) if change["from"] else "{to}, new".format(**change)
    if change["origin"]:
        words += " from " + change["origin"]
    return words + (", because others need it" if change.get("forced") else "")
