"""The fleet itself: hosts are what they say, faults are real and go away, and nothing is left behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.alertmanager import wait_for
from tests.fleet import base, claim, clean, faults, network, processes
from tests.fleet.host import HostError

ANSIBLE = Path(sys.executable).parent / "ansible"


def ansible(inventory: Path, *arguments: str, timeout_s: int = 30) -> subprocess.CompletedProcess[str]:
    command = [str(ANSIBLE), "-i", str(inventory), "all", *arguments]
    env = {"PATH": "/usr/bin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "ANSIBLE_TIMEOUT": str(timeout_s)}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=180, check=False)


@pytest.fixture
def web1(fleet):
    return fleet.host("web1", web=True)


@pytest.mark.parametrize(("release", "version"), [("bookworm", "12"), ("trixie", "13")])
def test_a_host_is_a_debian_with_its_own_systemd(fleet, release, version):
    db1 = fleet.host("db1", release=release)

    assert db1.run("hostname; cat /proc/1/comm; . /etc/os-release; echo $VERSION_ID").stdout.split() == [
        "db1",
        "systemd",
        version,
    ]
    assert db1.run("systemctl is-system-running").stdout.strip() == "running"
    assert db1.run("sudo -n id -u", user="ops").stdout.strip() == "0"
    assert db1.run("python3 -c 'import psutil'", check=False).returncode == 1
    assert db1.run("restic version && rclone version").stdout.startswith("restic")


def test_a_host_with_servers_runs_those_that_a_test_starts(fleet):
    db1 = fleet.host("db1", tree=base.servers_tree)
    servers = "postgresql mariadb redis-server rabbitmq-server epmd nginx postfix"

    assert db1.run("systemctl is-system-running").stdout.strip() == "running"
    states = db1.run(f"systemctl is-enabled {servers}; systemctl is-active {servers}", check=False).stdout.split()
    assert states == ["disabled"] * 7 + ["inactive"] * 7
    db1.run("systemctl start redis-server postgresql")
    assert db1.run("redis-cli ping").stdout == "PONG\n"
    assert db1.run("psql -XAtqc 'select 1'", user="root", check=False).returncode == 2
    assert db1.run("runuser -u postgres -- psql -XAtqc 'select 1'").stdout == "1\n"


def test_hosts_have_different_identities_and_see_each_other(fleet):
    web1, web2 = fleet.host("web1"), fleet.host("web2")
    web2.wait()

    assert web1.read("/etc/machine-id") != web2.read("/etc/machine-id")
    # A process of another PID namespace shows as 0. Groups come and go with the logins of this test.
    told = web1.run("cat $(find /sys/fs/cgroup/systemd -name cgroup.procs)", check=False).stdout.split()
    assert ("1" in told, "0" in told) == (True, False)
    assert web1.public_key != web2.public_key
    assert web1.run(f"head -c 4 < /dev/tcp/{web2.address}/22").stdout == "SSH-"


def test_a_fleet_has_no_way_out(web1):
    assert web1.run("ip route show default").stdout == ""


def test_ansible_reaches_every_host_of_the_inventory_with_its_key_checked(fleet):
    fleet.host("web1")
    fleet.host("db1", release="trixie", variables={"motto": "rows count"})

    answers = ansible(fleet.inventory(), "-b", "-m", "command", "-a", "echo {{ motto | default('none') }}")

    assert answers.returncode == 0, answers.stdout + answers.stderr
    assert "rows count" in answers.stdout
    assert "none" in answers.stdout


def test_groups_of_the_inventory(fleet):
    web1, db1 = fleet.host("web1"), fleet.host("db1")

    listed = ansible(fleet.inventory(groups={"web": [web1], "db": [db1]}), "-m", "debug", "-a", "var=group_names")

    assert '"web"' in listed.stdout
    assert '"db"' in listed.stdout


def test_files_are_written_with_mode_and_owner(web1):
    web1.write("/srv/shop/it's.txt", "cash\n", mode="0640", owner="ops")

    assert web1.read("/srv/shop/it's.txt") == "cash\n"
    assert web1.run('stat -c "%a %U:%G" "/srv/shop/it\'s.txt"').stdout == "640 ops:ops\n"


def test_a_command_that_fails_says_what_and_where(web1):
    with pytest.raises(HostError, match=r"web1: `ls /nowhere` ended with 2:\nls: .*No such file"):
        web1.run("ls /nowhere")


# Each fault: arguments, and a command on the host that fails while it is there and succeeds otherwise.
VISIBLE_FROM_INSIDE = [
    (faults.full_filesystem, {"path": "/srv/data"}, "mkdir -p /srv/data; head -c 4096 /dev/zero > /srv/data/x"),
    (faults.failed_unit, {}, "! systemctl --failed --plain --no-legend | grep -q payroll"),
    (faults.dead_web_server, {}, "curl -fs http://localhost >/dev/null"),
    (faults.broken_sudo, {}, "su ops -c 'sudo -n true'"),
    (faults.noexec_homes, {}, "for d in /home /root /tmp /var/tmp; do cp /bin/true $d/x && $d/x || exit 1; done"),
    (faults.flipped_byte, {"path": "/etc/hostname", "offset": -2}, "grep -qx web1 /etc/hostname"),
]


@pytest.mark.parametrize(
    ("fault", "arguments", "healthy"), VISIBLE_FROM_INSIDE, ids=[fault.__name__ for fault, *_ in VISIBLE_FROM_INSIDE]
)
def test_a_fault_is_real_and_its_repair_too(web1, fault, arguments, healthy):
    assert web1.run(healthy, check=False).returncode == 0

    web1.suffer(fault, **arguments)
    assert web1.run(healthy, check=False).returncode != 0

    web1.recover(fault)
    assert web1.run(healthy, check=False).returncode == 0


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        (faults.down, "No route to host|timed out"),
        (faults.unplugged, "No route to host|timed out"),
        (faults.frozen, "timed out"),
        (faults.changed_host_key, "HOST IDENTIFICATION HAS CHANGED"),
    ],
)
def test_a_host_that_ansible_cannot_reach_and_then_can(fleet, web1, fault, complaint):
    inventory = fleet.inventory()

    with fault(web1):
        # A frozen host never answers, however long one waits.
        lost = ansible(inventory, "-m", "ping", timeout_s=5 if fault is faults.frozen else 30)
        assert "UNREACHABLE" in lost.stdout
        assert re.search(complaint, lost.stdout), lost.stdout

    found = ansible(inventory, "-m", "ping")
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_host_with_a_changed_key_still_obeys_the_test(web1):
    with faults.changed_host_key(web1):
        assert web1.run("hostname").stdout == "web1\n"
    assert web1.run("hostname").stdout == "web1\n"


def test_a_slow_network(web1):
    with faults.slow_network(web1, rate="64kbit"):
        begin = time.monotonic()
        web1.run("cat > /dev/null", text_in="x" * 20_000)
        assert time.monotonic() - begin > 2
    # At that rate it would take half an hour.
    web1.run("cat > /dev/null", text_in="x" * 15_000_000)


def test_a_host_keeps_its_disk_over_a_crash_and_a_shutdown(web1):
    web1.write("/var/lib/shop/orders", "42\n")
    for end in (web1.kill, web1.stop):
        end()
        web1.start()
        assert web1.read("/var/lib/shop/orders") == "42\n"


def test_faults_from_the_start(fleet):
    web1 = fleet.host("web1", failed_unit=True, full_filesystem={"path": "/srv/data"})

    assert web1.run("systemctl is-system-running", check=False).stdout == "degraded\n"
    assert "100%" in web1.run("df --output=pcent /srv/data").stdout


def test_an_unknown_fault_is_refused_before_anything_boots(fleet):
    with pytest.raises(ValueError, match="unknown fault on_fire; there are full_filesystem, "):
        fleet.host("web1", on_fire=True)
    assert not fleet.hosts


FORSAKEN = """
import sys, time
from tests.fleet.hosts import Fleet
fleet = Fleet()
fleet.host("web1")
fleet.host("web2", frozen=True)
fleet.host("web3", slow_network=True)
fleet.wait()
print(fleet.number, flush=True)
time.sleep(600)
"""


def traces(number: int) -> str:
    """Whatever this machine still shows of a fleet."""
    name = f"{network.PREFIX}{number}"
    commands = {
        "mounts": f"grep /{name}/ /proc/self/mountinfo",
        "processes": f"pgrep --full 'machine={name}[-]'",
        "orphans": f"grep --text --files-with-matches MACHINE={name}- /proc/[0-9]*/environ 2>/dev/null",
        "network": f"ip -json link | grep -o '\"{name}[\"-][^,]*'; ls /run/netns | grep '^{name}-'",
        "cgroups": f"find /sys/fs/cgroup -maxdepth 2 -name '{name}-*'",
        "files": f"ls -d /var/cache/roundsman-fleet/fleets/{name} 2>/dev/null",
    }
    found = {kind: subprocess.getoutput(command) for kind, command in commands.items()}
    return json.dumps({kind: text for kind, text in found.items() if text})


def test_what_a_killed_test_run_leaves_is_cleaned_and_a_living_fleet_is_not(web1, fleet):
    run = subprocess.Popen([sys.executable, "-c", FORSAKEN], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
    number = int(run.stdout.readline())
    run.send_signal(signal.SIGKILL)
    run.wait()
    # Another test run that begins at this moment would clean as well.
    held = claim.hold(number)
    assert held is not None
    assert set(json.loads(traces(number))) == {"mounts", "processes", "orphans", "network", "cgroups", "files"}
    held.let_go()

    clean.clean()

    wait_for(lambda: traces(number) == "{}")
    assert web1.run("true").returncode == 0
    assert f"{network.PREFIX}{number}" not in clean.clean()
    assert fleet.number != number


def test_a_process_of_this_machine_whose_name_is_no_text_hinders_nobody():
    rename = r"open('/proc/self/comm', 'wb').write(b'\xff'); print(flush=True); input()"
    command = [sys.executable, "-c", rename]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert b"\xff" in Path(f"/proc/{other.pid}/status").read_bytes()
        assert processes.inits("nobodys") == []
        other.communicate(b"\n")


def test_a_backup_server_keeps_repositories_and_refuses_to_delete(fleet):
    web1, vault1 = fleet.host("web1"), fleet.backup_server("vault1", append_only=True)
    vault1.trusted_by(web1)
    restic = f"RESTIC_PASSWORD=secret restic -q -r {vault1.rest('web1')}"
    web1.run(f"{restic} init && {restic} backup /etc/hostname")

    snapshots = json.loads(web1.run(f"{restic} snapshots --json").stdout)
    over_sftp = json.loads(
        web1.run(f"RESTIC_PASSWORD=secret restic -r {vault1.sftp('web1')} --no-lock snapshots --json").stdout
    )
    forgotten = web1.run(
        f"{restic.replace('restic', 'timeout 5 restic', 1)} forget {snapshots[0]['id']}", check=False
    )

    assert [s["id"] for s in over_sftp] == [snapshots[0]["id"]]
    assert forgotten.returncode != 0
    assert vault1.host.run(f"ls {vault1.path('web1')}/snapshots").stdout.strip() == snapshots[0]["id"]


@pytest.mark.slow
@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_a_newcomer_has_plain_debian_the_registries_and_the_clone(newcomer, tmp_path, release):
    (tmp_path / "README.md").write_text("the clone\n")
    machine = newcomer(release)
    machine.bring(tmp_path, "/home/anna/clone", owner="anna")

    assert machine.run("whoami; cat clone/README.md", user="anna").stdout == "anna\nthe clone\n"
    assert machine.run("ls /etc/pip.conf /root/.config /opt/wheels", check=False).stdout.count("No such file") == 3
    machine.run("python3 -m venv v && v/bin/pip install -q iniconfig && v/bin/pip show iniconfig", user="anna")
    machine.run("apt-get update -qq && apt-get install -qq -y sqlite3 && sqlite3 -version")
