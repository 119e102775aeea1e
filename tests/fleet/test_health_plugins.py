"""Plugins and containers on real hosts, each in good health and broken in its ways."""

from __future__ import annotations

import pytest

from tests.fleet import packages
from tests.fleet.looking import look, one, verdict
from tests.fleet.roundsman import Roundsman
from tests.fleet.waiting import until

# What overlay, cgroups and keyrings cannot do for a container within these hosts.
PODMAN = {
    "storage.conf": '[storage]\ndriver="vfs"\nrunroot="/run/containers/storage"\ngraphroot="/srv/storage"\n',
    "containers.conf": '[containers]\ncgroups="disabled"\nlog_driver="k8s-file"\nkeyring=false\n'
    '[engine]\ncgroup_manager="cgroupfs"\nevents_logger="file"\n',
}
# Of two images with one name the first has none any more.
IMAGES = """
set -e
make() { head -c $2 /dev/urandom > /srv/box/blob; tar -C /srv/box -c . | podman import --quiet - localhost/$1; }
make used:1 100K; podman create --network=host localhost/used:1 /bin/sleep 1; make used:1 200K
make free:1 3M; make free:1 300K
"""
CACHES = {f"roundsman_caches_{kind}": False for kind in ("packages", "journal", "temporary", "kernels", "homes")}


@pytest.fixture(scope="module")
def alba(shared_fleet):
    return shared_fleet.host("alba")


@pytest.fixture(scope="module")
def equipped(shared_fleet):
    """A host with podman and the plugins of the Monitoring Plugins project."""
    host = shared_fleet.host("equipped")
    packages.install(host, "monitoring-plugins-basic", "podman", "crun", "busybox-static")
    return host


def let_podman_work(host):
    """And have something to run in /srv/box."""
    for name, text in PODMAN.items():
        host.write(f"/etc/containers/{name}", text)
    host.run("mkdir -p /srv/box/bin; cp /bin/busybox /srv/box/bin/sleep; cp /bin/busybox /srv/box/bin/false")


# Plugins


def test_real_plugins_are_taken_over(equipped):
    # Of its own: on that of the machine others write meanwhile.
    equipped.run("mkdir /srv/disk; mount -t tmpfs -o size=20M disk /srv/disk; head -c 8M /dev/zero > /srv/disk/x")
    disk, load, dummy = look(
        equipped,
        {"id": "disk", "type": "plugin", "command": "check_disk -w 1% -c 1% -p /srv/disk"},
        {"id": "load", "type": "plugin", "command": ["check_load", "-w", "1000,1000,1000", "-c", "2000,2000,2000"]},
        {"id": "dummy", "type": "plugin", "command": "check_dummy 2 'all is | lost=7s;1;2'"},
    )
    used = int(equipped.run("df --output=used --block-size=1 /srv/disk").stdout.split()[-1])
    assert (disk["status"], disk["value"], disk["unit"]) == ("OK", used, "B")
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
    equipped.run(until("! kill -0 $(cat /tmp/hangs.pid) 2>/dev/null"))
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

    let_podman_work(equipped)
    run = "podman run --detach --network=host"
    box = "--rootfs /srv/box"
    equipped.run(f"{run} --name web {box} /bin/sleep 1000")
    well = one(equipped, every, user="root")
    assert verdict(well) == ("OK", "1 of 1 containers run")
    assert "podman" in one(equipped, {"type": "software"})["message"]

    sick = "--name sick --health-cmd /bin/false --health-interval=disable --health-retries=1"
    equipped.run(f"{run} --name bad {box} /bin/false; podman wait bad; {run} {sick} {box} /bin/sleep 1000", check=False)
    equipped.run("podman healthcheck run sick; podman stop --time 0 web", check=False)
    amiss = one(equipped, dict(every, running=["web", "lost"]), user="root")
    words = "bad exited with 1; lost does not exist; sick is unhealthy; web exited with 137 (crit 0)"
    assert verdict(amiss) == ("CRITICAL", f"{words}; 1 of 3 containers run")
    ignored = one(equipped, {"type": "containers", "ignore": ["bad", "web", "s*"], "engine": "podman"}, user="root")
    assert verdict(ignored) == ("OK", "1 of 3 containers run")
    equipped.run("podman rm --all --force")


# Here because podman is


def test_images_that_nothing_uses_are_removed(equipped, shared_fleet, tmp_path):
    let_podman_work(equipped)
    equipped.run(IMAGES)
    nameless = "podman image ls --quiet --filter dangling=true"
    assert len(equipped.run(nameless).stdout.split()) == 2
    used = "du --summarize --block-size=1 /srv/storage"
    before = int(equipped.run(used).stdout.split()[0])
    equipped.vars.update(CACHES, roundsman_default_checks=[], roundsman_caches_images_older_than=None)
    desk = Roundsman(tmp_path, shared_fleet.inventory([equipped]))

    (planned,) = desk.json("maintain", "caches", "--plan")["hosts"][0]["maintenance"]
    assert len(equipped.run(nameless).stdout.split()) == 2
    (record,) = desk.json("maintain", "caches")["hosts"][0]["maintenance"]

    (plan,), (action,) = planned["actions"], record["actions"]
    assert action["detail"] == plan["detail"]
    assert plan["detail"].startswith("1 dangling image, at most ")
    assert 3 << 20 < action["size_bytes"] == record["reclaimed_bytes"]
    assert abs(before - int(equipped.run(used).stdout.split()[0]) - action["size_bytes"]) < 65536
    names = equipped.run("podman image ls --format '{{.Names}}' | sort").stdout.split()
    assert names == ["[]", "[localhost/free:1]", "[localhost/used:1]"]
    equipped.run("podman rm --all --force")
