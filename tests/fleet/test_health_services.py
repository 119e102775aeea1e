"""Checks of services on real hosts, each in good health and broken in its ways."""

from __future__ import annotations

import json
import subprocess

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.lean import MARKER
from ansible_collections.roundsman.fleet.plugins.plugin_utils.parcel import parcel, script

from tests.fleet import packages
from tests.fleet.test_health import by_id, sweep
from tests.unit.health.servers import certificate

UNITS = "/etc/systemd/system"
# What overlay, cgroups and keyrings cannot do for a container within these hosts.
PODMAN = {
    "storage.conf": '[storage]\ndriver="vfs"\nrunroot="/run/containers/storage"\ngraphroot="/srv/storage"\n',
    "containers.conf": '[containers]\ncgroups="disabled"\nlog_driver="k8s-file"\nkeyring=false\n'
    '[engine]\ncgroup_manager="cgroupfs"\nevents_logger="file"\n',
}


@pytest.fixture(scope="module")
def alba(shared_fleet):
    return open_to_all(shared_fleet.host("alba"))


@pytest.fixture(scope="module")
def equipped(shared_fleet):
    """A host with podman and the plugins of the Monitoring Plugins project."""
    host = shared_fleet.host("equipped")
    packages.install(host, "monitoring-plugins-basic", "podman", "crun", "busybox-static")
    return open_to_all(host)


def open_to_all(host):
    """The host, when others than root may log in: sshd runs a little before systemd allows that."""
    host.run("for _ in $(seq 100); do [ -e /run/nologin ] || exit 0; sleep .1; done; exit 1")
    return host


def look(host, *checks, user="ops", left=None):
    """The results of checks, sent as the action plugin sends them; bookmarks are read from and written to `left`."""
    left = {} if left is None else left
    parameters = {"checks": list(checks), "timeout_s": 10, "psutil": "host", "bookmarks": left}
    command = [*host.ssh(user), script(["/usr/bin/python3"])]
    done = subprocess.run(command, input=parcel(parameters), capture_output=True, timeout=60, check=True)
    answer = json.loads(done.stdout.decode().rpartition(MARKER)[2])
    left.update(answer["bookmarks"])
    return answer["checks"]


def one(host, check, **how):
    (result,) = look(host, check, **how)
    return result


def verdict(result):
    return result["status"], result["message"]


def service(command, *, more="", unit=""):
    return f"[Unit]\n{unit}\n[Service]\nExecStart={command}\n{more}\n"


def add_units(host, units, then):
    """Write units (name -> content) and run a command, all in one SSH connection."""
    write = (
        "import json, sys; [open(f'/etc/systemd/system/{n}', 'w').write(t) for n, t in json.load(sys.stdin).items()]"
    )
    host.run(f'python3 -c "{write}" && systemctl daemon-reload && {then}', text_in=json.dumps(units))


def listening(port):
    return f"for _ in $(seq 100); do ss -ltn | grep -q :{port} && exit; sleep .1; done; exit 1"


# systemd


def test_a_crash_loop_is_told_apart_from_a_restart_and_a_reboot(alba):
    always = {"more": "Restart=always\nRestartSec=100ms\n[Install]\nWantedBy=multi-user.target"}
    always["unit"] = "StartLimitIntervalSec=0"
    loop, calm = service('/bin/sh -c "sleep 0.1; exit 3"', **always), service("/bin/sleep 1000", **always)
    start = "systemctl enable --quiet --now calm; systemctl start loop"
    add_units(alba, {"loop.service": loop, "calm.service": calm}, start)
    checks = [{"type": "systemd", "unit": name} for name in ("loop.service", "calm.service")]
    left = {}

    first = look(alba, *checks, left=left)
    assert [result["status"] for result in first] == ["OK", "OK"]
    assert "restarted" not in first[0]["message"]

    alba.run("sleep 2; systemctl restart calm")
    loop, calm = look(alba, *checks, left=left)
    assert loop["status"] == "WARNING"
    assert "times after it ended by itself, since the last round (warn 2)" in loop["message"]
    assert verdict(calm) == ("OK", "calm.service is active (running)")

    alba.run("systemctl kill --signal=KILL calm; sleep 0.5; systemctl stop loop")
    assert verdict(one(alba, checks[1], left=left)) == (
        "OK",
        "calm.service is active (running), restarted once after it ended by itself, since the last round",
    )
    strict = dict(checks[1], restarts_crit="0")
    alba.run("systemctl kill --signal=KILL calm; sleep 0.5")
    assert one(alba, strict, left=left)["status"] == "CRITICAL"

    alba.stop()
    alba.start()
    open_to_all(alba)
    assert verdict(one(alba, strict, left=left)) == ("OK", "calm.service is active (running)")


