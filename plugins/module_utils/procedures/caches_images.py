# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Container images that nothing uses, and what builds left, removed by docker and podman themselves.

What they would remove is found in their own lists, so that a plan is what is done, and nothing is done when there is
nothing to remove. Whatever is in use by then they keep.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import stat
import time

from ..family import size
from ..sources.plan import seconds
from ..thresholds import size_bytes
from .base import ProcedureError, counted
from .programs import answer

# What shows that docker is at work here: asking it otherwise would start its service. podman would make its store.
DOCKER = "/run/docker.pid"
PODMAN_SETTINGS = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
PODMAN_STORE = "/var/lib/containers/storage"
_STORE = re.compile(r'^\s*graphroot\s*=\s*"([^"]+)"', re.MULTILINE)
_COLUMNS = "{{.ID}}\t{{.CreatedAt}}\t{{.Size}}\t{{.Repository}}:{{.Tag}}"
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)? ([+-]\d{4})")
_NAMELESS = "<none>"
# What `docker builder prune` leaves without --all.
_KEPT_BUILDS = ("internal", "frontend")
_RECLAIMED = re.compile(r"^(?:Total reclaimed space|Total):\s*([\d.]+\s*[A-Za-z]+)", re.MULTILINE)


class Images:
    def __init__(self, params):
        self._images = params["images"]
        self._age_s = _age(params, "images_older_than")
        self._build_age_s = _age(params, "build_cache_older_than")

    def clean(self, step):
        """Prune by each program that is at work here; returns what that freed."""
        freed_bytes = 0
        if shutil.which("docker") and os.path.exists(DOCKER):
            freed_bytes += self._prune_images(step, "docker", _used_by_docker)
            freed_bytes += self._prune_builds(step)
        store = podman_store(PODMAN_SETTINGS)
        if shutil.which("podman") and os.path.isdir(store):
            freed_bytes += self._prune_images(step, "podman", _used_by_podman, store)
        return freed_bytes

    def _prune_images(self, step, program, used_by, store=None):
        if self._images == "none":
            return 0
        dangling = self._images == "dangling"
        which = ["--filter", "dangling=true"] if dangling else []
        listed = answer(step, [program, "image", "ls", "--no-trunc", "--format", _COLUMNS, *which])
        doomed = unused(listed, used_by(step), time.time() - (self._age_s or 0))
        named = sorted({name for names, _bytes in doomed.values() for name in names if _NAMELESS not in name})
        words = counted(len(doomed), ("dangling" if dangling else "unused") + " image")
        words += ": " + ", ".join(named) if named else ""
        argv = [program, "image", "prune", "--force", *([] if dangling else ["--all"]), *_until(self._age_s)]
        sizes = [one_bytes for _names, one_bytes in doomed.values()]
        return _prune(step, argv, program + " images", sizes, words, store)

    def _prune_builds(self, step):
        if self._build_age_s is None:
            return 0
        listed = answer(step, ["docker", "system", "df", "--verbose", "--format", "{{json .BuildCache}}"])
        # Images that the plan has are gone by then, and what they shared with builds is theirs no more.
        gone = step.check_mode and any(one["target"] == "docker images" for one in step.record["actions"])
        sizes = abandoned_builds(json.loads(listed) or [], time.time() - self._build_age_s, with_shared=gone)
        words = "{0} that nobody used lately".format(counted(len(sizes), "part of builds", "parts of builds"))
        argv = ["docker", "builder", "prune", "--force", *_until(self._build_age_s)]
        return _prune(step, argv, "docker builds", sizes, words)


def _age(params, name):
    found = seconds(params[name])
    if params[name] is not None and found is None:
        raise ProcedureError("refused", "{0} must be a span such as 7d. Nothing was done.".format(name))
    return found


def _until(age_s):
    return [] if age_s is None else ["--filter", "until={0}s".format(age_s)]


def _prune(step, argv, target, sizes, words, store=None):
    """What that freed: measured in podman's `store`, for podman does not tell; docker does."""
    if not sizes:
        return 0
    # Parts that they share with others stay, so this is the most.
    planned = sum(sizes)
    words = "{0}, at most {1}".format(words, size(planned))
    if step.check_mode:
        step.plan("prune", target, planned, words)
        return 0
    with step.action("prune", target, planned, words) as action:
        before = used_bytes(store, step.tick) if store else 0
        said = answer(step, argv)
        action["size_bytes"] = max(0, before - used_bytes(store, step.tick)) if store else reclaimed_bytes(said)
    return action["size_bytes"]


def unused(listed, used, made_before):
    """id -> (names, size) of the images in `image ls` that no container was made from and that are old enough."""
    found = {}
    for line in listed.splitlines():
        ident, made, words, name = line.split("\t")
        ident = ident.rpartition(":")[2]
        if ident not in used and _moment(made) < made_before:
            found.setdefault(ident, ([], size_bytes(words) or 0))[0].append(name)
    return found


def abandoned_builds(records, used_before, with_shared=False):
    """Sizes of the records in docker's BuildCache that `docker builder prune` removes; those of images are shared."""
    return [
        size_bytes(one["Size"]) or 0
        for one in records
        if one["InUse"] != "true"
        and (with_shared or one["Shared"] != "true")
        and one["CacheType"] not in _KEPT_BUILDS
        and _moment(one["LastUsedAt"] or one["CreatedAt"]) < used_before
    ]


def reclaimed_bytes(said):
    """What docker says that it freed, in powers of 1000."""
    match = _RECLAIMED.search(said)
    return size_bytes(match.group(1)) or 0 if match else 0


def podman_store(settings):
    """Where podman of root keeps its images."""
    for path in settings:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as stream:
                match = _STORE.search(stream.read())
            if match:
                return match.group(1)
    return PODMAN_STORE


def used_bytes(root, tick):
    """Blocks on disk of what lies below a directory, without what is mounted there."""
    total, folders, device = 0, [root], os.stat(root).st_dev
    while folders:
        tick()
        try:
            infos = [(entry.path, entry.stat(follow_symlinks=False)) for entry in os.scandir(folders.pop())]
        except FileNotFoundError:
            continue
        mine = [(path, info) for path, info in infos if info.st_dev == device]
        folders += [path for path, info in mine if stat.S_ISDIR(info.st_mode)]
        total += sum(info.st_blocks * 512 for _path, info in mine)
    return total


def _used_by_docker(step):
    """Ids of the images that containers, running or not, were made from."""
    containers = answer(step, ["docker", "ps", "--all", "--quiet", "--no-trunc"]).split()
    # One that is gone meanwhile makes it fail, and it tells of the others all the same.
    asked = ["docker", "container", "inspect", "--format", "{{.Image}}", *containers]
    return {one.rpartition(":")[2] for one in step.run(asked).out.split()} if containers else set()


def _used_by_podman(step):
    """As for docker, and of the containers of builds as well."""
    return set(answer(step, ["podman", "ps", "--all", "--external", "--no-trunc", "--format", "{{.ImageID}}"]).split())


def _moment(text):
    """Seconds since the epoch of what Go prints for a time."""
    match = _MOMENT.match(text)
    if match is None:
        return 0.0
    return datetime.datetime.strptime(" ".join(match.groups()), "%Y-%m-%d %H:%M:%S %z").timestamp()
