"""The kinds of caches: what each would remove, what it removes, and what it says about it."""

from __future__ import annotations

import os
import pwd
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import redis_wire
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import (
    caches_journal,
    caches_kernels,
    caches_packages,
)
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.base import ProcedureError
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.caches import clean, prove
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.caches_journal import Archived, vacuumed
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.caches_kernels import (
    of_debian,
    of_red_hat,
    old_kernels,
)
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.caches_temporary import doomed
from hypothesis import given
from hypothesis import strategies as st

from ..health.servers import listener
from .stage import CACHES, a_step, actions, calls, program

DAY_S = 86400


def old(path: Path, size: int = 10000, days: float = 60) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - days * DAY_S,) * 2)
    return path


def directory(path: Path, **keys: Any) -> dict[str, Any]:
    return {"path": str(path), "older_than": None, "keep_size": None, "remove_empty": False, **keys}


# Directories


def test_what_is_planned_is_what_is_done(tmp_path: Path) -> None:
    for number in range(4):
        old(tmp_path / "cache" / str(number), days=60 * number)
    asked = [directory(tmp_path / "cache", older_than="30d")]
    planned = a_step(CACHES, check=True, directories=asked)
    assert clean(planned) == "would remove 36.0 KiB"
    assert len(list((tmp_path / "cache").iterdir())) == 4
    step = a_step(CACHES, directories=asked)
    assert clean(step) == "freed 36.0 KiB"
    assert actions(step) == actions(planned) == [("remove", str(tmp_path / "cache"), 36864)]
    assert step.record["actions"][0]["detail"] == "3 of 3 files unused for 30 days"
    assert step.record["reclaimed_bytes"] == 36864
    again = a_step(CACHES, directories=asked)
    assert clean(again) == "nothing to remove"
    assert actions(again) == []


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"path": "/etc", "older_than": "1d"}, "nothing is ever removed from /etc"),
        ({"path": "/", "older_than": "1d"}, "no cache of one program"),
        ({"path": "/root", "older_than": "1d"}, "no cache of one program"),
        ({"older_than": "30 days"}, "must be a span"),
        ({"keep_size": "lots"}, "must be a size"),
        ({}, "give older_than, keep_size or both"),
    ],
)
def test_what_is_refused_is_refused_before_anything_is_removed(
    tmp_path: Path, keys: dict[str, Any], words: str
) -> None:
    kept = old(tmp_path / "cache" / "a")
    sound = directory(tmp_path / "cache", older_than="1d")
    with pytest.raises(ProcedureError, match=words) as refused:
        clean(a_step(CACHES, directories=[sound, directory(tmp_path / "cache") | keys]))
    assert refused.value.reason == "refused"
    assert "Nothing was done." in refused.value.message
    assert kept.exists()


def test_a_link_or_nothing_at_the_path_is_said(tmp_path: Path) -> None:
    kept = old(tmp_path / "real" / "a")
    (tmp_path / "link").symlink_to("real")
    asked = [directory(tmp_path / name, older_than="1d") for name in ("link", "gone")]
    step = a_step(CACHES, directories=asked)
    clean(step)
    assert step.record["warnings"] == [
        f"{tmp_path}/link was left alone: a link leads there, or it is no directory; name the directory itself",
        f"{tmp_path}/gone was left alone: No such file or directory",
    ]
    assert kept.exists()


def test_what_is_held_open_is_not_counted(tmp_path: Path) -> None:
    held = old(tmp_path / "cache" / "held\nopen", size=100_000)
    old(tmp_path / "cache" / "free", size=4096)
    with held.open():
        step = a_step(CACHES, directories=[directory(tmp_path / "cache", older_than="1d")])
        clean(step)
    assert step.record["reclaimed_bytes"] == 4096
    (warning,) = step.record["warnings"]
    assert "100.0 KiB stay in use until" in warning
    assert f"(pid {os.getpid()}" in warning


