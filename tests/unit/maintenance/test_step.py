"""A step of a procedure on a host: under its lease, noted before and after, and accounted for when it is killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import step
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.base import ProcedureError
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.journal import Journal, blank
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.lease import Leases
from ansible_collections.roundsman.fleet.plugins.module_utils.state import State

from .calling import call_module

A_STEP = "tests.unit.maintenance.a_step"


class Host:
    """A host's state directory, and the modules that work there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.leases = Leases(State(str(root / "state")))

    def begin(self, run: str = "run-1", dead: str | None = None) -> int:
        wanted = {"run": run, "procedure": "making", "controller": "ops1", "lasts_s": 900}
        number: int = self.leases.begin(wanted, time.time(), 0, dead)[0]["number"]
        return number

    def arguments(self, *names: str, **more: Any) -> dict[str, Any]:
        files = [str(self.root / name) for name in names]
        return {"files": files, "state_dir": str(self.root / "state"), "lock_timeout_s": 0, **more}

    def call(self, *names: str, **more: Any) -> dict[str, Any]:
        process = self.start(*names, **more)
        assert process.stdout
        answer: dict[str, Any] = json.loads(process.stdout.read())
        process.wait()
        return answer

    def start(self, *names: str, **more: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", A_STEP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": self.arguments(*names, **more)}))
        process.stdin.close()
        return process

    def records(self, number: int) -> list[dict[str, Any]]:
        return list(self.leases.journal(number).records())


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def outcomes(record: dict[str, Any]) -> list[tuple[str, str]]:
    return [(Path(action["target"]).name, action["outcome"]) for action in record["actions"]]


def test_what_is_done_under_a_lease_is_in_its_journal(host: Host) -> None:
    number = host.begin()
    answer = host.call("one", "two", lease=number)
    assert (answer["changed"], answer["msg"]) == (True, "made 2")
    assert outcomes(answer["maintenance"]) == [("one", "done"), ("two", "done")]
    assert host.records(number) == [answer["maintenance"]]


def test_check_mode_plans_and_touches_nothing_not_even_its_own_state(host: Host) -> None:
    answer = host.call("one", _ansible_check_mode=True)
    assert outcomes(answer["maintenance"]) == [("one", "planned")]
    assert answer["changed"] is True
    assert list(host.root.iterdir()) == []


def test_a_failure_says_what_was_done_before_it(host: Host) -> None:
    number = host.begin()
    answer = host.call("one", "two", lease=number, fail=True)
    assert answer["failed"] is True
    assert (answer["msg"], answer["maintenance"]["reason"]) == ("the disk is full", "no_space")
    (record,) = host.records(number)
    assert outcomes(record) == [("one", "failed")]
    assert record["reason"] == "no_space"


