"""Caches among mounts, in mount namespaces of their own: what is there twice, and what df says of a real disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.base import ProcedureError
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.caches import clean

from .stage import CACHES, a_step, actions

ROOT = Path(__file__).parents[3]
DISK = """
truncate -s 64M {0}/disk && mkfs.ext4 -qF {0}/disk && mkdir {0}/shop && mount -o loop {0}/disk {0}/shop
mkdir -p {0}/shop/cache/deep/er
for size in 0 1 100 4096 5000 300000 3000000; do
    head -c $size /dev/urandom > {0}/shop/cache/$size; head -c $size /dev/urandom > {0}/shop/cache/deep/er/$size
done
ln {0}/shop/cache/5000 {0}/shop/cache/deep/5000; ln {0}/shop/cache/300000 {0}/shop/elsewhere
truncate -s 1G {0}/shop/cache/sparse; ln -s $(printf 'x%.0s' $(seq 200)) {0}/shop/cache/long-link
for n in $(seq 500); do echo > {0}/shop/cache/many$n; done
find {0}/shop/cache -exec touch -h -d '60 days ago' {{}} +; sync
"""
TWICE = """
mkdir {0}/certs {0}/whole {0}/mine {0}/again && mount --bind /etc/ssl {0}/certs && mount --bind / {0}/whole
touch -d '60 days ago' {0}/mine/old && mount --bind {0}/mine {0}/again
"""


def apart(tmp_path: Path, setup: str, *directories: dict[str, Any]) -> list[dict[str, Any]]:
    """What came of each of `directories`, one after the other, after `setup` in a mount namespace that ends then."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("only root may mount")
    script = f'set -e\n{setup.format(tmp_path)}\nexec {sys.executable} -m {__name__} "$1"'
    command = ["unshare", "--mount", "--propagation", "private", "bash", "-c", script, "-", json.dumps(directories)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    answer: list[dict[str, Any]] = json.loads(done.stdout)
    return answer


def main() -> None:
    answer = []
    for one in json.loads(sys.argv[1]):
        path = one["path"]
        before = free_bytes(path)
        step = a_step(CACHES, directories=[{"older_than": "1d", "keep_size": None, "remove_empty": False, **one}])
        try:
            clean(step)
        except ProcedureError as failure:
            answer.append({"refused": failure.message})
        else:
            block = os.statvfs(path).f_bsize
            answer.append({"actions": actions(step), "gained": free_bytes(path) - before, "block": block})
    sys.stdout.write(json.dumps(answer))


def free_bytes(path: str) -> int:
    # Of this filesystem alone: the others have the writes of other tests to wait for.
    subprocess.run(["sync", "--file-system", path], check=True)
    room = os.statvfs(path)
    return room.f_bfree * room.f_frsize


@pytest.mark.parametrize("remove_empty", [False, True])
def test_what_is_freed_is_what_df_says(tmp_path: Path, remove_empty: bool) -> None:
    path = f"{tmp_path}/shop/cache"
    (said,) = apart(tmp_path, DISK, {"path": path, "remove_empty": remove_empty})
    ((_action, target, freed),) = said["actions"]
    assert target == path
    assert abs(freed - said["gained"]) <= said["block"], said
    assert freed > 6_000_000


def test_a_guarded_place_is_known_under_every_name(tmp_path: Path) -> None:
    guarded_files = listing("/etc/ssl")
    names = ("certs/certs", "certs", "whole/usr/share", "whole/var", "whole", "again")
    *guarded, mine = apart(tmp_path, TWICE, *({"path": f"{tmp_path}/{name}"} for name in names))
    for said, why in zip(guarded, ("/etc/ssl/certs", "/etc/ssl", "/usr/share", "/var", "/"), strict=True):
        assert f", which is {why} as well: " in said["refused"]
    assert [action[1] for action in mine["actions"]] == [f"{tmp_path}/again"]
    assert not (tmp_path / "mine" / "old").exists()
    assert listing("/etc/ssl") == guarded_files


def listing(path: str) -> list[str]:
    command = ["find", path, "-printf", "%p %i %s %n %T@\\n"]
    return sorted(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


if __name__ == "__main__":
    main()
