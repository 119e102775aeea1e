"""What the kernel tells of the present: pressure, descriptors, zombies, software RAID."""

import os
import re
import resource
import subprocess
import sys

import psutil
import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import everybody
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import descriptors, pressure, raid, zombies

from tests.alertmanager import wait_for

from .builders import keys_of, look, result_of

PSI = """\
some avg10=42.00 avg60=23.50 avg300=0.48 total=10672163
full avg10=12.00 avg60=11.54 avg300=0.49 total=8705455
"""


@pytest.fixture
def under_pressure(monkeypatch, tmp_path):
    """A kernel whose processors and disks are idle; the test fills in the rest."""
    monkeypatch.setattr(pressure, "FOLDER", str(tmp_path))
    for name in ("cpu", "memory", "io"):
        (tmp_path / name).write_text("".join(f"{kind} avg10=0 avg60=0 avg300=0 total=1\n" for kind in ("some", "full")))
    return tmp_path


def test_pressure_is_judged_by_resource_and_kind_and_shows_every_average(under_pressure):
    (under_pressure / "memory").write_text(PSI)
    result = result_of({"type": "pressure", "memory_full_crit": "11%"})
    assert (result["status"], result["value"]) == ("CRITICAL", 11.54)
    assert result["message"] == (
        "all tasks waited for memory 12% of the time (crit 11%), "
        "some tasks waited for memory 24% of the time (warn 20%) (over 60 s)"
    )
    assert "'memory some avg10'=42%;;;0;100 'memory some avg60'=23.5%;20;;0;100" in result["perfdata"]
    assert result["perfdata"].count("avg") == 15


def test_pressure_over_the_span_that_is_asked_for(under_pressure):
    (under_pressure / "io").write_text(PSI)
    assert result_of({"type": "pressure", "seconds": 300, "io_warn": "20%"})["status"] == "OK"
    assert result_of({"type": "pressure", "seconds": 10, "io_warn": "20%"})["status"] == "WARNING"


def test_a_kernel_without_psi(monkeypatch, tmp_path):
    monkeypatch.setattr(pressure, "FOLDER", str(tmp_path / "none"))
    result = result_of({"type": "pressure"})
    assert (result["status"], "psi=1" in result["remedy"]) == ("UNKNOWN", True)
    assert look({"type": "pressure", "optional": True})[0] is None


def holder(name, used, limit):
    return descriptors.Holder(name, 1, used, limit)


def test_the_process_closest_to_its_limit_leaves_out_sandboxes():
    holders = [holder("a", 900, 1000), holder("sandbox", 7, 1), holder("unlimited", 5000, 0), holder("b", 950, 10**6)]
    assert descriptors.fullest(holders) == (holders[0], 90.0)
    assert descriptors.fullest([]) is None


