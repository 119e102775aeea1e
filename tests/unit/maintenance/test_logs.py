"""Logs: what logrotate says, who did not reopen, what nobody rotates, and what becomes of old ones."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import logs_writers
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.base import ProcedureError
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.logrotate import (
    Log,
    log_of,
    read_report,
    stanza,
    stanza_name,
)
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.logs import prove, tend

from .stage import a_step, actions

DAY_S = 86400
SAID = """\
reading config file /etc/logrotate.conf
including /etc/logrotate.d
reading config file alternatives
reading config file shop
error: shop:2 unknown option 'weeklyy' -- ignoring line
error: shop:3 bad rotation count 'x'
error: found error in /var/log/shop/x.log , skipping
error: found error in file shop, skipping
reading config file writable
error: Ignoring writable because of bad file mode - must be 0644 or 0444.
Reading state from file: /var/lib/logrotate/status
Allocating hash table for state file, size 64 entries

Handling 3 logs

rotating pattern: /var/log/shop/*.log /srv/a b.log  after 1 days (3 rotations)
empty log files are rotated, old logs are removed
considering log /var/log/shop/a.log
  Now: 2026-11-26 08:36
  Last rotated at 2026-11-20 08:00
  log needs rotating
considering log /srv/a b.log
  log does not need rotating (log has already been rotated)
error: skipping "/srv/a b.log" because parent directory has insecure permissions
rotating log /var/log/shop/a.log, log->rotateCount is 3
"""


def test_what_logrotate_says() -> None:
    report = read_report(SAID)
    assert report.faults == [
        ("/etc/logrotate.d/shop:2", "unknown option 'weeklyy' -- ignoring line"),
        ("/etc/logrotate.d/shop:3", "bad rotation count 'x'"),
        ("/etc/logrotate.d/writable", "Ignoring writable because of bad file mode - must be 0644 or 0444."),
    ]
    assert report.errors == ['skipping "/srv/a b.log" because parent directory has insecure permissions']
    assert report.logs == {
        "/var/log/shop/a.log": Log("after 1 days (3 rotations)", True),
        "/srv/a b.log": Log("after 1 days (3 rotations)", False),
    }


@pytest.mark.parametrize(
    ("name", "log"),
    [
        ("/l/a.log.1", "/l/a.log"), ("/l/a.log.12.gz", "/l/a.log"), ("/l/a.log-20261126", "/l/a.log"),
        ("/l/a.log-20261126-1761.xz", "/l/a.log"), ("/l/a.log.old", "/l/a.log"), ("/l/a.log", None),
        ("/l/a.log.1.tmp", None), ("/l/b.log.1", None), ("/m/a.log.1", None), ("/l/a.log.gz", None),
        ("/l/a.log.1.1", "/l/a.log.1"),
    ],
)  # fmt: skip
def test_what_is_a_rotated_copy(name: str, log: str | None) -> None:
    assert log_of(name, {"/l/a.log", "/l/a.log.1"} if log == "/l/a.log.1" else {"/l/a.log"}) == log


def test_a_stanza() -> None:
    assert stanza("/l/a b.log", ["weekly", "rotate 8"], ("shop", "adm")) == (
        '"/l/a b.log" {\n    weekly\n    rotate 8\n    su shop adm\n}\n'
    )
    for name in ("/l/a\nb", '/l/a"b', "/l/a*", "/l/{a", "/l/[a]", "/l/a\\", "/l/\udcff"):
        assert stanza(name, ["weekly"]) is None


def test_no_two_stanzas_have_the_same_name() -> None:
    logs = ["/l/a.log", "/l/a_log", "/l/a-log", "/l/a/log", "/l/a.log.", "/l/\udcff", "/l/\udcfe", "/l/" + "x" * 300]
    names = [stanza_name(log) for log in logs]
    assert len(set(names)) == len(logs)
    assert stanza_name("/var/log/a b.log") == "roundsman-var-log-a-b-log-bc56ebe5"
    assert all(re.fullmatch("[A-Za-z0-9-]{1,255}", name) for name in names)


class Host:
    """logrotate with a configuration and a state of its own, and logs."""

    def __init__(self, root: Path) -> None:
        self.root, self.logs, self.stanzas = root, root / "log", root / "logrotate.d"
        self.config, self.state = root / "logrotate.conf", root / "status"
        self.logs.mkdir()
        self.stanzas.mkdir()
        self.config.write_text(f"include {self.stanzas}\n")
        self.config.chmod(0o644)

    def stanza(self, name: str, pattern: str, *lines: str) -> None:
        path = self.stanzas / name
        path.write_text(f"{self.logs}/{pattern} {{\n" + "\n".join(lines) + "\n}\n")
        path.chmod(0o644)

    def log(self, name: str, size: int = 5000, days: float = 0, data: bytes = b"x") -> Path:
        path = self.logs / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data * size)
        os.utime(path, (time.time() - days * DAY_S,) * 2)
        return path

    def due(self, *names: str) -> None:
        lines = [f'"{self.logs / name}" 2020-1-1-0:0:0' for name in names]
        self.state.write_text("logrotate state -- version 2\n" + "\n".join(lines) + "\n")

    def step(self, *, check: bool = False, **params: Any) -> Any:
        defaults = {
            "config": str(self.config), "rotate": True, "compress": True, "retention": [], "reopen": {},
            "directories": [str(self.logs)], "unrotated_size": "1MiB", "unrotated_exclude": [], "install": False,
            "stanza": ["weekly", "rotate 8", "copytruncate"], "install_into": str(self.stanzas), "lock_timeout_s": 2,
            "giant_size": "1MiB", "state_dir": str(self.root / "roundsman"),
        }  # fmt: skip
        return a_step(defaults, check=check, **params)

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self.logs)) for path in self.logs.rglob("*") if path.is_file())


def noon() -> str:
    """A time zone in which the day has just come to its middle."""
    east_s = 12 * 3600 - int(time.time()) % DAY_S
    return f"NOON{'-' if east_s > 0 else '+'}{abs(east_s) // 3600}:{abs(east_s) // 60 % 60:02}"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    real = shutil.which("logrotate", path="/usr/sbin:/usr/bin")
    if real is None:
        pytest.skip("logrotate is not installed")
    host = Host(tmp_path)
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "logrotate"
    # What was rotated today is due after midnight: where these tests run it is noon.
    script.write_text(f'#!/bin/sh\nTZ={noon()} exec {real} --state {host.state} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(logs_writers, "PATIENCE_S", 0.1)
    return host


def test_what_is_due_is_rotated_and_nothing_else(host: Host) -> None:
    host.log("due.log")
    host.log("not.log")
    host.stanza("shop", "*.log", "daily", "rotate 2", "create")
    host.due("due.log")
    state = host.state.read_text()
    planned = host.step(check=True)
    assert tend(planned) == "would rotate x 1"
    assert actions(planned) == [("rotate", str(host.logs / "due.log"), 8192)]
    assert planned.record["actions"][0]["detail"] == "after 1 days (2 rotations)"
    assert host.names() == ["due.log", "not.log"]
    assert host.state.read_text() == state
    step = host.step()
    tend(step)
    assert host.names() == ["due.log", "due.log.1", "not.log"]
    assert step.record["actions"][0]["detail"] == f"{host.logs}/due.log (8.0 KiB)"
    assert tend(host.step()) == "nothing to rotate, compress or remove"
    assert prove(host.step())


def test_nothing_is_rotated_while_the_configuration_is_broken(host: Host) -> None:
    host.log("due.log")
    host.stanza("a-shop", "due.log", "daily", "rotate 2")
    host.stanza("b-shop", "due.log", "weekly")
    host.due("due.log")
    for work in (tend, prove):
        with pytest.raises(ProcedureError) as failed:
            work(host.step())
        assert failed.value.reason == "verification_failed"
        assert f"{host.stanzas}/b-shop:1: duplicate log entry for {host.logs}/due.log" in failed.value.message
    assert host.names() == ["due.log"]


def test_a_script_that_fails_is_a_failure_and_a_missing_log_is_told(host: Host) -> None:
    host.log("due.log")
    host.stanza("shop", "due.log", "daily", "rotate 2", "postrotate", "exit 3", "endscript")
    host.stanza("gone", "gone.log", "daily")
    host.due("due.log")
    step = host.step()
    with pytest.raises(ProcedureError, match=r"error running .*postrotate script"):
        tend(step)
    assert [warning for warning in step.record["warnings"] if "gone.log failed" in warning]


WRITER = "import sys, time\nf = open(sys.argv[1], 'a')\nprint('ready', flush=True)\ntime.sleep(3600)"


def test_logrotate_goes_on_when_the_time_is_over_and_rotates_nothing_twice(host: Host) -> None:
    host.stanza("a", "a.log", "daily", "rotate 3", "create")
    wait = f"touch {host.root}/begun; while ! test -e {host.root}/go; do sleep 0.1; done"
    host.stanza("b", "b.log", "daily", "rotate 3", "create", "postrotate", wait, "endscript")
    for name in ("a.log", "b.log"):
        host.log(name)
    host.due("a.log", "b.log")
    step = host.step()

    def tick() -> None:
        if (host.root / "begun").exists():
            raise ProcedureError("timeout", "the time limit was reached")

    step.tick = tick
    with pytest.raises(ProcedureError, match="it goes on as pid") as failure:
        tend(step)
    (host.root / "go").touch()
    os.waitpid(int(re.findall(r"goes on as pid (\d+)", failure.value.message)[0]), 0)
    assert host.names() == ["a.log", "a.log.1", "b.log", "b.log.1"]
    tend(host.step())
    assert host.names() == ["a.log", "a.log.1", "b.log", "b.log.1"]


@pytest.fixture
def writer(host: Host) -> Iterator[subprocess.Popen[bytes]]:
    path = host.log("due.log", 2_000_000)
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def test_who_did_not_reopen_is_told_and_a_giant_is_no_proof(host: Host, writer: subprocess.Popen[bytes]) -> None:
    host.stanza("shop", "due.log", "daily", "rotate 1", "create")
    host.due("due.log")
    step = host.step()
    tend(step)
    (warning,) = step.record["warnings"]
    assert f"(pid {writer.pid}" in warning
    assert f"still writes to {host.logs}/due.log.1 (1.9 MiB)" in warning
    with pytest.raises(ProcedureError, match=r"due\.log\.1"):
        prove(host.step())
    (host.logs / "due.log.1").unlink()
    with pytest.raises(ProcedureError, match=r"holds the deleted .*due\.log\.1 \(1\.9 MiB\)"):
        prove(host.step())
    prove(host.step(giant_size="1GiB"))


def test_what_a_writer_holds_stays_whatever_the_rules_say(host: Host, writer: subprocess.Popen[bytes]) -> None:
    os.utime(host.logs / "due.log", (0, 0))
    host.log("old.log", days=99)
    rule = {"path": f"{host.logs}/*.log", "compress_after": None, "remove_after": "1d"}
    tend(host.step(retention=[rule]))
    assert host.names() == ["due.log"]


def test_what_a_writer_holds_under_another_name_stays_as_well(host: Host, writer: subprocess.Popen[bytes]) -> None:
    """As a container does, to which the directory of logs is known by another path."""
    elsewhere = host.root / "elsewhere"
    elsewhere.mkdir()
    (host.logs / "due.log").rename(elsewhere / "held.log")
    os.link(elsewhere / "held.log", host.logs / "seen.log")
    os.utime(host.logs / "seen.log", (0, 0))
    host.log("old.log", days=99)
    tend(host.step(retention=[{"path": f"{host.logs}/*.log", "compress_after": None, "remove_after": "1d"}]))
    assert host.names() == ["seen.log"]


def test_a_log_that_nobody_rotates_is_told_with_its_stanza_and_installed_on_request(host: Host) -> None:
    host.stanza("shop", "known*.log", "daily", "rotate 2")
    for name in ("known.log", "known.log.1", "grows.log", "deep/grows too.log", "packed.log.gz", "skipped.log"):
        host.log(name, 2_000_000)
    host.log("small.log")
    host.log("asleep.log", 2_000_000, days=30)
    skipped = {"unrotated_exclude": ["*/skipped.log"]}
    step = host.step(**skipped)
    tend(step)
    assert [warning.partition(" (")[0] for warning in step.record["warnings"]] == [
        f"nobody rotates {host.logs}/deep/grows too.log", f"nobody rotates {host.logs}/grows.log",
    ]  # fmt: skip
    assert f'"{host.logs}/grows.log" {{\n    weekly\n    rotate 8\n    copytruncate\n}}' in step.record["warnings"][1]
    before = sorted(host.stanzas.iterdir())
    tend(planned := host.step(check=True, install=True, **skipped))
    assert [one["action"] for one in planned.record["actions"]] == ["add stanza"] * 2
    assert sorted(host.stanzas.iterdir()) == before
    tend(host.step(install=True, **skipped))
    assert len(list(host.stanzas.iterdir())) == 3
    again = host.step(install=True, **skipped)
    assert tend(again) == "nothing to rotate, compress or remove"
    assert again.record["warnings"] == []


