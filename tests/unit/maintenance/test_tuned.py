"""tuned, in the words of tuned-adm 2.20 and 2.25: put on a profile, put back, and left alone where its daemon rests."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.process import Finished
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.base import ProcedureError
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.journal import blank
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.step import Step
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.tuning import active_profile
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.tuning_book import Book
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.tuning_changes import (
    Changes,
    put_back,
    require_in_force,
)
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.tuning_kinds import Tuned
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.tuning_steps import Steps
from ansible_collections.roundsman.fleet.plugins.module_utils.state import State

NO_BUS = "Cannot talk to TuneD daemon via DBus. Is TuneD daemon running?\n"
NONE = "No current active profile.\n"
RESTS = "It seems that tuned daemon is not running, preset profile is not activated.\nPreset profile: {0}\n"
DIFFERS = "Verification failed, current system settings differ from the preset profile.\n"
AGREES = "Verfication succeeded, current system settings match the preset profile.\n"
PROFILES = ("balanced", "powersave", "virtual-guest", "latency-performance")


class Adm:
    """tuned-adm with its daemon, which says what the real ones said on Debian 12 and 13."""

    def __init__(self, profile: str = "virtual-guest", mode: str = "auto", *, runs: bool = True) -> None:
        self.profile, self.mode, self.runs = profile, mode, runs
        self.post = ""
        self.agrees = self.obeys = True
        self.called: list[list[str]] = []

    def run(self, argv: list[str], *_: Any, **__: Any) -> Finished:
        self.called.append(argv[1:])
        rc, out, err = getattr(self, "_" + argv[1])(*argv[2:])
        return Finished(rc, out, err if self.runs else NO_BUS + err)

    def _active(self) -> tuple[int, str, str]:
        if not self.runs:
            return (0, RESTS.format(self.profile), "") if self.profile else (1, NONE, "")
        both = " ".join(filter(None, (self.profile, self.post)))
        if not both:
            return 1, NONE, ""
        post = f"Current post-loaded profile: {self.post}\n" if self.post else ""
        return 0, f"Current active profile: {both}\n{post}", ""

    def _recommend(self) -> tuple[int, str, str]:
        return 0, "virtual-guest\n", ""

    def _profile_mode(self) -> tuple[int, str, str]:
        return 0, f"Profile selection mode: {self.mode}\n", ""

    def _profile_info(self, name: str) -> tuple[int, str, str]:
        if name in PROFILES:
            return 0, f"Profile name:\n{name}\n\nProfile summary:\n\n", ""
        return 1, f"Unable to get information about profile '{name}'\n", ""

    def _profile(self, names: str) -> tuple[int, str, str]:
        for name in names.split():
            if name not in PROFILES:
                return 1, "", f"Unable to switch profile: Requested profile '{name}' doesn't exist.\n"
        if not self.obeys:
            return 0, "Trying to (re)start tuned...\nTuneD (re)start failed, you need to (re)start TuneD by hand.\n", ""
        self.profile, self.mode = names, "manual"
        return 0, "", ""

    def _auto_profile(self) -> tuple[int, str, str]:
        self.profile, self.mode = "virtual-guest", "auto"
        return 0, "", ""

    def _off(self) -> tuple[int, str, str]:
        if not self.runs:
            return 1, "Not supported in no_daemon mode.\n", ""
        self.profile, self.mode = "", "manual"
        return 0, "", ""

    def _verify(self) -> tuple[int, str, str]:
        return (0, AGREES, "") if self.agrees else (1, DIFFERS, "")


class Desk:
    def __init__(self, folder: Path) -> None:
        self.folder, self.adm = folder, Adm()
        self.record: dict[str, Any] = {}

    def _parts(self, check: bool = False) -> tuple[Any, ...]:
        self.record = blank("tuning", "tuned")
        step = Step(SimpleNamespace(check_mode=check), self.record, None, time.monotonic() + 600)
        book = Book(State(str(self.folder)))
        return step, book, Changes(step, book, None, 1), {"tuned": Tuned(self.adm.run)}

    def tune(self, profile: str, *, check: bool = False) -> str:
        step, book, changes, kinds = self._parts(check)
        return Steps(step, {"tuned_profile": profile}, book, changes, kinds).run("tuned")

    def revert(self) -> str:
        step, book, changes, kinds = self._parts()
        return str(put_back(step, book, changes, kinds, None))

    def prove(self) -> str:
        _step, book, _changes, kinds = self._parts()
        return str(require_in_force(book, kinds, 1))

    def changed(self) -> list[list[str]]:
        return [argv for argv in self.adm.called if argv[0] in ("profile", "auto_profile", "off")]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("said", "profile"),
    [
        ("Current active profile: balanced\n", "balanced"),
        ("Current active profile: balanced powersave\n", "balanced powersave"),
        ("Current active profile: balanced mine\nCurrent post-loaded profile: mine\n", "balanced"),
        ("Current active profile: mine\nCurrent post-loaded profile: mine\n", ""),
        (NONE, ""),
        (RESTS.format("balanced"), None),
        ("", None),
    ],
)
def test_what_is_active(said: str, profile: str | None) -> None:
    assert active_profile(said) == profile


@pytest.mark.parametrize(("profile", "mode"), [("virtual-guest", "auto"), ("powersave", "manual"), ("", "manual")])
def test_a_profile_is_put_on_once_and_the_earlier_choice_is_put_back(desk: Desk, profile: str, mode: str) -> None:
    desk.adm = Adm(profile, mode)
    desk.tune("latency-performance", check=True)
    assert [one["detail"] for one in desk.record["actions"]] == [f"{profile or '(nothing)'} -> latency-performance"]
    assert desk.changed() == []

    assert desk.tune("latency-performance") == "tuned: profile latency-performance, recommended virtual-guest"
    assert desk.prove() == "1 settings are in force"
    assert desk.tune(" latency-performance") == "tuned: profile latency-performance, recommended virtual-guest"
    assert (desk.record["actions"], desk.record["warnings"]) == ([], [])
    assert len(desk.changed()) == 1

    assert desk.revert() == "1 of 1 settings put back"
    assert (desk.adm.profile, desk.adm.mode) == (profile, mode)


def test_without_a_profile_asked_for_it_is_only_reported(desk: Desk) -> None:
    assert desk.tune("") == "tuned: profile virtual-guest, recommended virtual-guest"
    desk.adm = Adm("", "manual")
    assert desk.tune("") == "tuned: profile none, recommended virtual-guest"
    assert (desk.changed(), desk.record["warnings"]) == ([], [])


def test_a_post_loaded_profile_stays_what_it_is(desk: Desk) -> None:
    desk.adm = Adm("balanced", "manual")
    desk.adm.post = "mine"
    desk.tune("powersave")
    desk.tune("powersave")
    assert desk.changed() == [["profile", "powersave"]]
    desk.revert()
    assert desk.changed()[1:] == [["profile", "balanced"]]


@pytest.mark.parametrize("check", [True, False])
def test_a_profile_that_tuned_does_not_know_is_a_warning_of_the_plan_too(desk: Desk, check: bool) -> None:
    said = desk.tune("balanced nosuch", check=check)
    assert said == "tuned: profile virtual-guest, recommended virtual-guest"
    assert desk.record["warnings"] == ["tuned has no profile nosuch; see `tuned-adm list`"]
    assert (desk.record["actions"], desk.changed()) == ([], [])


@pytest.mark.parametrize("preset", ["balanced", ""])
def test_a_daemon_that_rests_is_not_started(desk: Desk, preset: str) -> None:
    desk.adm = Adm(preset, "manual", runs=False)
    rests = "tuned does not run, so no profile is in force; `systemctl enable --now tuned` starts it"
    assert desk.tune("") == f"tuned: skipped, {rests}"
    assert desk.record["warnings"] == []
    assert desk.tune("powersave") == f"tuned: skipped, {rests}"
    assert desk.record["warnings"] == [f"profile powersave was not activated: {rests}"]
    assert desk.changed() == []


def test_a_daemon_that_stopped_since_keeps_the_way_back_for_later(desk: Desk) -> None:
    desk.tune("powersave")
    desk.adm.runs = False
    with pytest.raises(ProcedureError, match="tuned does not run"):
        desk.prove()
    assert desk.revert() == "0 of 1 settings put back"
    assert "tuned profile was not put back to virtual-guest: tuned does not run" in desk.record["warnings"][0]
    desk.adm.runs = True
    desk.revert()
    assert (desk.adm.profile, desk.adm.mode) == ("virtual-guest", "auto")


def test_a_profile_that_does_not_become_active_is_a_warning(desk: Desk) -> None:
    desk.adm.obeys = False
    desk.tune("powersave")
    assert [one["outcome"] for one in desk.record["actions"]] == ["failed"]
    (warning,) = desk.record["warnings"]
    assert warning == "tuned was told to activate powersave, and virtual-guest is active; see /var/log/tuned/tuned.log"
    assert desk.revert() == "nothing to put back"


def test_settings_that_a_profile_could_not_set_are_told(desk: Desk) -> None:
    desk.adm.agrees = False
    told = ", and `tuned-adm verify` finds settings that differ from it (see /var/log/tuned/tuned.log)"
    assert desk.tune("powersave") == f"tuned: profile powersave, recommended virtual-guest{told}"
    assert desk.record["warnings"] == []
    desk.adm.called.clear()
    desk.tune("powersave", check=True)
    assert ["verify"] not in desk.adm.called


def test_a_host_without_tuned(desk: Desk) -> None:
    def missing(argv: list[str], *_: Any, **__: Any) -> Finished:
        raise ProcedureError("program_missing", f"{argv[0]} is not on this host")

    desk.adm.run = missing  # type: ignore[method-assign]
    assert desk.tune("") == "tuned: skipped, tuned-adm is not on this host"
    assert desk.tune("powersave") == "tuned: skipped, tuned-adm is not on this host"
    assert desk.record["warnings"] == ["profile powersave was not activated: tuned-adm is not on this host"]
