"""The values of the checks beside those of independent programs on the same host.

Both look within a second or two of each other. What stands still has to be equal (shares to a rounded percent); what
moves may differ by what it moves in that time: TOLERANCE for memory. Of what the whole machine moves, which is at work
for other tests, ours is between two readings of the others.
"""

from __future__ import annotations

import re
import time

import pytest

from tests.fleet import base
from tests.fleet.looking import look_until
from tests.fleet.test_health import by_id, sweep
from tests.fleet.test_health_resources import LOOP_DEVICES, console, unit
from tests.fleet.waiting import until

TOLERANCE = 0.05
LOAD = 1.0
SHARE = 1.0  # of a hundred
PLUGINS = "/usr/lib/nagios/plugins"
LOAD_PLUGIN = "check_load -w 99,99,99 -c 99,99,99"
# Gives 40 MiB of its memory to swap, and on a signal takes them back and gives them again.
SWAPPER = """
import mmap, signal
PAGEOUT = 21
signal.signal(signal.SIGUSR1, lambda *_: None)
memory = mmap.mmap(-1, 40 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for start in range(0, len(memory), 4096):
    memory[start:start + 8] = start.to_bytes(8, "big")
while True:
    memory.madvise(PAGEOUT)
    open("/run/given", "w").close()
    signal.pause()
    sum(memory[start] for start in range(0, len(memory), 4096))
"""


@pytest.fixture(scope="module")
def alba(shared_fleet):
    """A host with a web server, a filesystem that is 40 % full, and swap space."""
    alba = shared_fleet.host("alba", tree=base.peer_tree, web=True)
    alba.run("mkdir -p /srv/data; mount -t tmpfs -o size=20M data /srv/data; head -c 8M /dev/urandom > /srv/data/x")
    console(alba, f"{LOOP_DEVICES} head -c 64M /dev/zero > /srv/swap.img; losetup -f /srv/swap.img")
    device = console(alba, "losetup -nO NAME -j /srv/swap.img")
    console(alba, f"mkswap -q {device} && swapon {device}")
    yield alba
    console(alba, f"swapoff {device}; losetup -d {device}")


def values(perfdata):
    """label -> number of Nagios performance data, ours or a plugin's."""
    return {
        (quoted or plain): float(number)
        for quoted, plain, number in re.findall(r"(?:'([^']+)'|([^\s'=]+))=(-?[\d.]+)", perfdata)
    }


def plugin(host, command):
    """(status word, values) of a monitoring plugin."""
    done = host.run(f"{PLUGINS}/{command}", check=False)
    text, _bar, perfdata = done.stdout.partition("|")
    return ("OK", "WARNING", "CRITICAL", "UNKNOWN")[done.returncode], values(perfdata), text


def exported(host):
    """metric, with its labels -> value, of node_exporter."""
    text = host.run("curl -sf --retry 20 --retry-connrefused --retry-delay 0 http://127.0.0.1:9100/metrics").stdout
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _blank, value in lines}


def near(first, second, tolerance=TOLERANCE):
    return abs(first - second) <= tolerance * max(first, second)


def between(value, *others, slack):
    """Whether a value is about between the least and the largest of others, from before and after it."""
    return min(others) * 0.8 - slack <= value <= max(others) * 1.2 + slack


def swapped_percent(host):
    free, total = host.run("free -b | awk '/Swap/ {print $4, $2}'").stdout.split()
    return 100 * (1 - int(free) / int(total))


