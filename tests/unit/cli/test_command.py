"""The command as a person types it, on this machine: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests import warm

BIN = Path(sys.executable).parent
needs_restic = pytest.mark.skipif(shutil.which("restic") is None, reason="restic is not installed")


class Desk:
    """A directory with a configuration, and one host, `here`, whose source is a small directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "source"
        self.source.mkdir()
        (self.source / "orders").write_text("one order\n")
        self.variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "roundsman_default_checks": [],
            "roundsman_checks": [{"type": "load", "warn": "1000", "crit": "2000"}],
            "roundsman_backups": [{"id": "shop", "type": "files", "paths": [str(self.source)]}],
            "roundsman_backup_become": False,
            "roundsman_repository": str(folder / "repository"),
            "roundsman_repository_password": "a-password-of-this-test",
            "roundsman_state_dir": str(folder / "on-host"),
        }
        (folder / "roundsman.yml").write_text("inventory: hosts.yml\nstate_dir: state\n")
        self.write_inventory()

    def write_inventory(self) -> None:
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"here": self.variables}}}))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return warm.run(BIN / "roundsman", *arguments, env=os.environ, cwd=self.folder)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@needs_restic
def test_a_round_and_a_restore(desk: Desk) -> None:
    plan = desk.run("rounds", "--check")
    assert "would save 1 file" in plan.stdout
    assert not (desk.folder / "repository").exists()

    done = desk.run("rounds")
    assert (done.returncode, desk.run("alerts", "list").stdout) == (0, "no open alerts\n"), done.stdout + done.stderr
    assert "1 backup made · 1 restored and compared" in done.stdout
    (snapshot,) = json.loads(desk.run("backup", "list", "--limit", "here", "--json").stdout)
    assert (snapshot["source"], snapshot["level"]) == ("shop", "restored")

    target = desk.folder / "restored"
    options = ["restore", "here", "--source", "shop", "--to", str(target)]
    plan = desk.run(*options, "--check")
    assert f"{target} on here" in plan.stdout, plan.stderr
    assert "evidence   restored, " in plan.stdout
    assert not target.exists()
    done = desk.run(*options)
    assert (done.returncode, "equal the manifest" in " ".join(done.stdout.split())) == (0, True), done.stdout
    assert Path(f"{target}{desk.source}/orders").read_text() == "one order\n"

    Path(f"{target}{desk.source}/orders").write_text("another\n")
    done = desk.run(*options)
    assert (done.returncode, "is not empty" in " ".join(done.stderr.split())) == (5, True), done.stdout + done.stderr
    assert Path(f"{target}{desk.source}/orders").read_text() == "another\n"

    printed = desk.run("backup", "runbook", "here").stdout
    assert f"restic restore --no-lock {snapshot['id']} --target /srv/restored/shop" in printed


@needs_restic
def test_a_source_that_is_gone_alerts_until_it_is_back(desk: Desk) -> None:
    desk.source.rename(desk.folder / "elsewhere")
    done = desk.run("backup", "run", "--json")
    assert done.returncode == 2, done.stdout
    (alert,) = json.loads(desk.run("alerts", "list", "--json").stdout)
    assert (alert["check"], alert["evidence"]["reason"]) == ("backup:shop", "source_missing")
    assert "acknowledged by anna" in desk.run("alerts", "ack", alert["fingerprint"][:6], "--by", "anna").stdout
    again = desk.run("alerts", "ack", alert["fingerprint"])
    assert (again.returncode, "anna has acknowledged it already" in again.stderr) == (64, True)
    (desk.folder / "elsewhere").rename(desk.source)
    assert desk.run("backup", "run").returncode == 0
    shown = desk.run("alerts", "show", alert["fingerprint"]).stdout
    assert [word for word in ("opened", "acknowledged", "resolved") if word in shown] == [
        "opened",
        "acknowledged",
        "resolved",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rounds", "--frob"], "No such option"),
        (["rounds", "-i", "not/there"], "there is no inventory"),
        (["rounds", "--limit", "nobody"], "matches a host of the inventory"),
        (["rounds", "--limit", "here,typo"], "matches a host of the inventory"),
        (["doctor", "--limit", "here,typo"], "Could not match supplied host pattern"),
        (["doctor", "--limit", "all,!here"], "no host is meant"),
        (["alerts", "list", "--limit", "typo"], "Could not match supplied host pattern"),
        (["alerts", "show", "ffff"], "there is no alert ffff"),
        (["runs", "show", "1999"], "there is no run 1999"),
        (["restore", "here", "--source", "shop", "--to", "relative"], "absolute path"),
        (["restore", "here", "--at", "noon"], "is no time like"),
        (["restore", "here", "--snapshot", "ffff"], "need the --source"),
        (["restore", "here", "--on", "nowhere"], "no host nowhere in the inventory"),
        (["backup", "runbook", "here"], "no snapshot of here is known"),
        ([], "Exit codes"),
        (["health", "all,!here"], "means 0 hosts; look at all of them with: roundsman health --limit"),
        (["health", "here", "--limit", "here"], "one HOST, or --limit"),
        (["health", "--last"], "roundsman runs show"),
        (["health", "--watch", "here"], "--watch=30s"),
    ],
)
def test_a_mistake_is_said_in_words_and_runs_nothing(desk: Desk, arguments: list[str], said: str) -> None:
    done = desk.run(*arguments)
    assert done.returncode == 64, done.stdout + done.stderr
    assert said in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr


