"""Units and timers of systemd: what its own words mean."""

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import (
    systemd,
    timers,
)

from .builders import keys_of


def mark(restarts, invocation="a", boot="1"):
    return {"boot": boot, "invocation": invocation, "restarts": restarts}


@pytest.mark.parametrize(
    ("before", "now", "since"),
    [
        (None, mark(7), None),
        (["of", "another", "shape"], mark(7), None),
        ({"restarts": "7"}, mark(7), None),
        (mark(3), mark(3), 0),
        (mark(3), mark(0), 0),  # reset-failed
        (mark(3), mark(8, "b"), 5),
        (mark(0), mark(0, "b"), 0),  # a person restarted it
        (mark(3), mark(2, "b"), 2),  # and it crashed twice after that
        (mark(3), mark(3, "b"), 3),
        (mark(3), mark(0, "b", "2"), 0),  # the host was restarted
        (mark(3), mark(4, "b", "2"), 4),
    ],
)
def test_restarts_since_the_last_round(before, now, since):
    assert systemd.restarts_since(before, now) == since


def test_only_services_have_restarts():
    assert systemd.reading({"InvocationID": "a"}, "1") is None
    assert systemd.reading({"InvocationID": "a", "NRestarts": "4"}, "1") == mark(4)


@pytest.mark.parametrize(
    ("states", "fine", "words"),
    [
        ({"ActiveState": "active", "SubState": "running"}, True, "a.service is active (running)"),
        ({"ActiveState": "activating", "SubState": "start-pre"}, True, "activating (start-pre)"),
        # It is down until RestartSec is over, which may be most of the time.
        ({"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code"}, False, "result exit-code"),
        ({"ActiveState": "activating", "SubState": "auto-restart-queued", "Result": "signal"}, False, "result signal"),
        # It ended of its own will, as some that work in turns do.
        ({"ActiveState": "activating", "SubState": "auto-restart", "Result": "success"}, True, "(auto-restart)"),
        ({"ActiveState": "failed", "SubState": "failed", "Result": "exit-code"}, False, "result exit-code"),
    ],
)
def test_a_unit_that_waits_for_its_next_start_after_a_failure_is_down(states, fine, words):
    found = systemd.describe("a.service", dict(states, LoadState="loaded"))
    assert (found[0], words in found[1]) == (fine, True), found


NOW, UP, AWAKE = 1795642000.0, 500.0, 900.0
CLOCKS = (NOW, UP, AWAKE)  # realtime, monotonic, boottime: the host has slept
WAITING = {"LoadState": "loaded", "ActiveState": "active", "SubState": "waiting", "Unit": "a.service"}


def at(seconds):
    import time

    return time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(NOW + seconds))


@pytest.mark.parametrize(
    ("states", "service", "words"),
    [
        ({"NextElapseUSecRealtime": at(60)}, {}, None),
        ({"NextElapseUSecRealtime": at(-60)}, {}, None),
        ({"NextElapseUSecRealtime": at(-7200)}, {}, "missed its run 2 h ago, never ran"),
        ({"NextElapseUSecRealtime": at(-7200), "LastTriggerUSec": at(-9 * 86400)}, {}, "last ran 9 days ago"),
        ({"NextElapseUSecMonotonic": "10min"}, {}, None),
        ({"NextElapseUSecMonotonic": "1min 40s"}, {}, "missed its run 6 min ago"),
        ({"NextElapseUSecMonotonic": "9min", "WakeSystem": "yes"}, {}, "missed its run 6 min ago"),
        ({"NextElapseUSecMonotonic": "infinity", "SubState": "elapsed"}, {}, None),
        ({}, {"Result": "exit-code", "ExecMainStatus": "3"}, "a.service failed at its last run: exit-code 3"),
        ({}, {"Result": "timeout", "ExecMainStatus": "15"}, "a.service failed at its last run: timeout"),
        ({"SubState": "running", "LastTriggerUSec": at(-3 * 86400)}, {}, "a.service still runs after 3 days"),
        ({"SubState": "running", "LastTriggerUSec": at(-60), "NextElapseUSecRealtime": at(-9000)}, {}, None),
        ({"ActiveState": "failed", "Result": "resources"}, {}, "could not start a.service (resources)"),
        ({"ActiveState": "inactive", "ConditionTimestampMonotonic": "0"}, {}, "is enabled but not started"),
        ({"ActiveState": "inactive", "ConditionTimestampMonotonic": "9", "ConditionResult": "no"}, {}, None),
        ({"LoadState": "masked", "ActiveState": "inactive"}, {}, "is masked"),
        ({"LoadState": "not-found", "ActiveState": "inactive"}, {}, "is not installed"),
    ],
)
def test_a_timer_that_does_not_do_its_work(states, service, words):
    found = timers.fault(dict(WAITING, **states), service, keys_of({"type": "timers"}), CLOCKS)
    assert found == words if words is None else words in found


def test_spans_of_systemd():
    assert timers.seconds("1w 2d 3h 4min 5.5s") == 788645.5
    assert (timers.seconds("0"), timers.seconds("infinity"), timers.seconds(None)) == (None, None, None)