# Timers


def test_timers_that_do_not_do_their_work(alba):
    well = one(alba, {"type": "timers"})
    assert (well["status"], well["value"]) == ("OK", 0), well

    every_second = "[Timer]\nOnCalendar=*-*-* *:*:00/1\nAccuracySec=1ms\n[Install]\nWantedBy=timers.target\n"
    commands = {"hangs": "/bin/sleep 1000", "fails": "/bin/false", "idle": "/bin/true", "gone": "/bin/true"}
    units = {f"{name}.service": service(command, more="Type=oneshot") for name, command in commands.items()}
    units |= {f"{name}.timer": every_second for name in commands}
    start = "systemctl start hangs.timer gone.timer fails.timer; systemctl enable --quiet idle.timer"
    vanish = f"rm {UNITS}/gone.service; systemctl mask --quiet --runtime gone.service; sleep 2.5"
    add_units(alba, units, f"{start}; {vanish}")

    result = one(alba, {"type": "timers", "longest": "1s", "crit": "3"})
    assert (result["status"], result["value"]) == ("CRITICAL", 4), result
    assert result["details"] == {"amiss": ["fails.timer", "gone.timer", "hangs.timer", "idle.timer"]}
    message = result["message"]
    assert "fails.timer fails.service failed at its last run: exit-code 1" in message
    assert "gone.timer could not start gone.service (resources)" in message
    assert "hangs.timer hangs.service still runs after" in message
    assert "idle.timer is enabled but not started, so it never runs" in message

    assert one(alba, {"type": "timers", "ignore": ["fails*", "gone*", "idle*"]})["status"] == "OK"
    assert verdict(one(alba, {"type": "timers", "timer": "lost.timer"})) == (
        "WARNING",
        "lost.timer is not installed (warn 0)",
    )
    stop = "systemctl disable --quiet --now idle.timer; systemctl stop hangs.timer hangs.service gone.timer fails.timer"
    alba.run(f"{stop}; systemctl reset-failed; systemctl unmask --quiet --runtime gone.service")
    assert one(alba, {"type": "timers"})["status"] == "OK"


# Ports, processes


def test_ports_by_address_and_program_and_no_other(alba):
    serve = "/usr/bin/python3 -m http.server --bind"
    units = {"inner.service": service(f"{serve} 127.0.0.1 8080"), "outer.service": service(f"{serve} 0.0.0.0 8081")}
    add_units(alba, units, f"systemctl start inner; {listening(8080)}")

    inner = {"type": "listen", "ports": [8080]}
    assert verdict(one(alba, inner)) == ("OK", "8080 is listened on")
    assert verdict(one(alba, dict(inner, address="*"))) == (
        "CRITICAL",
        "8080/tcp listens on 127.0.0.1 only, not on every address (crit 0)",
    )
    hidden = one(alba, dict(inner, program="python3"))
    assert (hidden["status"], "check as root" in hidden["remedy"]) == ("UNKNOWN", True)
    assert one(alba, dict(inner, program="python3"), user="root")["status"] == "OK"
    assert verdict(one(alba, dict(inner, program="nginx"), user="root")) == (
        "CRITICAL",
        "8080/tcp is held by python3, not by nginx (crit 0)",
    )

    only = {"type": "listen", "ports": [22], "only": True}
    assert verdict(one(alba, only)) == ("OK", "22 is listened on, and no other")
    alba.run(f"systemctl start outer; {listening(8081)}")
    assert verdict(one(alba, only, user="root")) == (
        "CRITICAL",
        "unexpected: 8081/tcp on 0.0.0.0 (python3) (crit 0)",
    )
    assert "(the program is visible to root only)" in one(alba, only)["message"]
    assert one(alba, dict(only, allow=["8000-8100"]))["status"] == "OK"
    alba.run("systemctl stop inner outer")
    assert one(alba, inner)["message"] == "nobody listens on 8080/tcp (crit 0)"


