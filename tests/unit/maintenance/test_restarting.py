"""Which services are restarted after an update, and how: with what real programs said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import restarting
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.base import ProcedureError

from .stage import a_step, actions, calls, program

# What needrestart 3.6 of Debian 12 printed after the C library was replaced, with a script of /etc/init.d added.
BATCH = """\
NEEDRESTART-VER: 3.6
NEEDRESTART-SVC: clock.service
NEEDRESTART-SVC: cron.service
NEEDRESTART-SVC: dbus.service
NEEDRESTART-SVC: old-daemon
NEEDRESTART-SVC: systemd-manager
NEEDRESTART-SESS: ops | session #5
"""
# What systemd 252 says, in this order whatever it was asked: of a service, and of those that it would not restart.
SERVICE = "Type=simple\nKillMode=control-group\nCanStart=yes\nCanStop=yes\nTransient=no\n"
REFUSING = SERVICE.replace("CanStop=yes", "CanStop=no")
UNKNOWN = "Type=\nKillMode=control-group\nCanStart=no\nCanStop=yes\nTransient=no\n"
BY_HAND = SERVICE.replace("Transient=no", "Transient=yes")
JOB = SERVICE.replace("simple", "oneshot")
RUNS = "ActiveState=active\nSubState=running\n"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(restarting, "SETTLE_S", 0)
    return tmp_path


def found(stage: Path, batch: str, described: list[str], state: str = RUNS) -> None:
    (stage / "batch").write_text(batch)
    (stage / "described").write_text("\n".join(described))
    (stage / "states").write_text(state)
    program(stage, "needrestart", f"cat {stage}/batch")
    program(
        stage, "systemctl",
        f"case $* in *CanStart*) cat {stage}/described;; *ActiveState*) cat {stage}/states;; *missing*) exit 5;; esac",
    )  # fmt: skip


def a_restart(**params: Any) -> Any:
    return a_step({"restart": True, "never_restart": []}, **params)


def test_what_needrestart_finds_is_restarted_but_what_nobody_may_do_without(stage: Path) -> None:
    batch = BATCH.replace("NEEDRESTART-SVC: old-daemon\n", "")
    found(stage, batch, [SERVICE, UNKNOWN])
    step = a_restart(never_restart=["cron*"])
    assert restarting.restart(step) == ["clock.service", "systemd-manager"]
    assert actions(step) == [("restart", "clock.service", None), ("restart", "systemd-manager", None)]
    assert [call for call in calls(stage) if "show" not in call] == [
        "needrestart -b -l -r l",
        "systemctl restart -- clock.service",
        "systemctl daemon-reexec",
    ]
    assert step.record["warnings"] == ["not restarted, although it runs what was replaced: cron.service, dbus.service"]


def test_names_in_batch_mode() -> None:
    named = ["clock.service", "cron.service", "dbus.service", "old-daemon.service", "systemd-manager"]
    assert restarting.by_needrestart(BATCH) == named


@pytest.mark.parametrize("kind", [REFUSING, UNKNOWN, BY_HAND, JOB])
def test_what_systemd_would_not_restart_or_only_cut_off_is_told(stage: Path, kind: str) -> None:
    found(stage, "NEEDRESTART-SVC: odd.service\nNEEDRESTART-SVC: clock.service\n", [SERVICE, kind])
    step = a_restart()
    assert restarting.due(step) == (["clock.service"], ["odd.service"])


def test_the_service_in_which_roundsman_runs_is_not_cut_off(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found(stage, "NEEDRESTART-SVC: clock.service\n", [SERVICE])
    monkeypatch.setattr(restarting, "_text", lambda *_names: "0::/system.slice/clock.service\n")
    assert restarting.due(a_restart()) == ([], ["clock.service"])
    # Who came by ssh runs on when its service is restarted.
    found(stage, "NEEDRESTART-SVC: clock.service\n", [SERVICE.replace("control-group", "process")])
    assert restarting.due(a_restart()) == (["clock.service"], [])


def test_a_service_that_does_not_come_back_is_a_failure(stage: Path) -> None:
    found(stage, "NEEDRESTART-SVC: missing.service\n", [SERVICE])
    with pytest.raises(ProcedureError, match=r"missing\.service does not run after the update"):
        restarting.restart(a_restart())
    found(stage, "NEEDRESTART-SVC: clock.service\n", [SERVICE], "ActiveState=activating\nSubState=auto-restart\n")
    with pytest.raises(ProcedureError, match=r"clock\.service \(failed\) does not run after the update"):
        restarting.restart(a_restart())


def test_systemd_that_says_nothing_is_a_failure(stage: Path) -> None:
    found(stage, "NEEDRESTART-SVC: clock.service\n", [])
    with pytest.raises(ProcedureError, match=r"systemd does not say what it knows of clock\.service"):
        restarting.due(a_restart())
