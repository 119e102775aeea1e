# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of the things found on a host are saved by which source, and why the others are not. No effects.

A finding is a dict: `kind` (postgresql, mariadb, redis, sqlite, directory), `name` (of a database, or a path), `path`
(the file or the directory it lies in, or None), `port` (of its server, or None), `size_bytes` (or None), `why` (why it
is listed), `problem` and `remedy` (what could not be looked at, and what to do; or None), `apart` (whether it is of a
server that does not run on this host, so that no source reaches it; not recorded).
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase

from . import tree
from .sources.registry import source_of

_TORN = {
    "sqlite": "source {0} copies the file, which may be torn when somebody writes meanwhile",
    "server": "source {0} copies the server's files, which make no sound database when it runs meanwhile",
}
_NONE = "no source saves it"
_HERE = ("localhost", "127.0.0.1", "::1")
_PORTS = {"postgresql": 5432, "mariadb": 3306, "redis": 6379}


def finding(kind, name, why, path=None, port=None, size_bytes=None, problem=None, remedy=None, apart=False):
    return {
        "kind": kind,
        "name": name,
        "path": path,
        "port": port,
        "size_bytes": size_bytes,
        "why": why,
        "problem": problem,
        "remedy": remedy,
        "apart": apart,
    }


def label(found):
    """What a pattern of the ignore list is compared with: a path, or `kind:name`."""
    return found["name"] if found["name"].startswith("/") else "{0}:{1}".format(found["kind"], found["name"])


def judged(findings, specs, ignore):
    """All that was found on a host, judged."""
    ports = {(found["kind"], found["port"]) for found in findings if found["port"]}
    several = {kind for kind, _port in ports if sum(one == kind for one, _other in ports) > 1}
    return [judge(found, specs, ignore, found["kind"] in several) for found in findings]


def judge(found, specs, ignore, one_of_several=False):
    """The finding with `status` (covered, gap, unknown, ignored), `sources` (ids that save it) and `reason`.

    `specs` are sound definitions of sources; `ignore` a list of {pattern, reason}, shell patterns of `label`.
    `one_of_several`: whether other servers of its kind run on the host.
    """
    sources, reasons = [], []
    for spec in specs:
        verdict = _saves(found, spec, one_of_several)
        if verdict is True:
            sources.append(spec["id"])
        elif verdict:
            reasons.append(verdict)
    if sources:
        status, reason = "covered", None
    else:
        left_out = [entry["reason"] for entry in ignore if fnmatchcase(label(found), entry["pattern"])]
        if left_out:
            status, reason = "ignored", left_out[0]
        elif found["problem"]:
            status, reason = "unknown", found["problem"]
        else:
            status, reason = "gap", "; ".join(reasons) or _NONE
    # Ansible refuses a whole result for one name that is no text.
    told = {key: value for key, value in dict(found, status=status, reason=reason).items() if key != "apart"}
    shown = {key: tree.printable(value) if isinstance(value, str) else value for key, value in told.items()}
    return dict(shown, sources=sources)


def _saves(found, spec, one_of_several):
    """True, why not in words, or None when the source has nothing to do with it."""
    kind = spec.get("type", "files")
    if kind == "files":
        return _files_save(found, spec)
    if kind != found["kind"]:
        return None
    if kind == "sqlite":
        return os.path.realpath(spec["path"]) == found["path"] or None
    return (_same_server(found, spec, one_of_several) and _names(found, spec)) or None


def _same_server(found, spec, one_of_several):
    here = spec.get("host") or "localhost"
    if found["apart"] or (here not in _HERE and not here.startswith("/")):
        return False
    if found["port"] is None or spec.get("socket"):
        return True
    # Debian's clients of PostgreSQL find the only server of a host at any port.
    by_itself = found["kind"] == "postgresql" and not one_of_several and not spec.get("port")
    return by_itself or found["port"] == (spec.get("port") or _PORTS[found["kind"]])


def _names(found, spec):
    named = spec.get("database") if spec["type"] != "redis" else None
    if not named:
        return True
    # What of a server cannot be listed may hold more than the databases that are named.
    return not found["problem"] and found["name"] in ([named] if isinstance(named, str) else named)


def _files_save(found, spec):
    if found["path"] is None:
        return None
    verdict = source_of(spec).saves(tree.normal(found["path"]))
    if found["kind"] == "directory":
        return verdict
    if verdict is not True:
        return None
    return _TORN.get(found["kind"], _TORN["server"]).format(spec["id"])