def test_one_kind_that_fails_keeps_no_other_from_being_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = old(tmp_path / "cache" / "a")
    monkeypatch.setattr(caches_packages, "APT", str(tmp_path / "apt"))
    old(tmp_path / "apt" / "archives" / "a.deb")
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "apt-get", "echo 'E: Could not get lock /var/cache/apt/archives/lock' >&2; exit 100")
    step = a_step(CACHES, packages=True, directories=[directory(tmp_path / "cache", older_than="1d")])
    with pytest.raises(ProcedureError) as failed:
        clean(step)
    assert failed.value.reason == "locked"
    assert not gone.exists()
    assert [one["outcome"] for one in step.record["actions"]] == ["failed", "done"]
    assert step.record["reclaimed_bytes"] == 12288


# Homes

# As pip 23 to 25 and npm 7 to 11 lay them out.
PIP = (
    "http/0/1/2/3/4/01234", "http-v2/a/b/c/d/e/abcde", "http-v2/a/b/c/d/e/abcde.body", "selfcheck/0f3a",
    "wheels/1a/b0/8c/5f/docopt-0.6.2-py2.py3-none-any.whl", "wheels/1a/b0/8c/5f/origin.json",
)  # fmt: skip
NPM = ("content-v2/sha512/42/f1/c0ffee", "index-v5/d8/d7/c0ffee", "tmp/git-cloneXXbeef")


def test_caches_of_pip_and_npm_in_homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uids = {"root": 0, "ops": 1000, "daemon": 33, "linked": 1001}
    homes = {name: tmp_path / name for name in uids}
    entries = [SimpleNamespace(pw_dir=str(home), pw_uid=uids[name]) for name, home in homes.items()]
    monkeypatch.setattr(pwd, "getpwall", lambda: entries)
    for home in homes.values():
        for name in (*(f".cache/pip/{one}" for one in PIP), *(f".npm/_cacache/{one}" for one in NPM)):
            old(home / name)
        old(home / ".cache/pip/http-v2/new.body", days=2)
        old(home / ".npm/_logs/debug-0.log")
        old(home / ".config/pip/pip.conf")
    (homes["linked"] / ".cache").rename(tmp_path / "elsewhere")
    (homes["linked"] / ".cache").symlink_to(tmp_path / "elsewhere")
    before = {name: files(tmp_path / name) for name in ("daemon", "elsewhere")}
    asked = {"homes": [".cache/pip", ".npm/_cacache"]}
    planned = a_step(CACHES, check=True, **asked)
    clean(planned)
    step = a_step(CACHES, **asked)
    clean(step)
    assert [one[:2] for one in actions(step)] == [one[:2] for one in actions(planned)]
    cleaned = [f"{home}/{name}" for home in ("ops", "root") for name in (".cache/pip", ".npm/_cacache")]
    assert sorted(one[1] for one in actions(step)) == sorted(
        f"{tmp_path}/{name}" for name in ("linked/.npm/_cacache", *cleaned)
    )
    for name in ("ops", "root"):
        assert files(homes[name]) == [".cache/pip/http-v2/new.body", ".config/pip/pip.conf", ".npm/_logs/debug-0.log"]
    assert {name: files(tmp_path / name) for name in before} == before
    assert step.record["warnings"] == []


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# Packages


def test_downloaded_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches_packages, "APT", str(tmp_path / "apt"))
    monkeypatch.setattr(caches_packages, "DNF", [str(tmp_path / "libdnf")])
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "apt-get", f"rm -f {tmp_path}/apt/archives/*.deb {tmp_path}/apt/pkgcache.bin")
    program(tmp_path, "dnf", f"rm -f {tmp_path}/libdnf/*/*.rpm")
    old(tmp_path / "apt" / "pkgcache.bin")
    assert clean(a_step(CACHES, packages=True)) == "nothing to remove", "the index comes again: it alone is nothing"
    for name in ("apt/archives/a.deb", "apt/archives/partial/b.deb", "libdnf/base/c.rpm"):
        old(tmp_path / name)
    old(tmp_path / "libdnf/base/repodata")
    planned = a_step(CACHES, check=True, packages=True)
    clean(planned)
    assert actions(planned) == [("clean", f"{tmp_path}/apt", 24576), ("clean", f"{tmp_path}/libdnf", 12288)]
    assert calls(tmp_path) == []
    step = a_step(CACHES, packages=True)
    clean(step)
    assert actions(step) == [("clean", f"{tmp_path}/apt", 24576), ("clean", f"{tmp_path}/libdnf", 12288)]
    assert calls(tmp_path) == ["apt-get clean", "dnf -y clean packages"]