@pytest.fixture
def hog():
    """The number of a process that has 60 of its 64 descriptors open, whatever this one and others have meanwhile."""
    opens = "import time; files = [open('/dev/null') for _ in range(57)]; print('open', flush=True); time.sleep(600)"
    limit = ["prlimit", "--nofile=64:64", sys.executable, "-c", opens]
    process = subprocess.Popen(limit, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        yield process.pid
    finally:
        process.kill()
        process.wait()


def test_a_process_that_opens_nearly_all_it_may_is_found(hog, monkeypatch):
    look_at = descriptors.look

    def look_at_all_but_other_hogs(pids):
        """Another test may have one at this moment."""
        assert str(hog) in pids
        return look_at([str(os.getpid()), str(hog)])

    monkeypatch.setattr(descriptors, "look", look_at_all_but_other_hogs)
    result = result_of({"type": "descriptors"})
    assert (result["status"], f"(pid {hog}) has 60 of its 64 open (warn 80%)" in result["message"]) == (
        "WARNING",
        True,
    ), result


def test_processes_that_cannot_be_read_are_counted_and_those_that_ended_are_not(monkeypatch):
    def holder_of(pid, counted):
        raise PermissionError if pid == "1" else FileNotFoundError

    monkeypatch.setattr(descriptors, "holder", holder_of)
    assert descriptors.look(["1", "2"]) == ([], 1)


def test_descriptors_are_counted_by_the_kernel_or_one_by_one(hog):
    for counted in {descriptors.kernel_counts(), False}:
        assert descriptors.holder(str(hog), counted)[1:] == (hog, 60, 64)
    assert descriptors.holder(str(os.getpid()), False).limit == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_processes_that_are_hidden_are_not_taken_for_none(monkeypatch, tmp_path):
    mine = {"type": "processes", "user": psutil.Process().username(), "crit": "1:"}
    foreign = [{"type": "processes", "name": "nginx", "crit": "1:"}, {**mine, "user": "nobody"}, {"type": "zombies"}]
    monkeypatch.setattr(everybody, "INIT", str(tmp_path / "1/stat"))
    for check in foreign:
        result = result_of(check)
        assert (result["status"], "hidepid" in result["message"]) == ("UNKNOWN", True), result
        assert "roundsman_health_become" in result["remedy"]
    assert result_of(mine)["status"] == "OK"
    assert "those of other users are hidden" in result_of({"type": "descriptors"})["message"]


@pytest.mark.parametrize("name", ["sh", "a) Z 1 (b", "", "two words"])
def test_a_process_is_read_whatever_its_name(name):
    assert zombies.parse(f"12 ({name}) Z 7 7 7 0 -1") == zombies.Process(12, name, "Z", 7)


def test_zombies_are_blamed_on_their_parents(monkeypatch):
    parent = "import subprocess, time; kept = [subprocess.Popen(['true']) for _ in range(3)]; time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", parent])
    processes = zombies.processes

    def without_those_of_others():
        """Of whom there may be any number while other tests run, and only the worst are named."""
        return [one for one in processes() if process.pid in (one.pid, one.parent)]

    monkeypatch.setattr(zombies, "processes", without_those_of_others)
    check, blame = {"type": "zombies", "warn": "2"}, f"(pid {process.pid})"
    try:
        wait_for(lambda: result_of(check)["message"].startswith("3 zombies (warn 2): 3 of python"))
        result = result_of(check)
    finally:
        process.kill()
        process.wait()
    assert (result["status"], blame in result["message"]) == ("WARNING", True)
    monkeypatch.undo()
    assert blame not in result_of(check)["message"]


def test_only_the_worst_parents_are_named(monkeypatch):
    family = [zombies.Process(pid, f"p{pid}", "S", 1) for pid in range(1, 8)]
    family += [zombies.Process(100 + pid, "dead", "Z", pid) for pid in range(1, 8)]
    monkeypatch.setattr(zombies, "processes", lambda: family)
    message = result_of({"type": "zombies", "warn": "5"})["message"]
    assert message.startswith("7 zombies (warn 5): 1 of p1 (pid 1), ")
    assert message.endswith("1 of p5 (pid 5) and those of 2 more parents")


