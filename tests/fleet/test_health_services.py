"""Checks of services on real hosts, each in good health and broken in its ways."""

from __future__ import annotations

import pytest

from tests.fleet.looking import add_units, look, look_until, one, service, verdict
from tests.fleet.test_health import by_id, sweep
from tests.fleet.waiting import listening, until
from tests.unit.health.servers import certificate

UNITS = "/etc/systemd/system"


@pytest.fixture(scope="module")
def alba(shared_fleet):
    return shared_fleet.host("alba")


# systemd


# Fails five times in a row once it is told to, and is well otherwise.
CRASHES = """#!/bin/sh
until test -e /run/crash; do sleep .1; done
echo once more >> /run/crash
test $(wc -l < /run/crash) -le 5 || exec sleep 1000
exit 3
"""


def restarted(unit, by):
    """Shell words that wait until a unit runs that was restarted so often since it was started by hand."""
    count = f"$(systemctl show --value -p NRestarts {unit})"
    return until(f"test {count} -ge {by} && systemctl is-active --quiet {unit}")


def test_a_crash_loop_is_told_apart_from_a_restart_and_a_reboot(alba):
    always = {"more": "Restart=always\nRestartSec=100ms\n[Install]\nWantedBy=multi-user.target"}
    always["unit"] = "StartLimitIntervalSec=0"
    alba.write("/usr/local/bin/crashes", CRASHES, mode="0755")
    loop, calm = service("/usr/local/bin/crashes", **always), service("/bin/sleep 1000", **always)
    start = "systemctl enable --quiet --now calm; systemctl start loop"
    add_units(alba, {"loop.service": loop, "calm.service": calm}, start)
    checks = [{"type": "systemd", "unit": name} for name in ("loop.service", "calm.service")]
    left = {}

    first = look(alba, *checks, left=left)
    assert [result["status"] for result in first] == ["OK", "OK"]
    assert "restarted" not in first[0]["message"]

    alba.run(f"touch /run/crash; systemctl restart calm; {restarted('loop', by=5)}")
    loop, calm = look(alba, *checks, left=left)
    assert loop["status"] == "WARNING"
    assert "times after it ended by itself, since the last round (warn 2)" in loop["message"]
    assert verdict(calm) == ("OK", "calm.service is active (running)")

    alba.run(f"systemctl stop loop; systemctl kill --signal=KILL calm; {restarted('calm', by=1)}")
    assert verdict(one(alba, checks[1], left=left)) == (
        "OK",
        "calm.service is active (running), restarted once after it ended by itself, since the last round",
    )
    strict = dict(checks[1], restarts_crit="0")
    alba.run(f"systemctl kill --signal=KILL calm; {restarted('calm', by=2)}")
    assert one(alba, strict, left=left)["status"] == "CRITICAL"

    alba.stop()
    alba.start()
    assert verdict(one(alba, strict, left=left)) == ("OK", "calm.service is active (running)")


# Timers


def test_timers_that_do_not_do_their_work(alba):
    well = one(alba, {"type": "timers"})
    assert (well["status"], well["value"]) == ("OK", 0), well

    every_second = "[Timer]\nOnCalendar=*-*-* *:*:00/1\nAccuracySec=1ms\n[Install]\nWantedBy=timers.target\n"
    commands = {"hangs": "/bin/sleep 1000", "fails": "/bin/false", "idle": "/bin/true", "gone": "/bin/true"}
    # Without a limit: one that fails every second would soon fail for having been started too often.
    often = {"more": "Type=oneshot", "unit": "StartLimitIntervalSec=0"}
    units = {f"{name}.service": service(command, **often) for name, command in commands.items()}
    units |= {f"{name}.timer": every_second for name in commands}
    start = "systemctl start hangs.timer gone.timer fails.timer; systemctl enable --quiet idle.timer"
    vanish = f"rm {UNITS}/gone.service; systemctl mask --quiet --runtime gone.service"
    add_units(alba, units, f"{start}; {vanish}")

    # Until those that are started every second were, and one has run for longer than it may.
    check = {"type": "timers", "longest": "1s", "crit": "3"}
    result = look_until(lambda: one(alba, check), lambda result: result["value"] == 4)
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
    add_units(alba, {"worker.service": worker}, f"systemctl start worker; {until('pgrep -f ^shop-worker')}")
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


# Software


def test_software_is_found_with_the_unit_it_runs_as(alba):
    units = {f"{name}@.service": service(f"/usr/local/bin/{name} 1000") for name in ("nginx", "postgres")}
    copy = "for name in nginx postgres; do cp /bin/sleep /usr/local/bin/$name; done"
    add_units(alba, units, f"{copy}; systemctl start nginx@1-main postgres@1-main")
    result = one(alba, {"type": "software"})
    alba.run("systemctl stop nginx@1-main postgres@1-main")
    assert verdict(result) == ("OK", "runs nginx, postgresql")
    found = {item["software"]: item["checks"] for item in result["details"]["found"]}
    assert found["postgresql"] == [{"type": "systemd", "unit": "postgres@1-main.service"}, {"type": "postgresql"}]