# The journal


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 50)), max_size=8),
    st.one_of(st.none(), st.integers(0, 200)),
    st.one_of(st.none(), st.integers(0, 100)),
)
def test_the_oldest_journals_until_both_limits_are_kept(
    files: list[tuple[int, int]], max_bytes: int | None, before_us: int | None
) -> None:
    archived = [Archived(*one) for one in files]
    gone = vacuumed(archived, max_bytes, before_us)
    left = sorted(archived)[len(gone) :]
    assert gone == sorted(archived)[: len(gone)]
    assert max_bytes is None or sum(one.size_bytes for one in left) <= max_bytes
    assert before_us is None or all(one.began_us >= before_us for one in left)
    if gone:
        needed = [*gone[-1:], *left]
        too_much = max_bytes is not None and sum(one.size_bytes for one in needed) > max_bytes
        assert too_much or (before_us is not None and gone[-1].began_us < before_us)


def test_which_journals_are_archived(tmp_path: Path) -> None:
    seconds = int((time.time() - 50 * DAY_S) * 1e6)
    for name in (
        "system.journal",
        "user-1000.journal",
        f"system@{'a' * 32}-{1:016x}-{seconds:016x}.journal",
        f"user-1000@{seconds:016x}-{2:016x}.journal~",
        "notes.txt",
    ):
        old(tmp_path / name)
    found = caches_journal._archived(str(tmp_path))
    assert found == [Archived(seconds, 12288)] * 2


def test_a_wrong_limit_of_the_journal_is_refused() -> None:
    with pytest.raises(ProcedureError, match="journal_age must be such as 30d, not 30 days"):
        clean(a_step(CACHES, journal_age="30 days"))


# Temporary files


def test_what_systemd_says_that_it_removes() -> None:
    said = (
        'Running clean action for entry d /tmp\nRemoving "/tmp/a b".\nRemoving directory "/tmp/d".\n'
        'Would remove "/var/tmp/c"\nFailed to remove "/tmp/a b", ignoring: Read-only file system\n'
        'File "/tmp/new": modify time 2026 is too new.\n'
    )
    assert doomed(said) == ["/tmp/a b", "/var/tmp/c"]


# Kernels

DEBIAN = "\n".join(
    f"{status}\t{name}\t{version}\t{size}"
    for status, name, version, size in [
        ("ii ", "linux-image-amd64", "6.1.147-1", 14),
        ("ii ", "linux-image-6.1.0-9-amd64", "6.1.27-1", 400000),
        ("ii ", "linux-headers-6.1.0-9-amd64", "6.1.27-1", 5000),
        ("ii ", "linux-headers-6.1.0-9-common", "6.1.27-1", 50000),
        ("ii ", "linux-image-6.1.0-10-amd64", "6.1.38-1", 400000),
        ("ii ", "linux-image-6.1.0-38-amd64", "6.1.147-1", 400000),
        ("hi ", "linux-image-6.1.0-39-amd64", "6.1.148-1", 400000),
        ("rc ", "linux-image-6.1.0-7-amd64", "6.1.20-1", 0),
        ("iF ", "linux-image-6.1.0-6-amd64", "6.1.15-1", 400000),
        ("ii ", "linux-image-generic-hwe-22.04", "5.15.0.100.98", 14),
        ("ii ", "linux-libc-dev", "6.1.147-1", 9000),
        ("ii ", "linux-base", "4.9", 30),
    ]
)
UBUNTU = "\n".join(
    f"ii \tlinux-{kind}-5.15.0-{number}{flavour}\t5.15.0-{number}.1\t1000"
    for number in (91, 92, 100)
    for kind, flavour in (
        ("image", "-generic"), ("modules", "-generic"), ("modules-extra", "-generic"), ("headers", ""),
        ("headers", "-generic"),
    )
)  # fmt: skip
RED_HAT = (
    "\n".join(
        f"{name}\t5.14.0-{release}.el9.x86_64\t1000"
        for release in ("70.13.1", "362.8.1", "362.18.1", "427.1.1")
        for name in ("kernel", "kernel-core", "kernel-modules", "kernel-devel")
    )
    + "\nkernel-tools\t5.14.0-427.1.1.el9.x86_64\t9000"
)