def test_values_agree_with_df_free_node_exporter_and_the_monitoring_plugins(shared_fleet, alba):
    checks = [
        {"type": "filesystem", "path": "/srv/data"},
        {"type": "memory"},
        {"type": "load", "per_core": False, "minutes": 1},
        {"type": "swap", "rate_warn": None},
        {"type": "processes", "name": "sleep", "crit": "3:3"},
        {"type": "http", "url": "http://127.0.0.1/", "warn": None},
        {"type": "descriptors"},
        {"type": "uptime"},
    ]
    exporter = "prometheus-node-exporter --web.listen-address=127.0.0.1:9100"
    with unit(alba, "exporter", exporter), unit(alba, "sleepers", "sh -c 'sleep 300 & sleep 300 & sleep 300 & wait'"):
        alba.run(until("test $(pgrep -cx sleep) = 3"))
        began, load_before, swapped = time.monotonic(), plugin(alba, LOAD_PLUGIN), [swapped_percent(alba)]
        metrics = exported(alba)
        ours = by_id(sweep(shared_fleet, alba, checks=checks)["alba"])
        afterwards = exported(alba)
        free = {line.split()[0]: line.split()[1:] for line in alba.run("free -b").stdout.splitlines()[1:]}
        df = alba.run("df -B1 --output=used,avail,pcent /srv/data").stdout.splitlines()[1].split()
        disk = plugin(alba, "check_disk -w 10% -c 5% -p /srv/data")
        load = plugin(alba, LOAD_PLUGIN)
        procs = plugin(alba, "check_procs -C sleep -c 3:3")
        http = plugin(alba, "check_http -H 127.0.0.1")
        swap = plugin(alba, "check_swap -w 10% -c 5%")
        swapped.append(swapped_percent(alba))
        took_s = time.monotonic() - began
    found = {name: values(result["perfdata"]) for name, result in ours.items()}

    used = found["filesystem-/srv/data"]
    assert used["/srv/data used"] == int(df[0]) == disk[1]["/srv/data"]
    assert abs(used["/srv/data"] - int(df[2].rstrip("%"))) <= 1
    available = next(value for name, value in metrics.items() if 'filesystem_avail_bytes{device="data"' in name)
    assert available == int(df[1])

    memory = found["memory"]["available"]
    assert near(memory, int(free["Mem:"][5]))
    assert near(memory, metrics["node_memory_MemAvailable_bytes"])

    for minutes in (1, 5, 15):
        theirs = [one[1][f"load{minutes}"] for one in (load_before, load)]
        theirs += [one[f"node_load{minutes}"] for one in (metrics, afterwards)]
        assert between(found["load"][f"load{minutes}"], *theirs, slack=LOAD)

    assert int(free["Swap:"][0]) == metrics["node_memory_SwapTotal_bytes"]
    assert between(found["swap"]["used"], *swapped, slack=SHARE)
    assert near(swap[1]["swap"], int(free["Swap:"][2]))

    assert found["processes-sleep"]["processes"] == procs[1]["procs"] == 3
    handles = [one["node_filefd_allocated"] for one in (metrics, afterwards)]
    assert between(found["descriptors"]["handles"], *handles, slack=0)
    assert abs(found["uptime"]["uptime"] - (metrics["node_time_seconds"] - metrics["node_boot_time_seconds"])) < 30
    assert 0 < found["http-http://127.0.0.1/"]["time"] < took_s
    assert 0 < http[1]["time"] < took_s

    verdicts = [ours[name]["status"] for name in ("filesystem-/srv/data", "processes-sleep", "http-http://127.0.0.1/")]
    assert verdicts == [disk[0], procs[0], http[0]] == ["OK"] * 3


def test_used_swap_is_fine_until_pages_go_in_and_out(shared_fleet, alba):
    def look(last=None):
        return sweep(shared_fleet, alba, checks=[{"type": "swap", "rate_warn": "500/s"}], bookmarks=last)["alba"]

    alba.write("/srv/swapper.py", SWAPPER)
    with unit(alba, "swapper", "python3 /srv/swapper.py"):
        alba.run(until("test -e /run/given"))
        quiet = look_until(look, lambda answer: answer["checks"][0]["value"] >= 50)
        (result,) = look(quiet["bookmarks"])["checks"]
        assert (result["status"], result["value"] >= 50) == ("OK", True), result

        before = look()["bookmarks"]
        alba.run("for _ in 1 2 3; do systemctl kill --signal=USR1 swapper; sleep .3; done")
        busy = look_until(lambda: look(before), lambda answer: answer["checks"][0]["status"] == "WARNING")
        (result,) = busy["checks"]
    assert (result["status"], "(warn 500/s)" in result["message"]) == ("WARNING", True), result
    seen = values(result["perfdata"])
    assert min(seen["in_per_s"], seen["out_per_s"]) > 0
