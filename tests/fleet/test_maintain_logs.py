"""Logs on a real host: its own logrotate and timer's state, services that write, and a broken configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fleet.roundsman import Roundsman
from tests.fleet.test_maintain_caches import LISTING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

UNIT = """[Service]
ExecStart=/usr/bin/python3 /srv/writer /var/log/shop/{0}.log
ExecReload=/bin/kill -HUP $MAINPID
"""
# Opens its log again when it is told to, unless it is deaf.
WRITER = """
import signal, sys, time
path = sys.argv[1]
def reopen(*_):
    global log
    log = open(path, "a")
reopen()
signal.signal(signal.SIGHUP, reopen)
while True:
    log.write("x" * 100_000); log.flush(); time.sleep(0.2)
"""
STAGE = r"""
set -e
mkdir /var/log/shop
printf '/var/log/shop/good.log /var/log/shop/deaf.log {\n daily\n rotate 2\n create\n sharedscripts\n'\
' postrotate\n systemctl reload good.service\n endscript\n}\n' > /etc/logrotate.d/shop
printf '"/var/log/shop/good.log" 2026-1-1-0:0:0\n"/var/log/shop/deaf.log" 2026-1-1-0:0:0\n' > /tmp/due
mkdir -p /var/lib/logrotate; (echo 'logrotate state -- version 2'; cat /tmp/due) > /var/lib/logrotate/status
rm /tmp/due
head -c 3M /dev/zero > /var/log/shop/forgotten.log
systemctl daemon-reload
systemctl start good deaf
sleep 1
"""


def maintained(roundsman: Roundsman, *arguments: str) -> dict[str, Any]:
    (host,) = roundsman.json("maintain", "logs", *arguments)["hosts"]
    (record,) = host["maintenance"]
    return dict(record)


def settled(host: Host) -> list[str]:
    """The files of the host but for those that its services write all the time."""
    lines = host.run(LISTING).stdout.splitlines()
    return [line for line in lines if not line.startswith(("/var/log/shop/good.log ", "/var/log/shop/deaf.log "))]


def test_rotation_writers_and_what_nobody_rotates(fleet: Fleet, tmp_path: Path) -> None:
    variables = {"roundsman_default_checks": [], "roundsman_logs_unrotated_size": "1MiB"}
    host = fleet.host("web1", variables=variables)
    roundsman = Roundsman(tmp_path, fleet.inventory())
    host.write("/srv/writer", WRITER)
    for name in ("good", "deaf"):
        host.write(f"/etc/systemd/system/{name}.service", UNIT.format(name))
    host.run(STAGE)
    before = settled(host)

    plan = maintained(roundsman, "--plan")

    assert settled(host) == before
    due = ["/var/log/shop/deaf.log", "/var/log/shop/good.log"]
    assert [(one["action"], one["target"]) for one in plan["actions"]] == [("rotate", path) for path in due]
    assert all(one["size_bytes"] for one in plan["actions"])

    done = maintained(roundsman)

    assert done["status"] == "completed-with-warnings", done["message"]
    assert host.run("cd /var/log/shop && ls").stdout.split() == [
        "deaf.log", "deaf.log.1", "forgotten.log", "good.log", "good.log.1",
    ]  # fmt: skip
    unrotated, deaf = done["warnings"]
    assert unrotated.startswith("nobody rotates /var/log/shop/forgotten.log (3.0 MiB). A stanza for it")
    assert "deaf.service) still writes to /var/log/shop/deaf.log.1" in deaf
    assert "`systemctl restart deaf.service`" in deaf

    host.vars.update(roundsman_logs_reopen={"deaf.service": "reload"}, roundsman_logs_install=True)
    fleet.inventory()
    done = maintained(roundsman)

    assert (done["status"], done["warnings"]) == ("completed", [])
    assert [(one["action"], one["target"]) for one in done["actions"]] == [
        ("add stanza", "/etc/logrotate.d/roundsman-var-log-shop-forgotten-log"),
        ("reload", "deaf.service"),
    ]
    assert int(host.run("stat -c %s /var/log/shop/deaf.log").stdout) > 0

    host.write("/etc/logrotate.d/zz-broken", "/var/log/shop/good.log {\n weekly\n}\n")
    host.run(
        "sed -i 's/good.log\" .*/good.log\" 2026-1-1-0:0:0/' /var/lib/logrotate/status; rm /var/log/shop/good.log.1"
    )
    done = maintained(roundsman)
    assert (done["status"], done["reason"]) == ("failed", "verification_failed")
    assert "/etc/logrotate.d/zz-broken:1: duplicate log entry for /var/log/shop/good.log" in done["message"]
    assert host.run("ls /var/log/shop/good.log.1", check=False).returncode != 0
