import json
import queue
import shutil
import subprocess
import threading
import time

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import family
from ansible_collections.roundsman.fleet.plugins.module_utils.family import (
    CannotLookError,
    Context,
    NotThereError,
    finding,
    perf,
    worst,
)
from ansible_collections.roundsman.fleet.plugins.module_utils.health import run_all

from tests.alertmanager import wait_for

from .builders import invented


def fine(_context):
    return finding("OK", "all is well", 1)


def breaks(_context):
    raise KeyError("no\nsuch")


def hangs(_context):
    time.sleep(60)


def is_blind(_context):
    raise CannotLookError("no eyes", "buy glasses")


def sweep(*specs):
    return {result["id"]: result for result in run_all(list(specs), None, "missing: test")[0]}


def test_results_come_in_the_order_of_the_checks():
    def slow(context):
        time.sleep(0.05)
        return fine(context)

    results, _left = run_all([invented("slow", slow), invented("fast", fine)], None, "test")
    assert [result["id"] for result in results] == ["slow", "fast"]


def test_checks_run_at_the_same_time():
    everybody = threading.Barrier(10, timeout=60)

    def meets(context):
        everybody.wait()
        return fine(context)

    results = sweep(*(invented(f"meets{number}", meets, limit_s=120) for number in range(10)))
    assert [result["message"] for result in results.values()] == ["all is well"] * 10


def test_a_check_gives_up_itself_a_little_before_its_limit():
    assert Context(10).patience_s == 9


def test_a_check_that_breaks_is_unknown_and_takes_no_other_down():
    results = sweep(invented("breaks", breaks), invented("fine", fine))
    assert results["fine"]["status"] == "OK"
    assert results["breaks"]["status"] == "UNKNOWN"
    assert results["breaks"]["message"] == "the check broke: KeyError: 'no\\nsuch'"


def test_a_check_that_hangs_is_unknown_at_its_limit_and_delays_no_other():
    started = time.monotonic()
    results = sweep(invented("hangs", hangs, limit_s=0.3), invented("fine", fine))
    assert time.monotonic() - started < 30
    assert (results["fine"]["status"], results["fine"]["duration_s"] < 30) == ("OK", True)
    assert results["hangs"]["message"] == "no answer within 0.3 s"
    assert results["hangs"]["remedy"]


@pytest.mark.skipif(shutil.which("ps") is None, reason="no ps here (apt-get install procps)")
def test_a_command_that_a_late_check_runs_is_ended_with_its_children():
    seen = []

    def waits(context):
        seen.append(context)
        context.run(["sh", "-c", "sleep 777 & wait"])

    sweep(invented("waits", waits, limit_s=0.3))
    # If it was too late even to begin, it begins yet, and is ended then.
    wait_for(lambda: seen and seen[0]._processes)
    (process,) = seen[0]._processes
    assert process.wait(timeout=60) != 0

    def living():
        group = ["ps", "-o", "stat=", "-g", str(process.pid)]
        states = subprocess.run(group, check=False, capture_output=True, text=True).stdout.split()
        return [state for state in states if not state.startswith("Z")]

    wait_for(lambda: not living())


def test_a_late_check_starts_no_further_command_that_stays():
    codes = queue.Queue()

    def goes_on(context):
        for _command in range(2):
            codes.put(context.run(["sleep", "777"])[0])

    sweep(invented("goes on", goes_on, limit_s=0.3))
    assert [codes.get(timeout=60), codes.get(timeout=60)] == [-9, -9]


def test_a_command_that_says_too_much_is_ended_before_it_fills_the_memory(monkeypatch):
    monkeypatch.setattr(family, "MOST_SAID_BYTES", 100000)
    contexts = [Context(60), Context(60)]
    with pytest.raises(CannotLookError, match="yes says more than 97"):
        contexts[0].run(["yes"])
    assert contexts[0]._processes[0].returncode != 0
    assert contexts[1].run(["head", "-c", "100000", "/dev/zero"])[1] == "\0" * 100000


def test_a_command_may_say_much_before_it_hears_and_end_before_it_has_heard_all():
    told = "x" * 1000000
    assert Context(10).run(["sh", "-c", "head -c 1000000 /dev/zero; wc -c"], stdin=told)[1].endswith("\x001000000\n")
    assert Context(10).run(["true"], stdin=told) == (0, "", "")


@pytest.mark.parametrize(
    ("reason", "error", "remedy"),
    [
        ("No such file or directory", NotThereError, "install it"),
        ("Permission denied", CannotLookError, "let daemon run it"),
    ],
)
def test_what_another_user_cannot_execute_is_missing_or_forbidden(tmp_path, monkeypatch, reason, error, remedy):
    (tmp_path / "runuser").write_text(f"#!/bin/sh\necho 'runuser: failed to execute psql: {reason}' >&2\nexit 1\n")
    (tmp_path / "runuser").chmod(0o755)
    monkeypatch.setitem(family.ENVIRONMENT, "PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(family.os, "geteuid", lambda: 0)
    with pytest.raises(CannotLookError, match=reason) as raised:
        Context(10).run(["psql"], user="daemon")
    assert (type(raised.value), remedy in raised.value.remedy) == (error, True)


def test_a_check_that_cannot_look_says_what_to_do():
    result = sweep(invented("blind", is_blind))["blind"]
    assert (result["status"], result["message"], result["remedy"]) == ("UNKNOWN", "no eyes", "buy glasses")


def test_without_psutil_only_the_checks_that_need_it_are_unknown():
    results = sweep(invented("needy", fine, needs_psutil=True), invented("fine", fine))
    assert results["fine"]["status"] == "OK"
    assert results["needy"]["status"] == "UNKNOWN"
    assert "missing: test" in results["needy"]["message"]
    assert "python3-psutil" in results["needy"]["remedy"]


def test_a_number_that_is_none_is_undetermined_in_performance_data():
    assert [perf("a", value, "s") for value in (float("nan"), float("-inf"), 1.5)] == ["'a'=U", "'a'=U", "'a'=1.5s"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_hold_is_replaced(value):
    def odd(_context):
        return finding("OK", "a\udce4b\nc\x00" + "x" * 5000, value, "", "'p'=1\n")

    result = sweep(invented("odd", odd))["odd"]
    text = json.dumps(result, allow_nan=False, ensure_ascii=False)
    text.encode("utf-8")
    assert result["value"] is None
    assert result["message"].startswith("a?b c")
    assert len(result["message"]) <= 1000
    assert "\n" not in result["message"] + result["perfdata"]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], "OK"),
        (["OK", "WARNING"], "WARNING"),
        (["WARNING", "UNKNOWN"], "UNKNOWN"),
        (["UNKNOWN", "CRITICAL", "OK"], "CRITICAL"),
    ],
)
def test_the_worst_status(statuses, expected):
    assert worst(statuses) == expected