def test_logs_of_names_that_differ_in_a_sign_get_a_stanza_each(host: Host) -> None:
    for name in ("a.log", "a_log"):
        host.log(name, 2_000_000)
    # Of an earlier version, which gave both the same name.
    host.stanza("roundsman" + re.sub("[^A-Za-z0-9]+", "-", f"{host.logs}/a_log"), "a_log", "weekly")
    host.log("a-log", 2_000_000)
    tend(step := host.step(install=True))
    assert [(one["action"], one["outcome"]) for one in step.record["actions"]] == [("add stanza", "done")] * 2
    again = host.step(install=True)
    assert (tend(again), again.record["warnings"]) == ("nothing to rotate, compress or remove", [])


def a_due_log(host: Host) -> None:
    host.log("due.log")
    host.stanza("shop", "due.log", "daily", "rotate 2", "create")
    host.due("due.log")


def test_a_stanza_that_logrotate_refuses_is_taken_back_and_the_rest_is_done(host: Host) -> None:
    a_due_log(host)
    host.log("grows.log", 2_000_000)
    tend(step := host.step(install=True, stanza=["weeklyy", "rotate x"]))
    assert [path.name for path in host.stanzas.iterdir()] == ["shop"]
    (warning,) = step.record["warnings"]
    assert warning.startswith(f"nobody rotates {host.logs}/grows.log (1.9 MiB), and its stanza was not added: ")
    assert "unknown option 'weeklyy'" in warning
    assert [(one["action"], one["outcome"]) for one in step.record["actions"]] == [
        ("add stanza", "failed"), ("rotate", "done"),
    ]  # fmt: skip


