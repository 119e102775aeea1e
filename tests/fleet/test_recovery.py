"""What was lost comes back: in place with its service stopped meanwhile, undone again, and on another host."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import time
from typing import TYPE_CHECKING

from tests.fleet import faults
from tests.fleet.putting_back import restored
from tests.fleet.roundsman import PASSWORD, PASSWORD_VARIABLE, Roundsman, kill_everything
from tests.fleet.test_backup import description

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

UNIT = """[Service]
ExecStart=/bin/sleep infinity
ExecStopPost=/bin/sh -c 'ls /srv/shop/sub >> /root/when-stopped'
"""
# Kills the module while it waits for the service to have stopped, once.
KILL = """test ! -e /root/killed && touch /root/killed || exit 0
for lock in /var/lib/roundsman/locks/*.lock; do kill -9 $(cat $lock); done
"""


def test_a_loss_on_the_host_and_the_loss_of_the_host(fleet: Fleet, tmp_path: Path) -> None:
    vault = fleet.backup_server("vault1", append_only=True)
    web1, web2 = fleet.host("web1"), fleet.host("web2", release="trixie")
    for host in (web1, web2):
        vault.trusted_by(host)
    web1.vars.update(
        roundsman_backups=[{"id": "shop", "paths": ["/srv/shop"], "stop": ["shop.service"]}],
        roundsman_repository=vault.rest("web1"),
        roundsman_repository_password=f"{{{{ lookup('env', '{PASSWORD_VARIABLE}') }}}}",
        # Another filesystem, so that files are copied to their place.
        roundsman_restore_scratch_dir="/run/scratch",
    )
    web1.run("mkdir -p /srv/shop/sub && seq 1000 > /srv/shop/sub/numbers && ln -s sub /srv/shop/link")
    web1.run("ln /srv/shop/sub/numbers /srv/shop/sub/same")
    web1.run("chown -R ops /srv/shop && chmod 4750 /srv/shop/sub/numbers")
    web1.run("cat > /etc/systemd/system/shop.service && systemctl start shop.service", text_in=UNIT)
    roundsman = Roundsman(tmp_path, fleet.inventory())
    good = description(web1, "/srv/shop")
    assert roundsman.run("backup", "run", "--limit", "web1").returncode == 0

    web1.run("rm /srv/shop/sub/numbers && echo made-since > /srv/shop/new")
    spoilt = description(web1, "/srv/shop")
    shown = roundsman.run("restore", "web1")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "/srv/shop/sub/numbers (is not there)" in shown.stdout
    for answer, words in ((None, "--yes"), ("no", "not agreed to")):
        refused = answered(roundsman, answer)
        assert refused.returncode == 64
        assert words in refused.stderr
    assert description(web1, "/srv/shop") == spoilt

    done = restored(answered(roundsman, "yes"))["shop"]
    assert description(web1, "/srv/shop") == good
    assert done["done"][0] == "stopped shop.service"
    assert done["done"][-1] == "started shop.service"
    assert web1.run("systemctl is-active shop.service").stdout.strip() == "active"
    assert web1.run("cat /root/when-stopped").stdout == "same\n"

    undo = ("restore", "web1", "--source", "shop", "--snapshot", done["safety"], "--in-place", "--delete", "--yes")
    killed_and_ended(web1, roundsman, undo)
    assert description(web1, "/srv/shop") == spoilt

    printed = roundsman.run("backup", "runbook", "web1").stdout
    assert f"{{{{ lookup('env', '{PASSWORD_VARIABLE}') }}}}" in printed
    address = f"RESTIC_REPOSITORY={vault.rest('web1')} RESTIC_PASSWORD={PASSWORD}"
    kept = web2.run(
        f"{address} restic dump latest --tag source=shop,complete /var/lib/roundsman/manifests/shop.runbook.sh"
    ).stdout
    for text in (printed, kept):
        assert PASSWORD not in text
        said = web2.run(f"rm -rf /srv/restored; RESTIC_PASSWORD={PASSWORD} bash -ec {shlex.quote(text)}").stdout
        assert "FAILED" not in said
        assert description(web2, "/srv/restored/shop/srv/shop") == good
    checks = printed[printed.index("python3 -c") :]
    web2.run("echo 1 >> /srv/restored/shop/srv/shop/sub/numbers")
    assert "sub/numbers: FAILED" in web2.inside("bash", "-c", checks).stdout

    web1.stop()
    with faults.held_restic(web2, "restore"):
        kill_the_controller(web2, roundsman.start("restore", "web1", "--on", "web2", "--in-place", "--yes"))
    moved = roundsman.run("restore", "web1", "--on", "web2", "--in-place", "--yes")
    assert moved.returncode == 0, moved.stdout + moved.stderr
    assert description(web2, "/srv/shop") == good


def kill_the_controller(host: Host, process: subprocess.Popen[str]) -> None:
    """While the host restores."""
    end = time.monotonic() + 120
    while host.inside("pgrep", "-f", "restic restore").returncode != 0:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    kill_everything(process)


def answered(roundsman: Roundsman, answer: str | None) -> subprocess.CompletedProcess[str]:
    """A restore in place that asks on a terminal, or without one."""
    command = ("restore", "web1", "--in-place", "--delete", "--json")
    if answer is None:
        return roundsman.run(*command)
    person, terminal = pty.openpty()
    try:
        os.write(person, f"{answer}\n".encode())
        return subprocess.run(
            roundsman.command(*command), stdin=terminal, capture_output=True, text=True, timeout=900, check=False,
            env=roundsman.environment,
        )  # fmt: skip
    finally:
        os.close(person)
        os.close(terminal)


def killed_and_ended(host: Host, roundsman: Roundsman, command: Sequence[str]) -> None:
    """The service stays down after the kill, then after a restore, and then it starts."""
    drop_in = "/run/systemd/system/shop.service.d/broken.conf"
    host.write(drop_in, "[Service]\nExecStartPost=/bin/false\nExecStopPost=/bin/sh /opt/kill\n")
    host.write("/opt/kill", KILL)
    host.run("systemctl daemon-reload")
    assert roundsman.run(*command).returncode != 0
    host.run("test -e /root/killed")

    failed = roundsman.json(*command)["hosts"][0]
    (record,), (problem,) = failed["restores"], failed["problems"]
    assert record["unfinished"]["stopped"] == ["shop.service"]
    assert record["reason"] == "service_failed", problem
    assert "shop.service ran before the restore and does not run now" in problem["message"]
    assert f"--snapshot {record['safety'][:8]} --in-place" in problem["message"]

    host.run(f"rm {drop_in} && systemctl daemon-reload && systemctl reset-failed shop.service")
    ended = restored(roundsman.run(*command, "--json"))["shop"]
    assert ended["done"][-1] == "started shop.service"
    assert host.run("systemctl is-active shop.service").stdout.strip() == "active"