def test_nagios_is_told_in_its_own_words_that_nothing_was_run(desk: Desk) -> None:
    done = desk.run("health", "here", "--last", "--output", "nagios")
    assert (done.returncode, done.stdout[:24]) == (3, "ROUNDSMAN UNKNOWN - --la")


def test_faults_of_the_configuration_name_file_line_and_key_all_at_once(desk: Desk) -> None:
    (desk.folder / "roundsman.yml").write_text(
        "inventory: hosts.yml\nforks: many\nalerts:\n  receivers:\n    - {name: team, urls: [{env: NOT_SET}]}\n"
        "colour: red\n"
    )
    done = desk.run("rounds")
    assert done.returncode == 64
    for fault in ("roundsman.yml:2: forks", "roundsman.yml:5: alerts.receivers.0.urls.0", "roundsman.yml:6: colour"):
        assert fault in done.stderr


def test_a_configuration_that_one_may_not_see_is_not_taken_for_none(desk: Desk) -> None:
    # As a directory of another user, but for root as well.
    (desk.folder / "roundsman.yml").unlink()
    place = desk.folder / ".config" / "roundsman"
    place.parent.mkdir()
    place.symlink_to(place)
    command = [BIN / "roundsman", "alerts", "list"]
    environment = {**{k: v for k, v in os.environ.items() if k != "ROUNDSMAN_CONFIG"}, "HOME": str(desk.folder)}
    done = subprocess.run(command, cwd=desk.folder, env=environment, check=False, capture_output=True, text=True)
    assert (done.returncode, f"{place}/roundsman.yml: cannot be read" in done.stderr) == (64, True), done


def test_an_inventory_by_a_relative_path(desk: Desk) -> None:
    done = desk.run("health", "-i", "hosts.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_half_an_inventory_is_not_taken_for_all_of_it(desk: Desk) -> None:
    folder = desk.folder / "inventory"
    folder.mkdir()
    (desk.folder / "hosts.yml").rename(folder / "hosts.yml")
    (folder / "broken.yml").write_text("all: [broken\n")
    done = desk.run("health", "-i", "inventory")
    assert done.returncode == 3
    assert "broken.yml" in done.stdout
    listed = desk.run("alerts", "list", "-i", "inventory", "--limit", "here")
    assert (listed.returncode, "broken.yml" in listed.stderr) == (0, True), listed.stderr
    examined = desk.run("doctor", "-i", "inventory")
    assert (examined.returncode, "broken.yml" in examined.stdout) == (64, True), examined.stdout


def test_a_broken_inventory_is_no_fleet_without_alerts(desk: Desk) -> None:
    (desk.folder / "hosts.yml").write_text("all: [broken\n")
    for arguments in (["doctor"], ["alerts", "list", "--limit", "here"]):
        done = desk.run(*arguments)
        assert (done.returncode, "nable to parse" in done.stdout + done.stderr) == (64, True), done.stdout + done.stderr


def test_a_store_that_is_no_store(desk: Desk) -> None:
    (desk.folder / "state").mkdir()
    (desk.folder / "state/store.db").write_text("this is not a database, not at all, not even a small one")
    done = desk.run("runs", "list")
    assert (done.returncode, "Traceback" in done.stderr) == (6, False), done.stderr


def test_a_closed_terminal_does_not_stop_the_work(desk: Desk) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [BIN / "roundsman", "health"], cwd=desk.folder, stdout=subprocess.PIPE, stderr=full, text=True, check=False
        )
    assert done.returncode == 0, done.stdout
    assert "1 of 1 host OK" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--watch=1s"]])
