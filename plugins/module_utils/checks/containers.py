# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Containers of podman and docker: none failed, restarts again and again or is unhealthy; named ones run."""

from __future__ import annotations

import collections
import json
import re
from fnmatch import fnmatchcase

from ..family import CannotLookError, NotThereError, family, finding, judge, key, limits, perf, threshold

Container = collections.namedtuple("Container", "id name state exit_code unhealthy")
ENGINES = {
    "podman": ("podman", "ps", "--all", "--no-trunc", "--format", "json"),
    "docker": ("docker", "ps", "--all", "--no-trunc", "--format", "{{json .}}"),
}
REMEDIES = {
    "permission denied": "check as root (roundsman_health_become: true), or let the user use the engine",
    "daemon running": "start it (`systemctl start docker`), or set engine to the one that is in use",
}
# `stop` sends SIGTERM first, and a person may send SIGINT: that is no failure.
ON_REQUEST = (0, 130, 143)


def parse(text):
    """The containers in what an engine lists: podman's one JSON array, or docker's JSON object per line."""
    try:
        items = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
        return [_container(item) for item in items or ()]
    except (ValueError, AttributeError, TypeError) as error:
        raise CannotLookError("the list of containers cannot be read: %s" % error, "see it on the host") from error


def _container(item):
    names = item.get("Names") or "?"
    words = str(item.get("Status") or "")
    # Older versions have a number there, or nothing, and the words of Status: "Up 2 hours", "Exited (1) 3 days ago".
    known = item.get("State")
    state = (known if isinstance(known, str) and known else words.partition(" ")[0]).lower()
    state = {"up": "running", "stopped": "exited"}.get(state, state)
    code = re.search(r"\((\d+)\)", words)
    return Container(
        item.get("Id") or item.get("ID") or "",
        ",".join(names) if isinstance(names, list) else names,
        state,
        int(item.get("ExitCode") or (code.group(1) if code else 0)),
        "(unhealthy)" in words,
    )


def fault(container):
    """What is amiss with a container by itself, or None."""
    if container.state in ("restarting", "dead"):
        return "is %s" % container.state
    if container.state == "exited" and container.exit_code not in ON_REQUEST:
        return "exited with %d" % container.exit_code
    return "is unhealthy" if container.unhealthy else None


def faults_of(containers, spec):
    """name -> what is amiss, of the containers that run badly and of those that have to run and do not."""
    found = {}
    for one in containers:
        words = fault(one)
        if words and not any(fnmatchcase(one.name, pattern) for pattern in spec["ignore"]):
            found[one.name] = words
    states = {one.name: one.state for one in containers}
    for name in spec["running"]:
        if name not in states:
            found[name] = "does not exist"
        elif states[name] != "running":
            found.setdefault(name, "is %s" % states[name])
    return found


def listed(engine, spec, context):
    code, stdout, stderr = context.run(list(ENGINES[engine]), user=spec["user"])
    if code:
        words = (stderr.strip().splitlines() or ["it ended with %d" % code])[-1]
        remedy = next((text for sign, text in REMEDIES.items() if sign in words), "see `%s ps` on the host" % engine)
        raise CannotLookError("%s does not answer: %s" % (engine, words), remedy)
    return parse(stdout)


def look(spec, context):
    """All containers of the engine that is asked for, or of those that are there."""
    found, missing = {}, []
    for engine in [spec["engine"]] if spec["engine"] else ENGINES:
        try:
            found.update((one.id, one) for one in listed(engine, spec, context))
        except NotThereError as error:
            missing.append(error)
    if len(missing) == (1 if spec["engine"] else len(ENGINES)):
        raise (
            missing[0]
            if spec["engine"]
            else NotThereError("neither podman nor docker is installed", "install one, or remove the check")
        )
    return list(found.values())


def run(spec, context):
    containers = look(spec, context)
    faults = faults_of(containers, spec)
    thresholds, count = (spec["warn"], spec["crit"]), len(faults)
    status = judge(count, *thresholds)
    running = sum(one.state == "running" for one in containers)
    total = "%d of %d containers run" % (running, len(containers))
    words = ["%s %s" % item for item in sorted(faults.items())[:5]] + ["and %d more" % (count - 5)] * (count > 5)
    message = "%s%s; %s" % ("; ".join(words), limits(status, *thresholds), total) if faults else total
    data = [perf("amiss", count, "", thresholds, (0,)), perf("running", running), perf("containers", len(containers))]
    return finding(status, message, count, "", " ".join(data), {"amiss": sorted(faults)[:50]} if faults else None)


FAMILY = family(
    "containers",
    "services",
    "containers of podman and docker that failed, are unhealthy or restarting; named ones run",
    {
        "running": key("list", "names of containers that have to run", ()),
        "ignore": key("list", "patterns of names of containers that may fail", ()),
        "engine": key("str", "look only at this engine; by default at all that are installed", choices=tuple(ENGINES)),
        "user": key("str", "look at the containers of this user (podman without root)"),
        "warn": threshold("count", "number of containers amiss"),
        "crit": threshold("count", "number of containers amiss", "0"),
    },
    run,
    target=lambda spec: ", ".join(spec["running"]),
)