def test_what_went_wrong_first_is_what_counts_on_a_full_disk(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(_step: step.Step) -> str:
        def full(_journal: Journal, **_line: Any) -> None:
            raise ProcedureError("no_space", "what is done cannot be noted")

        monkeypatch.setattr(Journal, "write", full)
        raise ProcedureError("hook_failed", "the hook said no")

    answer: dict[str, Any] = {}
    params = {"lease": host.begin(), "state_dir": str(host.root / "state"), "timeout_s": 60, "lock_timeout_s": 0}
    module = SimpleNamespace(check_mode=False, params=params, fail_json=answer.update, exit_json=lambda **_: None)
    monkeypatch.setattr(step.signal, "signal", lambda *_: None)
    step.run_step(module, "making", "make", work)
    assert (answer["msg"], answer["maintenance"]["reason"]) == ("the hook said no", "hook_failed")


FULL = """
set -e; mkdir $1; mount -t tmpfs -o size=64k,mode=700 state $1; cat /dev/zero > $1/ballast 2> /dev/null || true
exec "$2" -m ansible_collections.roundsman.fleet.plugins.modules.maintenance_lease
"""


def test_a_lease_on_a_full_disk_says_so(tmp_path: Path) -> None:
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("only root may mount")
    state_dir = str(tmp_path / "state")
    asked = json.dumps({"ANSIBLE_MODULE_ARGS": {"procedure": "making", "state_dir": state_dir}})
    command = ["unshare", "--mount", "--propagation", "private", "bash", "-c", FULL, "-", state_dir, sys.executable]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert (answer["failed"], answer["reason"]) == (True, "no_space")
    assert answer["msg"] == (
        f"the lease cannot be kept in {state_dir}: No space left on device. Nothing was done. Make room there."
    )


def test_a_lease_that_cannot_be_given_back_still_says_what_was_done(host: Host) -> None:
    number = host.begin()
    host.call("one", lease=number)
    with host.leases.alone(0):
        answer = call_module("maintenance_lease", host.root / "state", state="absent", number=number, lock_timeout_s=0)
    assert (answer["failed"], answer["reason"]) == (True, "locked")
    assert [outcomes(record) for record in answer["records"]] == [[("one", "done")]]


def test_a_fenced_step_does_nothing(host: Host) -> None:
    old = host.begin()
    host.begin("run-2", dead="run-1")
    answer = host.call("one", lease=old)
    assert answer["maintenance"]["reason"] == "fenced"
    assert not (host.root / "one").exists()


def test_without_a_lease_a_step_is_refused_while_somebody_holds_the_host(host: Host) -> None:
    host.begin()
    assert host.call("one")["maintenance"]["reason"] == "locked"
    assert not (host.root / "one").exists()


def wait_for(path: Path) -> None:
    until = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < until, f"{path} never came"
        time.sleep(0.02)


def test_an_orphan_keeps_others_out_until_it_ends_and_its_account_remains(host: Host) -> None:
    number = host.begin()
    process = host.start("one", lease=number, wait=True)
    wait_for(host.root / "one")
    assert host.call("two", lease=number)["maintenance"]["reason"] == "locked"
    process.kill()
    process.wait()
    assert host.call("two", lease=number)["changed"] is True
    killed, after = host.records(number)
    assert (outcomes(killed), killed["reason"]) == ([("one", "interrupted")], "interrupted")
    assert outcomes(after) == [("two", "done")]


def test_asked_to_stop_it_says_so(host: Host) -> None:
    number = host.begin()
    process = host.start("one", lease=number, wait=True)
    wait_for(host.root / "one")
    process.terminate()
    process.wait()
    (record,) = host.records(number)
    assert (outcomes(record), record["reason"]) == ([("one", "failed")], "interrupted")


def test_a_journal_cut_anywhere_is_read_and_forgets_nothing_that_was_written(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal"))
    record = blank("making", "make")
    journal.write(started=record)
    for name in ("one", "two"):
        journal.write(begun={"action": "make", "target": name, "size_bytes": None, "detail": None})
        journal.write(ended={"outcome": "done", "size_bytes": 4, "detail": None})
    journal.write(step=dict(record, message="made 2"))
    whole = (tmp_path / "journal").read_bytes()
    for cut in range(len(whole) + 1):
        (tmp_path / "journal").write_bytes(whole[:cut])
        read = journal.records()
        lines = whole[:cut].count(b"\n")
        begun = sum(len(one["actions"]) for one in read)
        assert begun == (0 if lines == 6 else lines // 2), cut
        assert len(read) == (lines > 0), cut


def test_what_a_hook_leaves_running_keeps_nobody_from_the_host(host: Host) -> None:
    """git, ssh and builds leave daemons behind: the steps after it have to get the host, for the way back as well."""
    asked = {"id": "shop", "version": "1.0", "recipe": "hooks", "roll_back": "true", "verify": "true"}
    asked.update(switch="sleep 300 > /dev/null 2>&1 & echo $! > " + str(host.root / "left"), lock_timeout_s=0)
    number = host.begin()
    try:
        assert "failed" not in call_module("application", host.root / "state", lease=number, **asked)
        assert "failed" not in call_module("application", host.root / "state", lease=number, state="verified", **asked)
    finally:
        os.kill(int((host.root / "left").read_text()), signal.SIGKILL)
    assert not list((host.root / "state" / "maintenance").glob("child-*"))


def test_a_child_that_outlives_its_step_is_waited_for(host: Host) -> None:
    with contextlib.suppress(ProcedureError), host.leases.alone(0), host.leases.child() as fd:
        left = subprocess.Popen(["sleep", "300"], pass_fds=[fd])
        raise ProcedureError("timeout", "it is cut off")
    with pytest.raises(ProcedureError, match="works with maintenance and holds"):
        host.begin()
    left.kill()
    left.wait()
    assert host.begin() == 1
    assert not list((host.root / "state" / "maintenance").glob("child-*"))
