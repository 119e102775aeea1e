# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Container images that nothing uses, and what builds left, removed by docker and podman themselves."""

from __future__ import annotations

import os
import re
import shutil

from ..sources.plan import seconds
from ..thresholds import SIZES
from .base import ProcedureError
from .programs import answer

# What shows that a program is at work here, or was: asking it otherwise would start its service, or make its store.
SIGNS = {"docker": "/run/docker.pid", "podman": "/var/lib/containers/storage"}
_RECLAIMED = re.compile(r"^(?:Total reclaimed space|Total):\s*([\d.]+)\s*([A-Za-z]+)", re.MULTILINE)
_BUILD_CACHE = re.compile(r"^Build Cache\t.*\t([\d.]+)\s*([A-Za-z]+)", re.MULTILINE)


class Images:
    def __init__(self, params):
        self._images = params["images"]
        self._build_age_s = seconds(params["build_cache_older_than"])
        if params["build_cache_older_than"] is not None and self._build_age_s is None:
            raise ProcedureError("refused", "build_cache_older_than must be a span such as 7d. Nothing was done.")

    def clean(self, step):
        """Prune; returns what docker says that it freed (podman does not tell)."""
        freed_bytes = 0
        for program in sorted(SIGNS):
            if shutil.which(program) and os.path.exists(SIGNS[program]):
                if self._images != "none":
                    freed_bytes += self._prune_images(step, program)
                if self._build_age_s is not None and program == "docker":
                    freed_bytes += self._prune_builds(step)
        return freed_bytes

    def _prune_images(self, step, program):
        everything = ["--all"] if self._images == "all" else []
        found = _unused(step, program) if everything else _dangling(step, program)
        if not found:
            return 0
        words = "{0} {1} images, at most {2} MB".format(
            len(found), "unused" if everything else "dangling", sum(found.values()) // 1000000
        )
        return _prune(step, [program, "image", "prune", "--force", *everything], program + " images", words)

    def _prune_builds(self, step):
        said = answer(step, ["docker", "system", "df", "--format", "{{.Type}}\t{{.Size}}\t{{.Reclaimable}}"])
        match = _BUILD_CACHE.search(said)
        if match is None or not _bytes(match):
            return 0
        until = "until={0}s".format(self._build_age_s)
        words = "at most {0} {1}".format(*match.groups())
        return _prune(step, ["docker", "builder", "prune", "--force", "--filter", until], "docker builds", words)


def _prune(step, argv, target, words):
    if step.check_mode:
        step.plan("prune", target, None, words)
        return 0
    with step.action("prune", target, None, words) as action:
        match = _RECLAIMED.search(answer(step, argv))
        if match:
            action["size_bytes"] = _bytes(match)
    return action["size_bytes"] or 0


def _dangling(step, program):
    """id -> size of the images without a name."""
    return _sizes(
        step, program, answer(step, [program, "image", "ls", "--quiet", "--no-trunc", "--filter", "dangling=true"])
    )


def _unused(step, program):
    """id -> size of the images that no container, running or not, was made from."""
    containers = answer(step, [program, "ps", "--all", "--quiet", "--no-trunc"]).split()
    used = answer(step, [program, "inspect", "--format", "{{.Image}}", *containers]).split() if containers else []
    sizes = _sizes(step, program, answer(step, [program, "image", "ls", "--quiet", "--no-trunc"]))
    return {one: count for one, count in sizes.items() if one not in {name.rpartition(":")[2] for name in used}}


def _sizes(step, program, listed):
    ids = sorted(set(listed.split()))
    said = answer(step, [program, "image", "inspect", "--format", "{{.Id}} {{.Size}}", *ids]) if ids else ""
    pairs = (line.split() for line in said.splitlines())
    return {name.rpartition(":")[2]: int(count) for name, count in pairs}


def _bytes(match):
    """What docker calls kB, MB, GB are powers of 1000."""
    return int(float(match.group(1)) * SIZES.get(match.group(2), 1))