def test_processes_by_command_line_with_a_carried_psutil(shared_fleet, alba):
    worker = service("/bin/bash -c 'exec -a shop-worker sleep 1000'")
    add_units(alba, {"worker.service": worker}, "systemctl start worker")
    check = {"type": "processes", "command": "shop-worker *", "user": "root", "crit": "1:1", "youngest_warn": "1h:"}
    result = by_id(sweep(shared_fleet, alba, checks=[check])["alba"])["processes-shop-worker * of root"]
    alba.run("systemctl stop worker")
    assert (result["status"], result["value"]) == ("WARNING", 1), result
    assert "1 processes shop-worker * of root, youngest" in result["message"]


# Certificates


def test_certificates_in_files_and_on_a_port(shared_fleet, alba, tmp_path):
    soon, expired = certificate(tmp_path, 3, "shop.example"), certificate(tmp_path, -3, "old.example")
    alba.write("/srv/tls/shop.pem", soon.read_text())
    alba.write("/srv/tls/old.pem", expired.read_text(), mode="0600")
    alba.run(
        "cd /srv/tls && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 60 -subj /CN=fresh"
        " -addext subjectAltName=DNS:fresh.example -keyout fresh.key -out fresh.pem 2>&1"
    )
    files = {"type": "certificate", "path": "/srv/tls/*"}

    seen = one(alba, files)
    assert seen["status"] == "CRITICAL"
    assert "/srv/tls/shop.pem: shop.example expires in 3 days (crit 7d)" in seen["message"]
    assert "/srv/tls/old.pem: Permission denied" in seen["message"]
    everything = one(alba, files, user="root")
    assert everything["message"].startswith("/srv/tls/old.pem: old.example expired 3 days ago (crit 7d)")
    hidden = one(alba, {"type": "certificate", "path": "/srv/tls/old.pem"})
    assert (hidden["status"], "root" in hidden["remedy"]) == ("UNKNOWN", True)
    fresh = one(alba, {"type": "certificate", "path": "/srv/tls/fresh.pem"})
    assert verdict(fresh) == ("OK", "/srv/tls/fresh.pem: fresh expires in 59 days")

    serve = service("/usr/bin/openssl s_server -accept 8443 -cert /srv/tls/fresh.pem -key /srv/tls/fresh.key -quiet")
    add_units(alba, {"tls.service": serve}, f"systemctl start tls; {listening(8443)}")
    port = {"type": "certificate", "host": alba.address, "port": 8443}
    from_here = [dict(port, id="named", server_name="fresh.example"), dict(port, id="unnamed")]
    found = by_id(
        sweep(shared_fleet, alba, checks=[dict(check, **{"from": "controller"}) for check in from_here])["alba"]
    )
    assert verdict(found["named"]) == (
        "OK",
        f"{alba.address}:8443 (fresh.example): fresh expires in 59 days, self-signed",
    )
    assert found["unnamed"]["status"] == "CRITICAL"
    assert f"is not valid for {alba.address} (but for fresh.example)" in found["unnamed"]["message"]
    alba.run("systemctl stop tls")
    assert one(alba, dict(port, host="localhost"))["message"] == "localhost:8443: Connection refused"


# Plugins


def test_real_plugins_are_taken_over(equipped):
    disk, load, dummy = look(
        equipped,
        {"id": "disk", "type": "plugin", "command": "check_disk -w 1% -c 1% -p /"},
        {"id": "load", "type": "plugin", "command": ["check_load", "-w", "1000,1000,1000", "-c", "2000,2000,2000"]},
        {"id": "dummy", "type": "plugin", "command": "check_dummy 2 'all is | lost=7s;1;2'"},
    )
    used = int(equipped.run("df --output=used --block-size=1 /").stdout.split()[-1])
    assert (disk["status"], disk["unit"]) == ("OK", "B")
    assert abs(disk["value"] - used) < 0.02 * used
    assert (load["status"], load["perfdata"].count("load")) == ("OK", 3)
    assert (*verdict(dummy), dummy["value"], dummy["unit"]) == ("CRITICAL", "CRITICAL: all is", 7, "s")