@pytest.mark.parametrize("check", [True, False])
def test_a_stanza_that_is_there_and_does_not_count_keeps_nothing_from_being_done(host: Host, *, check: bool) -> None:
    a_due_log(host)
    for name in ("grows.log", "grows too.log"):
        host.log(name, 2_000_000)
    theirs = host.stanzas / stanza_name(f"{host.logs}/grows.log")
    theirs.write_text("# not now\n")
    tend(step := host.step(check=check, install=True))
    (warning,) = step.record["warnings"]
    assert warning.startswith(f"nobody rotates {host.logs}/grows.log (1.9 MiB), and its stanza was not added: {theirs}")
    assert [one["action"] for one in step.record["actions"]] == ["add stanza", "rotate"]
    assert theirs.read_text() == "# not now\n"


def test_a_directory_for_stanzas_that_is_not_there_keeps_nothing_from_being_done(host: Host) -> None:
    a_due_log(host)
    host.log("grows.log", 2_000_000)
    tend(step := host.step(install=True, install_into=f"{host.root}/nowhere"))
    (warning,) = step.record["warnings"]
    assert warning.endswith("its stanza was not added: No such file or directory")
    assert "due.log.1" in host.names()


def test_others_than_root_may_write_there(host: Host) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives directories away")
    host.log("grows.log", 2_000_000)
    shutil.chown(host.logs, "nobody", "nogroup")
    tend(step := host.step())
    assert "su nobody nogroup" in step.record["warnings"][0]