STAYS = (
    "kernel 6.1.0-9 stays, for nvidia-driver would go with it. To remove both, use "
    "`apt-get remove linux-image-6.1.0-9-amd64`"
)


def chosen(packages: list[Any], running: str, keep: int, removable: set[str] | None = None) -> list[str]:
    names = {one.name for one in packages} if removable is None else removable
    return [one.name for _release, group in old_kernels(packages, names, running, keep) for one in group]


@pytest.mark.parametrize(
    ("running", "keep", "releases"),
    [
        ("6.1.0-38-amd64", 0, {"6.1.0-9", "6.1.0-10"}),
        ("6.1.0-38-amd64", 1, {"6.1.0-9", "6.1.0-10"}),
        ("6.1.0-39-amd64", 1, {"6.1.0-9", "6.1.0-10"}),
        ("6.1.0-9-amd64", 0, {"6.1.0-10", "6.1.0-38"}),
        ("6.1.0-9-amd64", 3, set()),
        ("6.18.44-of-the-host-of-this-container", 0, set()),
    ],
)
def test_old_kernels_of_debian(running: str, keep: int, releases: set[str]) -> None:
    packages = of_debian(DEBIAN)
    assert {one.release for one in packages} == {"6.1.0-9", "6.1.0-10", "6.1.0-38", "6.1.0-39"}
    found = old_kernels(packages, {one.name for one in packages}, running, keep)
    assert {release for release, _group in found} == releases


def test_what_somebody_asked_for_stays() -> None:
    assert chosen(of_debian(DEBIAN), "6.1.0-39-amd64", 0, {"linux-image-6.1.0-10-amd64", "vim"}) == [
        "linux-image-6.1.0-10-amd64"
    ]


def test_all_packages_of_an_old_kernel_of_ubuntu() -> None:
    found = chosen(of_debian(UBUNTU), "5.15.0-100-generic", 1)
    assert sorted(found) == [
        "linux-headers-5.15.0-91", "linux-headers-5.15.0-91-generic", "linux-image-5.15.0-91-generic",
        "linux-modules-5.15.0-91-generic", "linux-modules-extra-5.15.0-91-generic",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("package", "release"),
    [
        ("linux-image-6.12.48+deb13-amd64", "6.12.48+deb13"),
        ("linux-headers-6.12.48+deb13-common", "6.12.48+deb13"),
        ("linux-image-6.1.0-0.deb11.5-amd64", "6.1.0-0.deb11.5"),
        ("linux-image-6.12.9+bpo-cloud-amd64-unsigned", "6.12.9+bpo"),
        ("linux-modules-nvidia-535-5.15.0-91-generic", "5.15.0-91"),
        ("linux-image-6.18.44-of-my-own", "6.18.44"),
        ("linux-image-generic-6.8", None),
        ("linux-image-generic-hwe-22.04-edge", None),
        ("linux-image-686-pae", None),
    ],
)
def test_names_of_kernels(package: str, release: str | None) -> None:
    """Those of Debian 13, of backports and of kernels of one's own; of meta packages only the name looks alike."""
    found = of_debian(f"ii \t{package}\t1\t1000")
    assert [one.release for one in found] == ([release] if release else [])


def test_old_kernels_of_red_hat() -> None:
    found = chosen(of_red_hat(RED_HAT), "5.14.0-362.18.1.el9.x86_64", 0)
    assert {one.partition("-5.14")[2] for one in found} == {".0-70.13.1.el9.x86_64", ".0-362.8.1.el9.x86_64"}
    assert "kernel-devel-5.14.0-70.13.1.el9.x86_64" in found