def test_plugins_that_misbehave(equipped):
    hostile = {
        "hangs": "echo $$ > /tmp/hangs.pid; sleep 1000",
        "dies": "kill -SEGV $$",
        "garbage": "head -c 300000 /dev/urandom; exit 1",
        "strange": "echo odd; exit 77",
        "silent": "exit 2",
        "whoami": "id -un; echo $TOKEN",
    }
    for name, text in hostile.items():
        equipped.write(f"/opt/{name}", f"#!/bin/bash\n{text}\n", mode="0755")
    checks = [{"id": name, "type": "plugin", "command": f"/opt/{name}"} for name in hostile]
    checks[0]["timeout"] = "1s"
    checks[-1].update(user="ops", environment={"TOKEN": "s3cret"})
    found = {result["id"]: result for result in look(equipped, *checks, user="root")}

    assert verdict(found["hangs"]) == ("UNKNOWN", "no answer within 1 s")
    equipped.run("! kill -0 $(cat /tmp/hangs.pid) 2>/dev/null")
    assert verdict(found["dies"])[0] == "UNKNOWN"
    assert "was ended by signal 11 (SIGSEGV)" in found["dies"]["message"]
    assert (found["garbage"]["status"], len(found["garbage"]["message"]) <= 1000) == ("WARNING", True)
    assert verdict(found["strange"]) == ("UNKNOWN", "the plugin ended with 77, which means nothing: odd")
    assert verdict(found["silent"]) == ("CRITICAL", "no output")
    assert verdict(found["whoami"]) == ("OK", "ops; s3cret")

    as_root = {"type": "plugin", "command": "/opt/whoami", "user": "root"}
    assert verdict(one(equipped, as_root)) == ("UNKNOWN", "only root can look as root")
    missing = {"type": "plugin", "command": "check_mk_all"}
    assert verdict(one(equipped, missing)) == ("UNKNOWN", "the plugin check_mk_all is not on the host")
    assert look(equipped, dict(missing, optional=True)) == []


# Containers, software


def test_containers_in_every_state(alba, equipped):
    every = {"type": "containers", "running": ["web"]}
    assert verdict(one(alba, every)) == ("UNKNOWN", "neither podman nor docker is installed")
    assert look(alba, dict(every, optional=True)) == []
    rootless = one(equipped, every)
    assert rootless["status"] == "UNKNOWN"
    assert rootless["message"].startswith("podman does not answer: ")

    for name, text in PODMAN.items():
        equipped.write(f"/etc/containers/{name}", text)
    equipped.run("mkdir -p /srv/box/bin; cp /bin/busybox /srv/box/bin/sleep; cp /bin/busybox /srv/box/bin/false")
    run = "podman run --detach --network=host"
    box = "--rootfs /srv/box"
    equipped.run(f"{run} --name web {box} /bin/sleep 1000")
    well = one(equipped, every, user="root")
    assert verdict(well) == ("OK", "1 of 1 containers run")
    assert "podman" in one(equipped, {"type": "software"})["message"]

    sick = "--name sick --health-cmd /bin/false --health-interval=disable --health-retries=1"
    equipped.run(f"{run} --name bad {box} /bin/false; {run} {sick} {box} /bin/sleep 1000", check=False)
    equipped.run("podman healthcheck run sick; podman stop --time 0 web", check=False)
    amiss = one(equipped, dict(every, running=["web", "lost"]), user="root")
    words = "bad exited with 1; lost does not exist; sick is unhealthy; web exited with 137 (crit 0)"
    assert verdict(amiss) == ("CRITICAL", f"{words}; 1 of 3 containers run")
    ignored = one(equipped, {"type": "containers", "ignore": ["bad", "web", "s*"], "engine": "podman"}, user="root")
    assert verdict(ignored) == ("OK", "1 of 3 containers run")
    equipped.run("podman rm --all --force")


def test_software_is_found_with_the_unit_it_runs_as(alba):
    units = {f"{name}@.service": service(f"/usr/local/bin/{name} 1000") for name in ("nginx", "postgres")}
    copy = "for name in nginx postgres; do cp /bin/sleep /usr/local/bin/$name; done"
    add_units(alba, units, f"{copy}; systemctl start nginx@1-main postgres@1-main")
    result = one(alba, {"type": "software"})
    alba.run("systemctl stop nginx@1-main postgres@1-main")
    assert verdict(result) == ("OK", "runs nginx, postgresql")
    found = {item["software"]: item["checks"] for item in result["details"]["found"]}
    assert found["postgresql"] == [{"type": "systemd", "unit": "postgres@1-main.service"}, {"type": "postgresql"}]
    assert result["duration_s"] < 0.5
