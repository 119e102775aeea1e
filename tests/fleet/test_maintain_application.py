"""Versions of a small service on a real host: those that fail are taken back, and the old one serves again."""

from __future__ import annotations

import json

import pytest

from tests.fleet.roundsman import Roundsman, kill_everything
from tests.fleet.waiting import listening, until

SERVER = """
import http.server, sys, time
VERSION, SLOW_S, FILLS, STARTS = {version!r}, {slow_s}, {fills}, {starts}
if not STARTS:
    sys.exit("cannot find the module shop")
if FILLS:
    try:
        with open("ballast", "wb") as file:
            while True:
                file.write(bytes(65536))
    except OSError:
        pass
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(SLOW_S if self.path == "/" else 0)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(VERSION.encode())
http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
"""
UNIT = """[Service]
WorkingDirectory=/srv/shop/current
ExecStart=/usr/bin/python3 server.py
Restart=on-failure
RestartSec=100ms
"""
STATE = "/var/lib/roundsman"
# The first time it never ends, so that it can be killed there.
MIGRATE = "echo $PPID > /run/shop/module; test -e /run/shop/once || { touch /run/shop/once; exec sleep 300; }"
SHOP = {
    "id": "shop", "path": "/srv/shop", "unit": "shop.service", "user": "ops", "verify_within_s": 12, "keep": 2,
    "fetch": 'cp "/srv/artifacts/$ROUNDSMAN_VERSION.py" server.py',
    "verify": 'test "$(curl -fsm 5 http://127.0.0.1:8080/version)" = "$ROUNDSMAN_VERSION"',
}  # fmt: skip
CHECKS = [
    {"type": "systemd"},
    {"id": "api", "type": "http", "url": "http://127.0.0.1:8080/", "warn": None, "timeout": "30s"},
    {"id": "disk", "type": "filesystem", "path": "/srv/shop"},
]
VARIABLES = {"roundsman_default_checks": [], "roundsman_checks": CHECKS, "roundsman_maintain_settle_s": 0}


class Desk:
    def __init__(self, fleet, folder):
        self.fleet = fleet
        self.host = fleet.host("shop1", failed_unit=True, variables=VARIABLES)
        self.folder = folder
        versions = {
            "1.0": {}, "1.1": {}, "2.0": {"starts": False}, "3.0": {"slow_s": 4}, "4.0": {"fills": True}, "5.0": {},
        }  # fmt: skip
        for version, faults in versions.items():
            how = {"slow_s": 0, "fills": False, "starts": True, **faults}
            self.host.write(f"/srv/artifacts/{version}.py", SERVER.format(version=version, **how))
        self.host.write("/etc/systemd/system/shop.service", UNIT)
        self.host.run(
            "install -d -o ops /run/shop && install -d /srv/shop && mount -t tmpfs -o size=8M shop /srv/shop"
            f" && install -d -m 700 {STATE} && mount -t tmpfs -o size=8M,mode=700 state {STATE}"
            " && systemctl daemon-reload"
        )

    def want(self, version, **more):
        self.host.vars["roundsman_applications"] = [{**SHOP, "version": version, **more}]
        return Roundsman(self.folder, self.fleet.inventory())

    def bring(self, version, *arguments, **more):
        """The record of maintenance with this version wanted."""
        report = self.want(version, **more).json("maintain", "application", "shop1", *arguments)
        (record,) = report["hosts"][0]["maintenance"]
        return record

    def serves(self):
        return self.host.run("curl -fsm 30 http://127.0.0.1:8080/version", check=False).stdout


@pytest.fixture(scope="module")
def desk(shared_fleet, tmp_path_factory):
    made = Desk(shared_fleet, tmp_path_factory.mktemp("roundsman"))
    assert made.bring("1.0")["status"] == "completed"
    assert made.serves() == "1.0"
    return made


@pytest.mark.parametrize(
    ("version", "phase", "words"),
    [
        ("2.0", "execute", "shop 2.0: verify failed: shop.service is "),
        ("3.0", "verify", "worse than before: api is OK: answers in "),
        ("4.0", "verify", "worse than before: disk is CRITICAL: /srv/shop 100% used"),
    ],
)
def test_a_bad_version_is_rolled_back_and_the_old_one_serves(desk, version, phase, words):
    """A service that no longer starts, a slower API, a full disk; payroll.service has failed all the time."""
    record = desk.bring(version)
    assert (record["status"], record["phase"]) == ("rolled-back", phase), record
    assert words in record["message"]
    assert "payroll" not in record["message"]
    assert desk.serves() == "1.0"
    assert desk.host.run("systemctl is-active shop; ls /srv/shop/releases").stdout.split() == ["active", "1.0"]


def test_a_plan_changes_nothing(desk):
    look = "find /srv /etc /var/lib/roundsman -newer /tmp/mark -not -path '/var/lib/roundsman/ledger*'; ls /srv/shop/*"
    desk.host.run("touch /tmp/mark")
    before = desk.host.run(look).stdout
    record = desk.bring("1.1", "--plan")
    assert [(one["action"], one["outcome"]) for one in record["actions"]] == [
        (name, "planned") for name in ("fetch", "stop", "switch", "start", "verify")
    ]
    assert desk.host.run(look).stdout == before