@pytest.mark.parametrize("also", ["", "Remv nvidia-driver [525]\n"])
def test_kernels_by_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, also: str) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(caches_kernels.os, "uname", lambda: os.uname_result(["Linux", "a", "6.1.0-39-amd64", "", ""]))
    (tmp_path / "listed").write_text(DEBIAN)
    program(tmp_path, "dpkg-query", f"cat {tmp_path}/listed")
    old = "Remv linux-image-6.1.0-9-amd64 [1]\n"
    program(
        tmp_path, "apt-get",
        f"case $* in *autoremove) printf '{old}Remv vim [1]\n';; --simulate*) printf '{old}{also}';;"
        f" *) echo gone >> {tmp_path}/gone;; esac",
    )  # fmt: skip
    planned = a_step(CACHES, check=True, kernels=True)
    clean(planned)
    if also:
        assert actions(planned) == []
        assert planned.record["warnings"] == [STAYS]
    else:
        assert actions(planned) == [("remove", "kernel 6.1.0-9", 409600000)]
        assert planned.record["actions"][0]["detail"] == "linux-image-6.1.0-9-amd64 6.1.27-1"
    assert all("--simulate" in call for call in calls(tmp_path) if call.startswith("apt-get"))
    step = a_step(CACHES, kernels=True, state_dir=str(tmp_path / "state"))
    clean(step)
    assert (tmp_path / "gone").exists() == (not also)
    assert step.record["warnings"] == planned.record["warnings"]
    if not also:
        assert calls(tmp_path)[-1].endswith("DPkg::Lock::Timeout=0 remove linux-image-6.1.0-9-amd64")
        assert step.record["reclaimed_bytes"] == 409600000


def test_a_kernel_that_is_half_removed_is_no_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "dpkg", "echo vim is broken, and was before")
    assert prove(a_step(CACHES)) == "kernels are whole"
    program(tmp_path, "dpkg", "echo ' linux-image-6.1.0-9-amd64 Linux 6.1 for 64-bit PCs'")
    with pytest.raises(ProcedureError, match=r"has to repair linux-image-6\.1\.0-9-amd64") as failed:
        prove(a_step(CACHES))
    assert failed.value.reason == "verification_failed"


# Servers


def eviction(**keys: Any) -> dict[str, Any]:
    names = ("redis", "memcached", "match", "username", "password")
    return {**dict.fromkeys(names), "database": 0, **keys}


class Memcached:
    def __init__(self) -> None:
        self.items = 3

    def behave(self, connection: Any) -> None:
        for line in connection.makefile("rb"):
            if line == b"stats\r\n":
                connection.sendall(b"STAT version 1.6 x\r\nSTAT curr_items %d\r\n" % self.items)
                connection.sendall(b"STAT bytes 4096\r\nEND\r\n")
            else:
                self.items = 0
                connection.sendall(b"OK\r\n")


def test_memcached_is_emptied_only_when_asked_by_name() -> None:
    server = Memcached()
    with listener(server.behave) as port:
        evict = [eviction(memcached=f"127.0.0.1:{port}")]
        planned = a_step(CACHES, check=True, evict=evict)
        clean(planned)
        assert server.items == 3
        assert planned.record["actions"][0]["detail"] == "3 items of 4.0 KiB"
        clean(a_step(CACHES, evict=evict))
        assert server.items == 0
        assert clean(a_step(CACHES, evict=evict)) == "nothing to remove"


class Redis:
    """A server that takes ten seconds for each of the four parts of its keys."""

    def __init__(self) -> None:
        self.removed: list[bytes] = []
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def behave(self, connection: Any) -> None:
        lines = connection.makefile("rb")
        for line in lines:
            words = [(lines.readline(), lines.readline()[:-2])[1] for _word in range(int(line[1:]))]
            if words[0] == b"SCAN":
                self.now += 10
                after = (int(words[1]) + 1) % 4
                connection.sendall(b"*2\r\n$1\r\n%d\r\n*1\r\n$1\r\n%s\r\n" % (after, words[1]))
            elif words[0] == b"UNLINK":
                self.removed += words[1:]
                connection.sendall(b":1\r\n")
            elif words[0] == b"INFO":
                connection.sendall(b"$15\r\nused_memory:100\r\n")
            else:
                connection.sendall(b"+PONG\r\n")


def test_a_large_redis_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Redis()
    monkeypatch.setattr(redis_wire, "time", server)
    with listener(server.behave) as port:
        clean(a_step(CACHES, evict=[eviction(redis=f"127.0.0.1:{port}", match="*")]))
    assert server.removed == [b"0", b"1", b"2", b"3"]


def test_redis_is_never_emptied_without_saying_which_keys() -> None:
    with pytest.raises(ProcedureError, match=r"match is wanted, for example cache:\*, or \* for all keys"):
        clean(a_step(CACHES, evict=[eviction(redis="localhost:6379")]))
