"""Backups of real hosts into real repositories, through power cuts and the loss of what was backed up."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fleet import faults

if TYPE_CHECKING:
    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

PASSWORD = "correct-horse-battery-staple"
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


def backed_up(*paths: str, repository: str = "/var/backups/roundsman") -> dict[str, Any]:
    return {
        "roundsman_backups": [{"id": "data", "type": "files", "paths": list(paths)}],
        "roundsman_repository": repository,
        "roundsman_repository_password": PASSWORD,
    }


def play(fleet: Fleet, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [str(PLAYBOOK), "-i", str(fleet.inventory()), f"roundsman.fleet.{name}", *options]
    return subprocess.run(
        argv, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False, timeout=900
    )


def succeed(fleet: Fleet, name: str, *options: str) -> str:
    said = play(fleet, name, *options)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


@pytest.mark.parametrize("way", ["rest", "sftp"])
def test_a_lost_host_comes_back_from_an_append_only_vault(fleet: Fleet, way: str) -> None:
    """Both releases save to one vault; then the data and everything that Roundsman knew on the host are gone."""
    fleet.quick_repositories = False
    vault = fleet.backup_server("vault1", append_only=True)
    hosts = [fleet.host(f"web-{release}", release=release) for release in ("bookworm", "trixie")]
    for host in hosts:
        vault.trusted_by(host)
        host.vars.update(backed_up("/srv/shop", repository=getattr(vault, way)(host.name)))
        host.run("mkdir -p /srv/shop/sub && seq 100000 > /srv/shop/sub/numbers && ln -s sub /srv/shop/link")
        host.run("chown -R ops /srv/shop && chmod 4750 /srv/shop/sub/numbers")
    before = {host.name: description(host, "/srv/shop") for host in hosts}
    only = ("--limit", "web-*")
    succeed(fleet, "backup", *only)
    succeed(fleet, "verify", *only)

    for host in hosts:
        host.run("rm -rf /srv/shop /var/lib/roundsman")
    missing = play(fleet, "backup", *only)
    assert missing.returncode != 0
    assert "Not there: /srv/shop. Nothing was saved." in missing.stdout + missing.stderr
    wanted = ("-e", "roundsman_restore_source=data", "-e", "roundsman_restore_target=/srv/back")
    assert "changed=1" in succeed(fleet, "restore", *only, *wanted)
    assert "changed=0" in succeed(fleet, "restore", *only, *wanted)
    for host in hosts:
        host.run("mv /srv/back/srv/shop /srv/shop")
        assert description(host, "/srv/shop") == before[host.name]


def description(host: Host, path: str) -> str:
    """What a tree is, told by other programs than ours."""
    told = host.run(
        f"cd {path} && find . -printf '%p %y %m %u %g %T@ %l\\n' | sort && find . -type f | xargs sha256sum"
    )
    return told.stdout


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_a_power_cut_in_mid_backup(fleet: Fleet, release: str) -> None:
    slow = {"roundsman_backup_limit_upload_kib_s": 5000}
    db1 = fleet.host("db1", release=release, variables={**backed_up("/srv/data"), **slow})
    db1.run("mkdir /srv/data && head -c 300M /dev/urandom | split -b 1M - /srv/data/part-")
    running = subprocess.Popen(
        [str(PLAYBOOK), "-i", str(fleet.inventory()), "roundsman.fleet.backup"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 120
    while db1.inside("sh", "-c", "find /var/backups/roundsman/data -type f | grep -q .").returncode != 0:
        assert (running.poll(), time.monotonic() < end) == (None, True)
        time.sleep(0.05)
    db1.kill()
    running.wait(timeout=300)
    assert running.returncode != 0
    db1.vars.update(roundsman_backup_limit_upload_kib_s=0)
    db1.start()
    db1.wait()
    succeed(fleet, "backup")
    assert "changed=0" in succeed(fleet, "verify")
    listed = db1.run(f"RESTIC_PASSWORD={PASSWORD} restic -r /var/backups/roundsman snapshots --json").stdout
    assert listed.count('"short_id"') == 1


def test_a_full_host_says_so_and_its_good_snapshot_stays(fleet: Fleet) -> None:
    web1 = fleet.host("web1", variables=backed_up("/srv/data"))
    web1.run("mkdir /srv/data && echo hello > /srv/data/file")
    succeed(fleet, "backup")
    with faults.full_filesystem(web1, path="/var/lib/roundsman/scratch", size="4M"):
        said = play(fleet, "verify")
        assert said.returncode != 0
        assert "unknown at level restored" in said.stdout + said.stderr
        assert "no_space" in said.stdout + said.stderr
    # Room was made, but the filesystem is still a small one.
    web1.run("umount /var/lib/roundsman/scratch")
    succeed(fleet, "verify")


def test_without_sudo_nothing_is_backed_up_and_ansible_says_why(fleet: Fleet) -> None:
    fleet.host("web1", variables=backed_up("/etc"), broken_sudo=True)
    said = play(fleet, "backup")
    assert said.returncode != 0
    assert "sudo" in (said.stdout + said.stderr).lower()