WELL = """\
Personalities : [raid1] [raid6] [raid5] [raid4]
md2 : active (auto-read-only) raid1 sdb6[3](W) sda1[2]
      3142656 blocks super 1.2 [2/2] [UU]
        resync=PENDING
      bitmap: 0/1 pages [0KB], 65536KB chunk

md3 : active raid5 sdl1[9] sdk1[8] sdj1[7] sdi1[6] sdh1[5]
      1318680576 blocks level 5, 1024k chunk, algorithm 2 [5/5] [UUUUU]
      [>....................]  check =  2.8% (37043392/1318680576) finish=127.5min speed=33440K/sec

md0 : active raid0 sde[3] sdd[2] sdc[1] sdb[0]
      3750223872 blocks super 1.2 512k chunks

unused devices: <none>
"""
DEGRADED = """\
Personalities : [raid1]
md1 : active raid1 sde1[6](F) sdg1[1] sdb1[4] sdd1[3] sdc1[2]
      488383936 blocks [6/4] [_UUUU_]

unused devices: <none>
"""
REBUILDING = """\
Personalities : [raid1] [raid6] [raid5] [raid4]
md127 : active raid5 sdh1[6] sdg1[4] sdf1[3] sde1[2] sdd1[1] sdc1[0]
      1464725760 blocks level 5, 64k chunk, algorithm 2 [6/5] [UUUUU_]
      [==>..................]  recovery = 12.6% (37043392/292945152) finish=127.5min speed=33440K/sec

unused devices: <none>
"""
WAITING = re.sub(r"\[==.*sec", "recovery=DELAYED", REBUILDING)
INACTIVE = """\
Personalities : [raid1]
md10 : inactive sdc27[3](S) sda19[0](S)
      2043904 blocks super 1.2

unused devices: <none>
"""
SPARE_TOOK_OVER = """\
Personalities : [raid1]
md0 : active raid1 sdc1[2] sdb1[1] sda1[0](F)
      16787776 blocks [2/2] [UU]

unused devices: <none>
"""
OF_FIRMWARE = """\
Personalities : [raid1]
md126 : active raid1 sda[1] sdb[0]
      488383488 blocks super external:/md127/0 [2/2] [UU]

md127 : inactive sdb[1](S) sda[0](S)
      6306 blocks super external:imsm

unused devices: <none>
"""


@pytest.mark.parametrize(
    ("mdstat", "keys", "status", "message", "value"),
    [
        (WELL, {}, "OK", "3 arrays, all complete; md2 resync PENDING; md3 check 2.8%, 128 min to go", 0),
        (DEGRADED, {}, "CRITICAL", "md1 lacks 2 of its members (crit 0), has thrown out sde1", 2),
        (REBUILDING, {}, "WARNING", "md127 lacks 1 of its members, recovery 12.6%, 128 min to go", 1),
        (REBUILDING, {"rebuilding": "critical"}, "CRITICAL", None, 1),
        (REBUILDING, {"rebuilding": "ignore"}, "OK", None, 1),
        (WAITING, {}, "CRITICAL", "md127 lacks 1 of its members (crit 0), recovery DELAYED", 1),
        (INACTIVE, {}, "CRITICAL", "md10 is inactive", 0),
        (SPARE_TOOK_OVER, {}, "WARNING", "md0 has thrown out sda1", 0),
        (OF_FIRMWARE, {}, "OK", "md126 is complete", 0),
        (DEGRADED, {"crit": "2", "warn": "0"}, "WARNING", None, 2),
    ],
)
def test_arrays(monkeypatch, tmp_path, mdstat, keys, status, message, value):
    (tmp_path / "mdstat").write_text(mdstat)
    monkeypatch.setattr(raid, "MDSTAT", str(tmp_path / "mdstat"))
    result = result_of(dict(keys, type="raid"))
    assert (result["status"], result["value"]) == (status, value), result
    assert message in (None, result["message"])


def test_an_array_whose_members_failed_all_is_broken():
    (array,) = raid.parse("md0 : broken raid0 sdb[0] sda[1]\n      1 blocks super 1.2 512k chunks\n")
    assert raid.verdict(array, keys_of({"type": "raid"})).words == "md0 is broken"


@pytest.mark.parametrize("content", [None, "Personalities : [raid1]\nunused devices: <none>\n"])
def test_a_host_without_arrays(monkeypatch, tmp_path, content):
    monkeypatch.setattr(raid, "MDSTAT", str(tmp_path / "mdstat"))
    if content:
        (tmp_path / "mdstat").write_text(content)
    assert result_of({"type": "raid"})["status"] == "UNKNOWN"
    assert look({"type": "raid", "optional": True})[0] is None
