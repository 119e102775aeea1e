"""Rates of the kernel's counters, over a sample and since the last round: processors, swap, disks, interfaces."""

import collections
import os

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import cpu, disk_io, network, swap
from ansible_collections.roundsman.fleet.plugins.module_utils.counters import Window, grown, recalled, window
from hypothesis import given
from hypothesis import strategies as st

from .builders import Context, keys_of, look

NOTHING = os.times_result((0, 0, 0, 0, 0))


def test_a_window_is_a_sample_without_a_bookmark_and_reaches_back_to_one():
    numbers = iter([[1], [5], [7]])
    first = Context(5)
    assert window(lambda: {"a": next(numbers)}, 0.01, first)[:2] == ({"a": [1]}, {"a": [5]})
    first.left["at"] -= 60
    second = window(lambda: {"a": next(numbers)}, 10, Context(5, bookmark=first.left))
    assert second[:2] == ({"a": [5]}, {"a": [7]})
    assert 60 <= second.seconds < 600


@pytest.mark.parametrize(
    "bookmark",
    [
        None,
        "garbage",
        {},
        {"boot": "other", "at": 50, "counters": {"a": [1]}},
        {"boot": "this", "at": "noon", "counters": {"a": [1]}},
        {"boot": "this", "at": 100.0, "counters": {"a": [1]}},
        {"boot": "this", "at": 200, "counters": {"a": [1]}},
        {"boot": "this", "at": -90000, "counters": {"a": [1]}},
        {"boot": "this", "at": 50, "counters": [1]},
        {"boot": "this", "at": 50, "counters": {"a": 1}},
        {"boot": "this", "at": 50, "counters": {"a": ["1"]}},
    ],
)
def test_a_bookmark_that_cannot_be_compared_is_as_none(bookmark):
    assert recalled(bookmark, "this", 100.0) is None


def test_what_is_new_gone_or_began_again_has_no_growth():
    before = {"kept": [1, 2], "reset": [9, 9], "gone": [1, 1], "shape": [1]}
    after = {"kept": [4, 2], "reset": [1, 10], "new": [7, 7], "shape": [1, 2]}
    assert grown(Window(before, after, 1)) == {"kept": [3, 0]}


@given(st.dictionaries(st.text(), st.lists(st.integers(0, 2**64))), st.dictionaries(st.text(), st.lists(st.integers())))
def test_growth_is_never_negative(before, after):
    assert all(number >= 0 for growth in grown(Window(before, after, 1)).values() for number in growth)


Times = collections.namedtuple("Times", "user nice system idle iowait irq softirq steal guest guest_nice")


@pytest.mark.parametrize(
    ("later", "own", "expected"),
    [
        (Times(25, 5, 6, 50, 10, 2, 2, 0, 0, 0), NOTHING, (40, 30, 10, 10, 0)),
        (Times(30, 0, 10, 50, 10, 0, 0, 0, 0, 0), os.times_result((9, 1, 0, 0, 0)), (30, 21, 9, 10, 0)),
        (Times(50, 0, 0, 50, 0, 0, 0, 0, 50, 0), NOTHING, (50, 50, 0, 0, 0)),
        (Times(0, 0, 0, 80, 0, 0, 0, 20, 0, 0), NOTHING, (20, 0, 0, 0, 20)),
        (Times(*[0] * 10), NOTHING, (0, 0, 0, 0, 0)),
    ],
)
def test_processor_shares(later, own, expected):
    assert tuple(cpu.shares(Times(*[0] * 10), later, (NOTHING, own))) == expected


@pytest.mark.parametrize(
    ("later", "keys", "status", "words"),
    [
        (Times(95, 0, 0, 5, 0, 0, 0, 0, 0, 0), {}, "WARNING", "processors 95% busy (warn 90%) on"),
        (Times(9, 0, 1, 40, 50, 0, 0, 0, 0, 0), {"iowait_warn": "30%"}, "WARNING", "50% waiting for disks (warn 30%)"),
        (Times(9, 0, 1, 40, 50, 0, 0, 0, 0, 0), {}, "OK", "10% busy"),
        (Times(0, 0, 0, 60, 0, 0, 0, 40, 0, 0), {"steal_crit": "25%"}, "CRITICAL", "40% stolen (crit 25%)"),
    ],
)
def test_each_part_of_processor_time_has_thresholds_of_its_own(later, keys, status, words):
    class Library:
        times = iter([Times(*[0] * 10), later])

        @classmethod
        def cpu_times(cls):
            return next(cls.times)

    result, _left = look(dict(keys, type="cpu", sample="1ms"), library=Library)
    assert (result["status"], words in result["message"]) == (status, True), result
    assert all(f"'{part}'=" in result["perfdata"] for part in ("busy", "user", "system", "iowait", "steal"))


class Swapping:
    """psutil of a host with `used` percent of its swap in use."""

    def __init__(self, used, total=100):
        self._swap = collections.namedtuple("Swap", "total used")(total, used)

    def swap_memory(self):
        return self._swap