def test_whoever_has_read_enough_changes_no_exit_code(desk: Desk, arguments: list[str]) -> None:
    desk.variables["roundsman_checks"] = [{"type": "load", "crit": "@0:2000"}]
    desk.write_inventory()
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as closed:
        done = subprocess.run(
            [BIN / "roundsman", "health", *arguments], cwd=desk.folder, stdout=closed, stderr=subprocess.PIPE,
            text=True, check=False, timeout=120,
        )  # fmt: skip
    assert (done.returncode, "Broken pipe" in done.stderr) == (2, False), done.stderr


def test_output_that_is_lost_is_neither_a_fault_of_the_store_nor_all_well(desk: Desk) -> None:
    for arguments, code in ((["health"], 5), (["runs", "list", "--json"], 5), (["runs", "show", "1999"], 64)):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [BIN / "roundsman", *arguments], cwd=desk.folder, stdout=full, stderr=subprocess.PIPE, text=True,
                check=False,
            )  # fmt: skip
        lost = "not all of the output could be written: No space left on device" in done.stderr
        assert (done.returncode, lost, "Traceback" in done.stderr) == (code, code == 5, False), done.stderr


def test_without_standard_streams(desk: Desk) -> None:
    command = f"{BIN / 'roundsman'} runs list >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", command], cwd=desk.folder, check=False).returncode == 0


def test_ctrl_c_while_the_inventory_is_asked_is_no_mistake(desk: Desk) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    scratch = desk.folder / "scratch"
    scratch.mkdir()
    asking = subprocess.Popen(
        [BIN / "roundsman", "health", "explain", "here"], cwd=desk.folder, env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    try:
        while not list(scratch.glob("roundsman-*/runner")) and asking.poll() is None:
            time.sleep(0.02)
        asking.send_signal(signal.SIGINT)
        _out, said = asking.communicate(timeout=120)
        assert (asking.returncode, said.strip()) == (130, "interrupted")
    finally:
        asking.kill()


def test_ctrl_c_during_a_sweep_ends_the_watch(desk: Desk) -> None:
    # Whoever runs the tests in the background of a shell has Ctrl-C ignored in all that they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    watch = subprocess.Popen([BIN / "roundsman", "health", "--watch=10min"], cwd=desk.folder, stdout=subprocess.DEVNULL)
    signal.signal(signal.SIGINT, before)
    try:
        while not list(desk.folder.glob("state/ledger/*.jsonl")) and watch.poll() is None:
            time.sleep(0.02)
        watch.send_signal(signal.SIGINT)
        assert watch.wait(120) == 130
    finally:
        watch.kill()


def test_a_sweep_recommends_but_in_check_mode(desk: Desk) -> None:
    # Of any load: there may be none.
    desk.variables["roundsman_checks"] = [{"type": "load", "warn": "@0:2000", "crit": "2000"}]
    desk.write_inventory()
    (busy,) = json.loads(desk.run("health", "--json").stdout)["recommendations"]
    assert (busy["rule"], busy["hosts"], "ps -eo" in busy["command"]) == ("processors_are_busy", ["here"], True)
    assert f"   {busy['command']}" in desk.run("health").stdout
    assert json.loads(desk.run("health", "--check", "--json").stdout)["recommendations"] == []


@needs_restic
def test_only_what_is_due_is_done(desk: Desk) -> None:
    (shop,) = desk.variables["roundsman_backups"]
    shop.update(every="1h", verify_every="1d", tags=["nightly"])
    desk.write_inventory()
    assert desk.run("backup", "run", "--due").returncode == 0
    assert "shop: not due until" in " ".join(desk.run("backup", "run", "--due", "--verbose").stdout.split())
    (snapshot,) = json.loads(desk.run("backup", "list", "--json").stdout)
    assert (snapshot["tags"], snapshot["level"]) == (["nightly"], None)

    looked = [json.loads(desk.run("backup", "verify", "--due", "--json").stdout)["hosts"][0] for _ in range(2)]
    assert [len(host["verifications"]) for host in looked] == [1, 0]
    (drilled,) = json.loads(desk.run("backup", "drill", "--source", "shop", "--json").stdout)["hosts"]
    assert [one["outcome"] for one in drilled["verifications"]] == ["ok"]
    shown = json.loads(desk.run("backup", "show", snapshot["id"][:8], "--json").stdout)
    assert [(one["wanted"], one["where"]) for one in shown["evidence"]] == [("restored", "here"), ("proven", "here")]
    assert "recovery point" in desk.run("backup", "show", snapshot["id"][:8]).stdout