def test_old_logs_by_rules(host: Host) -> None:
    for name, days in (("a-1.log", 99), ("a-2.log", 50), ("a-3.log", 1), ("other", 99), ("deep/a-1.log", 99)):
        host.log(name, 20_000, days)
    host.log("a-0.log.gz", days=99)
    (host.logs / "a-link.log").symlink_to("/etc/passwd")
    rule = {"path": f"{host.logs}/a-*", "compress_after": "2d", "remove_after": "90d"}
    planned = host.step(check=True, retention=[rule])
    tend(planned)
    step = host.step(retention=[rule])
    tend(step)
    assert host.names() == ["a-2.log.gz", "a-3.log", "a-link.log", "deep/a-1.log", "other"]
    assert [one[:2] for one in actions(step)] == [one[:2] for one in actions(planned)]
    assert step.record["reclaimed_bytes"] == 20480 + 8192 + 20480 - 4096
    packed = host.logs / "a-2.log.gz"
    assert gzip.decompress(packed.read_bytes()) == b"x" * 20_000
    assert abs(packed.stat().st_mtime - (time.time() - 50 * DAY_S)) < 60
    assert tend(host.step(retention=[rule])) == "nothing to rotate, compress or remove"


def test_a_link_is_no_log(host: Host) -> None:
    host.log("a-1.log")
    link = host.logs / "a-latest.log"
    for days in (50, 99):
        link.unlink(missing_ok=True)
        link.symlink_to("a-1.log")
        os.utime(link, (time.time() - days * DAY_S,) * 2, follow_symlinks=False)
        rule = {"path": f"{host.logs}/a-*", "compress_after": "2d", "remove_after": "90d"}
        assert tend(host.step(retention=[rule])) == "nothing to rotate, compress or remove"
        assert link.is_symlink()