@pytest.mark.parametrize(
    ("used", "total", "pages", "status", "words"),
    [
        (0, 0, 0, "OK", "no swap space"),
        (70, 100, 0, "OK", "swap 70% used, 70 B of 100 B, 0 pages/s in and out"),
        (95, 100, 0, "WARNING", "swap 95% used (warn 90%)"),
        (10, 100, 600000, "WARNING", "(warn 1000/s)"),
    ],
)
def test_quiet_swap_is_fine_and_traffic_is_not(monkeypatch, used, total, pages, status, words):
    monkeypatch.setattr(swap, "read", lambda: {"pages": [0, 0]})
    _result, bookmark = look({"type": "swap", "sample": "1ms"}, library=Swapping(used, 100))
    bookmark["at"] -= 60
    monkeypatch.setattr(swap, "read", lambda: {"pages": [pages // 3, pages - pages // 3]})
    result, _left = look({"type": "swap"}, bookmark, library=Swapping(used, total))
    assert (result["status"], words in result["message"]) == (status, True), result


def test_pages_swapped_are_those_of_the_kernel():
    assert swap.paged("nr_free_pages 1\npswpin 12\npswpout 34\n") == [12, 34]
    assert swap.paged("nr_free_pages 1\n") == [0, 0]


DISKSTATS = """\
 254       0 vda 58091 16124 4236010 47653 61532 33298 3084224 18034 2 20868 68009 9315 64 806624 1347 13982 974
   8       1 sda1 5 0 40 3 1 0 8 1 0 4 4
   8       2 sda2 5 40 1 8
"""


def test_disk_counters_with_and_without_newer_columns():
    assert disk_io.parse(DISKSTATS) == {"vda": [119623, 65687, 20868, 2], "sda1": [6, 4, 4, 0]}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([100, 1000, 500, 0], [110, 1200, 1000, 0], (50.0, 0.02, 10)),
        ([100, 1000, 500, 0], [100, 1000, 500, 0], (0.0, 0.0, 0)),
        ([100, 2**32 - 50, 2**32 - 100, 0], [105, 50, 400, 0], (50.0, 0.02, 5)),
        ([100, 1000, 500, 0], [101, 1001, 1501, 0], (100.0, 0.001, 1)),
        ([100, 1000, 500, 0], [3, 10, 5, 0], None),
    ],
)
def test_use_of_a_disk_over_a_second_survives_a_counter_that_wraps(before, after, expected):
    assert disk_io.use(before, after, 1.0) == expected


def test_a_disk_that_does_nothing_with_requests_waiting_is_said_to():
    keys = keys_of({"type": "disk_io"})
    stuck = disk_io.verdict("sda", disk_io.Use(100.0, 0.0, 0), 4, keys)
    assert stuck.words == "sda 100% busy (warn 95%), 4 requests wait and none was done"
    slow = disk_io.verdict("sda", disk_io.Use(40.0, 0.3, 10), 4, keys)
    assert (slow.words, slow.status) == ("sda 40% busy, 300.0 ms a request (warn 200ms)", "WARNING")


def test_disks_of_this_machine_since_a_round_in_which_another_was_there():
    result, bookmark = look({"type": "disk_io", "sample": "20ms"})
    if result["status"] == "UNKNOWN":
        pytest.skip(result["message"])
    (disk, *_others) = bookmark["counters"]
    assert not disk.startswith(("loop", "ram", "zram", "dm-"))
    bookmark["counters"]["vanished"] = [1, 1, 1, 0]
    bookmark["at"] -= 600
    result, _left = look({"type": "disk_io"}, bookmark)
    assert "(over 10 min)" in result["message"]
    assert "vanished" not in result["perfdata"]


def test_without_a_disk_there_is_nothing_to_look_at():
    check = {"type": "disk_io", "devices": ["no-such*"], "sample": "1ms"}
    assert look(check)[0]["message"] == "no disk to look at"
    assert look(dict(check, optional=True))[0] is None


NET_DEV = """\
Inter-|   Receive          |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier
    lo:  208086    1946    0    0    0     0          0         0   208086    1946    0    0    0     0       0
  eth0:306592127   9227    1    2    0     0          0         0   723620    6786    3    4    0     0       0
eth0:1: 1 1 0 7 0 0 0 0 1 1 0 0 0 0 0 0
"""


def test_errors_and_drops_of_interfaces():
    assert network.parse(NET_DEV) == {"lo": [0, 0], "eth0": [4, 6], "eth0:1": [0, 7]}


def test_virtual_interfaces_are_left_out_unless_named():
    names = ["lo", "eth0", "veth12ab", "docker0", "br-1f", "bond0"]
    assert network.chosen(names, None, list(network.VIRTUAL)) == ["eth0", "bond0"]
    assert network.chosen(names, None, []) == names
    assert network.chosen(names, "lo", list(network.VIRTUAL)) == ["lo"]


@pytest.mark.parametrize(
    ("growth", "status", "words"),
    [
        ([0, 0], "OK", "eth0 0 errors and 0 drops"),
        ([12, 3], "WARNING", "eth0 12 errors (warn 1/min) and 3 drops"),
        ([0, 900], "WARNING", "eth0 0 errors and 900 drops (warn 10/s)"),
    ],
)
def test_an_interface_is_judged_by_its_errors_and_drops(growth, status, words):
    found = network.verdict("eth0", growth, 60, keys_of({"type": "network"}))
    assert (found.status, found.words) == (status, words)


def test_loopback_has_its_link_and_what_is_not_there_is_not():
    # What others make it drop meanwhile is no matter of its link.
    loopback = {"type": "network", "interface": "lo", "sample": "1ms", "warn": None, "drops_warn": None}
    assert look(loopback)[0]["status"] == "OK"
    check = {"type": "network", "interface": "no-such0"}
    assert look(check)[0]["message"] == "there is no interface no-such0"
    assert look(dict(check, optional=True))[0] is None
