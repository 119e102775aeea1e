"""Container images and builds, in the words of podman 4.3 and 5.4 and of docker 20.10 and 26.1, on Debian 12 and 13."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import caches_images
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.base import ProcedureError
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.caches import clean
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.caches_images import (
    abandoned_builds,
    podman_store,
    reclaimed_bytes,
    unused,
)

from .stage import CACHES, a_step, calls, program

# 2026-11-26 12:00 UTC
NOW = 1795694400
PODMAN = """\
sha256:ec6a\t2026-11-26 11:49:36 +0000 UTC\t4.88 MB\tlocalhost/ext:1
sha256:c3a5\t2026-11-24 11:49:36 +0000 UTC\t3.98 MB\tlocalhost/two:1
sha256:c3a5\t2026-11-24 11:49:36 +0000 UTC\t3.98 MB\tlocalhost/also:2
sha256:c4a5\t2026-11-20 11:49:35 +0000 UTC\t4.98 MB\t<none>:<none>
sha256:38a6\t2026-11-20 11:43:46 +0000 UTC\t2.99 MB\t<none>:<none>
"""
DOCKER = "sha256:96cc\t2026-11-26 12:47:41 +0100 CET\t4.96MB\t<none>:<none>\n"
BUILDS = [
    {
        "CacheType": kind, "CreatedAt": "2026-11-20 11:47:54.995938505 +0000 UTC", "Description": "fileop target",
        "ID": "dj1x", "InUse": in_use, "LastUsedAt": used_at, "Parent": "", "Shared": shared, "Size": size,
        "UsageCount": "1",
    }
    for kind, in_use, used_at, shared, size in (
        ("regular", "false", "2026-11-25 11:47:56.037462053 +0000 UTC", "false", "1.98MB"),
        ("regular", "false", "2026-11-20 11:47:56.037462053 +0000 UTC", "true", "1.98MB"),
        ("regular", "true", "2026-11-20 11:47:56.037462053 +0000 UTC", "false", "1.98MB"),
        ("frontend", "false", "2026-11-20 11:47:56.037462053 +0000 UTC", "false", "1.98MB"),
        ("source.local", "false", "2026-11-20 11:47:56.037462053 +0000 UTC", "false", "60B"),
        ("source.local", "false", "", "false", "1.982kB"),
    )
]  # fmt: skip


def test_images_that_nothing_uses_and_that_are_old_enough() -> None:
    assert unused(PODMAN, {"c4a5"}, NOW - 86400) == {
        "c3a5": (["localhost/two:1", "localhost/also:2"], 3_980_000),
        "38a6": (["<none>:<none>"], 2_990_000),
    }
    assert list(unused(PODMAN, set(), NOW)) == ["ec6a", "c3a5", "c4a5", "38a6"]
    made_at = NOW - 12 * 60 - 19
    assert unused(DOCKER, set(), made_at) == {}
    assert unused(DOCKER, set(), made_at + 1) == {"96cc": (["<none>:<none>"], 4_960_000)}


def test_what_builds_left_and_nobody_used_lately() -> None:
    assert abandoned_builds(BUILDS, NOW - 86400 * 3) == [60, 1982]
    assert abandoned_builds(BUILDS, NOW - 86400 * 3, with_shared=True) == [1_980_000, 60, 1982]


@pytest.mark.parametrize(
    ("said", "freed"),
    [
        ("Total reclaimed space: 0B\n", 0),
        ("Deleted Images:\ndeleted: sha256:0201\n\nTotal reclaimed space: 6.965MB\n", 6_965_000),
        ("ID\tRECLAIMABLE\tSIZE\nx7uq*\ttrue\t60B\nTotal:\t9.911MB\n", 9_911_000),
        ("", 0),
    ],
)
def test_what_docker_says_that_it_freed(said: str, freed: int) -> None:
    assert reclaimed_bytes(said) == freed


def test_where_podman_keeps_its_images(tmp_path: Path) -> None:
    settings = [str(tmp_path / name) for name in ("etc", "usr")]
    assert podman_store(settings) == "/var/lib/containers/storage"
    (tmp_path / "usr").write_text('[storage]\n# graphroot = "/no"\ngraphroot = "/usr"\n')
    assert podman_store(settings) == "/usr"
    (tmp_path / "etc").write_text('[storage]\n  graphroot="/srv/storage"\n')
    assert podman_store(settings) == "/srv/storage"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with the programs that a test puts there, and no others."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(caches_images, "DOCKER", str(tmp_path / "docker"))
    monkeypatch.setattr(caches_images, "PODMAN_SETTINGS", [])
    monkeypatch.setattr(caches_images, "PODMAN_STORE", str(tmp_path / "podman-store"))
    monkeypatch.setattr(time, "time", lambda: NOW)
    return tmp_path


def shown(step: Any) -> list[tuple[str, int, str]]:
    return [(one["target"], one["size_bytes"], one["detail"]) for one in step.record["actions"]]


def test_podman(stage: Path) -> None:
    layer = stage / "podman-store" / "vfs" / "layer"
    layer.parent.mkdir(parents=True)
    layer.write_bytes(b"x" * 100_000)
    (stage / "listed").write_text(PODMAN)
    program(
        stage, "podman",
        f"case $* in 'image ls'*) cat {stage}/listed;; ps*--external*) echo c4a5; echo 38a6;;"
        f" 'image prune'*) rm {layer}; echo c3a5;; esac",
    )  # fmt: skip
    planned = a_step(CACHES, check=True, images="all", images_older_than="1d")
    clean(planned)
    named = "1 unused image: localhost/also:2, localhost/two:1, at most 3.8 MiB"
    assert shown(planned) == [("podman images", 3_980_000, named)]
    assert not [call for call in calls(stage) if "prune" in call]

    step = a_step(CACHES, images="all", images_older_than="1d")
    clean(step)
    assert shown(step) == [("podman images", 102_400, named)]
    assert step.record["reclaimed_bytes"] == 102_400
    assert [call for call in calls(stage) if "prune" in call] == [
        "podman image prune --force --all --filter until=86400s"
    ]

    (stage / "listed").write_text("")
    again = a_step(CACHES, images="dangling", images_older_than="1d")
    assert clean(again) == "nothing to remove"
    assert "--filter dangling=true" in calls(stage)[-2]


def test_docker(stage: Path) -> None:
    (stage / "listed").write_text(DOCKER.replace("11-26", "11-20"))
    (stage / "builds").write_text(json.dumps(BUILDS))
    program(
        stage, "docker",
        f"case $* in 'image ls'*) cat {stage}/listed;; ps*) echo c1; echo gone;; 'system df'*) cat {stage}/builds;;"
        " 'container inspect'*) echo sha256:38a6; echo 'Error: No such container: gone' >&2; exit 1;;"
        " 'image prune'*) printf 'Deleted Images:\ndeleted: sha256:96cc\n\nTotal reclaimed space: 3.25MB\n';;"
        " 'builder prune'*) printf 'ID\tSIZE\nTotal:\t1.2GB\n';; esac",
    )  # fmt: skip
    asked = {"images": "dangling", "images_older_than": "1d", "build_cache_older_than": "3d"}
    planned = a_step(CACHES, check=True, **asked)
    clean(planned)
    words = ["1 dangling image, at most 4.7 MiB", "2 parts of builds that nobody used lately, at most 2.0 KiB"]
    both = "3 parts of builds that nobody used lately, at most 1.9 MiB"
    assert shown(planned) == [("docker images", 4_960_000, words[0]), ("docker builds", 1_982_042, both)]
    assert not [call for call in calls(stage) if "prune" in call]

    step = a_step(CACHES, **asked)
    clean(step)
    assert shown(step) == [("docker images", 3_250_000, words[0]), ("docker builds", 1_200_000_000, words[1])]
    assert [call for call in calls(stage) if "prune" in call] == [
        "docker image prune --force --filter until=86400s",
        "docker builder prune --force --filter until=259200s",
    ]

    (stage / "listed").write_text(DOCKER.replace("96cc", "38a6").replace("11-26", "11-20"))
    (stage / "builds").write_text("null\n")
    assert clean(a_step(CACHES, **asked)) == "nothing to remove", "its container is only stopped"


def test_programs_that_are_not_at_work_are_not_woken(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (stage / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{stage}/bin:/usr/bin:/bin")
    for name in ("docker", "podman"):
        program(stage / "bin", name, "exit 1")
    clean(a_step(CACHES, images="all", build_cache_older_than="7d"))
    assert calls(stage / "bin") == []


def test_an_age_that_nobody_understands_is_refused() -> None:
    with pytest.raises(ProcedureError, match=r"images_older_than must be a span such as 7d\. Nothing"):
        clean(a_step(CACHES, images_older_than="a day"))