def test_a_log_that_cannot_be_compressed_keeps_no_other_from_it(host: Host) -> None:
    long = host.log("a-" + "x" * 245 + ".log", days=50)
    host.log("b.log", days=50)
    rules = [{"path": f"{host.logs}/{name}", "compress_after": "2d", "remove_after": None} for name in ("a-*", "b*")]
    tend(step := host.step(retention=rules))
    assert host.names() == [long.name, "b.log.gz"]
    assert [one["outcome"] for one in step.record["actions"]] == ["failed", "done"]
    assert "was not compressed: File name too long" in step.record["warnings"][0]


def test_a_log_that_is_rotated_while_it_is_compressed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    log, real = host.log("a.log.2", days=50), os.link

    def link(*names: Any, **more: Any) -> None:
        real(*names, **more)
        log.rename(host.logs / "a.log.3")

    monkeypatch.setattr(os, "link", link)
    tend(host.step(retention=[{"path": f"{host.logs}/a*", "compress_after": "2d", "remove_after": None}]))
    assert host.names() == ["a.log.3"]


def test_copies_that_logrotate_forgot_to_compress(host: Host) -> None:
    host.stanza("shop", "[ab].log", "weekly", "rotate 9", "compress", "delaycompress")
    for name, days in (("a.log", 0), ("a.log.1", 7), ("a.log.2", 14), ("a.log.3.gz", 21), ("b.log", 0), ("b.log.2", 9)):
        host.log(name, days=days)
    taken = host.log("a.log.4", days=28)
    host.log("a.log.4.gz", data=b"y")
    step = host.step()
    tend(step)
    assert host.names() == ["a.log", "a.log.1", "a.log.2.gz", "a.log.3.gz", "a.log.4", "a.log.4.gz", "b.log", "b.log.2"]
    assert taken.read_bytes() == b"x" * 5000
    assert (host.logs / "a.log.4.gz").read_bytes() == b"y" * 5000


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"path": "/etc/*.conf", "remove_after": "1d"}, "nothing is ever removed from /etc"),
        ({"path": "/*/log/a", "remove_after": "1d"}, "no cache of one program"),
        ({"path": "/var/log/../x", "remove_after": "1d"}, "absolute pattern"),
        ({"path": "/var/log/**", "remove_after": "1d"}, "absolute pattern"),
        ({"path": "/var/log/a", "remove_after": "soon"}, "as spans"),
        ({"path": "/var/log/a"}, "as spans"),
    ],
)
def test_a_rule_that_is_refused(host: Host, rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ProcedureError, match=words) as refused:
        tend(host.step(retention=[{"compress_after": None, "remove_after": None, **rule}]))
    assert refused.value.reason == "refused"


def test_a_way_to_reopen_that_nobody_knows(host: Host) -> None:
    with pytest.raises(ProcedureError, match=r"shop\.service: kill is none of reload, restart, HUP"):
        tend(host.step(reopen={"shop.service": "kill"}))