def test_a_run_killed_in_the_middle_is_gone_on_with(desk):
    """Controller and module die in the migration, and the service is down; the next run begins there."""
    how = {"migrate": MIGRATE, "irreversible": False}
    process = desk.want("1.1", **how).start("maintain", "application", "shop1")
    desk.host.run(until("test -e /run/shop/once", limit_s=120))
    kill_everything(process)
    desk.host.run("kill -KILL $(cat /run/shop/module)")
    assert desk.serves() == ""

    record = desk.bring("1.1", **how)

    assert record["status"] == "completed", record
    (died,) = record["previous"]
    assert [(one["action"], one["outcome"]) for one in died["actions"]][-2:] == [
        ("switch", "done"),
        ("migrate", "interrupted"),
    ]
    assert [one["action"] for one in record["actions"]] == ["migrate", "start", "verify"]
    assert desk.serves() == "1.1"
    known = json.loads(desk.host.read("/var/lib/roundsman/applications/shop.json"))
    assert (known["serving"], known["update"]["begun"]) == ("1.1", "done")


# All but 100 KiB: room for the lease and the journal, and not for a way back.
FILL = f"head -c $(($(stat -f -c '%a * %S' {STATE}) - 102400)) /dev/zero > {STATE}/ballast"
SERVES = "systemctl show -P MainPID shop; ls /srv/shop/releases"


def test_a_disk_without_room_for_the_way_back_stops_nothing(desk):
    serves = desk.host.run(SERVES).stdout
    desk.host.run(FILL)
    refused = desk.bring("5.0")
    assert (refused["status"], refused["reason"], refused["actions"]) == ("failed", "no_space", []), refused
    assert f"{STATE}/applications has no room for the 256 KiB" in refused["message"]
    assert desk.host.run(SERVES).stdout == serves
    desk.host.run(f"rm {STATE}/ballast")


def test_a_disk_that_becomes_full_leaves_an_account_and_the_old_version(desk):
    fills = {"command": f"cat /dev/zero > {STATE}/ballast || true", "user": "root"}
    record = desk.bring("5.0", migrate=fills, irreversible=False)
    assert (record["status"], record["reason"]) == ("rolled-back", "no_space"), record
    done = [one["action"] for one in record["actions"] if one["outcome"] == "done"]
    assert done[:3] == ["fetch", "stop", "switch"]
    assert done[-4:] == ["stop", "switch back", "start", "verify"]
    assert record["warnings"] == []
    assert desk.serves() == "1.1"
    desk.host.run(f"rm {STATE}/ballast")


TICK_UNIT = """[Service]
ExecStart=/bin/sh ${ROUNDSMAN_RELEASE}/tick.sh
"""
ARTIFACTS_UNIT = """[Service]
WorkingDirectory=/srv/artifacts
ExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 8090
"""
# version -> what its only file does
TICKS = {"1": "exec sleep infinity", "2": "exit 1"}
PACK = """
for version in 1 2; do tar -czf /srv/artifacts/tick-$version.tar.gz -C /srv/ticks/$version tick.sh; done
systemctl daemon-reload && systemctl start artifacts
cd /srv/artifacts && sha256sum tick-1.tar.gz tick-2.tar.gz
"""


def test_a_unit_has_its_version_in_a_drop_in_and_its_release_from_an_archive(desk):
    """A wrong checksum changes nothing, and a release that does not start leaves the drop-in as it was."""
    for version, text in TICKS.items():
        desk.host.write(f"/srv/ticks/{version}/tick.sh", text)
    desk.host.write("/etc/systemd/system/tick.service", TICK_UNIT)
    desk.host.write("/etc/systemd/system/artifacts.service", ARTIFACTS_UNIT)
    sums = [line.split()[0] for line in desk.host.run(PACK).stdout.splitlines()]
    desk.host.run(listening(8090))

    def bring(version, checksum):
        fetch = {"url": f"http://127.0.0.1:8090/tick-{version}.tar.gz", "checksum": f"sha256:{checksum}"}
        tick = {"id": "tick", "recipe": "unit", "unit": "tick.service", "path": "/srv/tick", "fetch": fetch}
        desk.host.vars["roundsman_applications"] = [{**tick, "version": version, "verify_within_s": 3}]
        report = Roundsman(desk.folder, desk.fleet.inventory()).json("maintain", "application", "shop1")
        return report["hosts"][0]["maintenance"][0]

    def state():
        return desk.host.run(
            "systemctl is-active tick; systemctl show -P Environment tick; ls -A /srv/tick/releases"
        ).stdout.split()

    first = bring("1", sums[0])
    assert first["status"] == "completed", first
    serving = ["active", "ROUNDSMAN_VERSION=1", "ROUNDSMAN_RELEASE=/srv/tick/releases/1", "1"]
    assert state() == serving

    refused = bring("2", sums[0])
    assert (refused["status"], refused["rollback"]) == ("failed", "none"), refused
    assert refused["message"].endswith("Nothing was changed")
    assert "tick-2.tar.gz has another checksum" in refused["message"]
    assert state() == serving

    broken = bring("2", sums[1])
    assert broken["status"] == "rolled-back", broken
    assert state() == serving
