"""The steps of an update with a package manager that fails and is killed as it likes, and whoever comes after."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import rebooting, restarting, updates
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.journal import blank
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.transaction import Transactions
from hypothesis import given, settings
from hypothesis import strategies as st

ERROR = "Setting up {0} (2) ...\ndpkg: error processing package {0} (--configure):\n its script failed\n"
NAMES = ("a", "b", "c", "d")


class Killed(BaseException):
    """Everything of ours is gone at this point."""


class Step:
    def __init__(self, *, check_mode: bool = False, **params: Any) -> None:
        defaults = {"retry": False, "refresh": False, "keep_previous": False, "restart": True, "drain": False}
        self.module = SimpleNamespace(params={**defaults, "scope": "all", "reboot": False, "lease": 1, **params})
        self.check_mode = check_mode
        self.record = blank("updates", "test")

    @contextlib.contextmanager
    def action(self, action: str, target: str, *_: Any, **__: Any) -> Iterator[None]:
        yield
        self.record["actions"].append((action, target))

    def plan(self, action: str, target: str, *_: Any, **__: Any) -> None:
        self.record["actions"].append((action, target))

    def run(self, _argv: list[str]) -> None: ...

    def warn(self, text: str) -> None:
        self.record["warnings"].append(text)


class Manager:
    """Packages at version 1, of which there is a version 2; `bad` ones fail. Killed after `life` acts."""

    def __init__(self, bad: set[str], life: int = 1 << 30) -> None:
        self.now = dict.fromkeys(NAMES, "1")
        self.half: dict[str, str] = {}
        self.bad, self.life = bad, life

    def _act(self) -> None:
        self.life -= 1
        if self.life < 0:
            raise Killed

    def plan(self, refused: dict[str, str]) -> dict[str, Any]:
        def change(name: str) -> dict[str, Any]:
            return {"package": name, "from": "1", "to": "2", "size_bytes": 1, "origin": "", "automatic": False}

        pending = [name for name in NAMES if self.now[name] == "1"]
        left = [dict(change(name), why="refused") for name in pending if refused.get(name) == "2"]
        return {"changes": [change(name) for name in pending if refused.get(name) != "2"], "left": left}

    def transact(self, changes: list[dict[str, Any]]) -> tuple[int, str]:
        said = ""
        for one in changes:
            self._act()
            name = one["package"]
            self.now[name], self.half[name] = "2", "unpacked"
            self._act()
            said += self._configure(name)
        return (100 if said else 0), said

    def repair(self) -> str:
        said = ""
        for name in list(self.half):
            self._act()
            said += self._configure(name)
        return said

    def _configure(self, name: str) -> str:
        if name in self.bad and self.now[name] == "2":
            self.half[name] = "half-configured"
            return ERROR.format(name)
        self.half.pop(name, None)
        return ""

    def put_back(self, changes: list[dict[str, Any]]) -> tuple[int, str]:
        for one in changes:
            self._act()
            self.now[one["package"]] = one["from"]
            self.half.pop(one["package"], None)
        return 0, ""

    def broken(self) -> dict[str, str]:
        return dict(self.half)

    def versions(self) -> dict[str, str]:
        return dict(self.now)

    def set_aside(self, *_: Any) -> list[str]:
        return []

    def wait(self) -> None: ...
    def require_room(self, changes: Any) -> None: ...
    def mark(self, changes: Any) -> None: ...

    def download(self, _changes: Any) -> None:
        self._act()


@pytest.fixture(autouse=True, scope="module")
def quiet_host() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restarting, "due", lambda _step: ([], []))
        patch.setattr(restarting, "failed_units", lambda _step: [])
        patch.setattr(restarting, "require_running", lambda _step, _units: None)
        patch.setattr(rebooting, "reasons", lambda _step: [])
        yield


def do(manager: Manager, kept: Transactions, *steps: str, **params: Any) -> Step:
    step = Step(**params)
    for name in steps:
        step.record["message"] += updates.STEPS[name](step, manager, kept)
    return step


ALL = ("prepare", "install", "restart", "verify")


@settings(max_examples=200, deadline=None)
@given(st.sets(st.sampled_from(NAMES)), st.lists(st.integers(0, 25), max_size=4))
def test_whatever_fails_and_whenever_it_dies_the_last_run_leaves_a_whole_host(
    tmp_path_factory: pytest.TempPathFactory, bad: set[str], lives: list[int]
) -> None:
    kept, manager = Transactions(str(tmp_path_factory.mktemp("state"))), Manager(bad)
    for lease, life in enumerate(lives):
        manager.life = life
        with contextlib.suppress(Killed):
            do(manager, kept, *ALL, lease=lease)
    manager.life = 1 << 30
    step = do(manager, kept, *ALL, lease=len(lives))
    assert manager.half == {}
    assert manager.now == {name: "1" if name in bad else "2" for name in NAMES}
    assert set(kept.refused()) == bad
    assert len(step.record["warnings"]) >= len(bad)


def test_a_package_that_fails_is_put_back_and_the_others_go_on(tmp_path: Path) -> None:
    kept, manager = Transactions(str(tmp_path)), Manager({"b"})
    step = do(manager, kept, *ALL)
    assert manager.now == {"a": "2", "b": "1", "c": "2", "d": "2"}
    assert ("put back", "b") in step.record["actions"]
    assert "b 2 cannot be installed: its script failed. It was put back to 1" in step.record["warnings"][0]
    assert do(manager, kept, *ALL, lease=2).record["actions"] == []
    # A person has repaired it, and says so.
    manager.bad = set()
    do(manager, kept, *ALL, lease=3, retry=True)
    assert manager.now["b"] == "2"


def test_only_what_this_lease_did_is_undone(tmp_path: Path) -> None:
    kept, manager = Transactions(str(tmp_path)), Manager(set())
    do(manager, kept, *ALL, lease=1)
    assert do(manager, kept, "prepare", "install", "undo", lease=2).record["message"].endswith("nothing to put back")
    assert set(manager.now.values()) == {"2"}
    do(manager, kept, "undo", lease=1)
    assert set(manager.now.values()) == {"1"}


def test_what_was_cut_off_is_undone_to_what_was_there_before_it(tmp_path: Path) -> None:
    kept, manager = Transactions(str(tmp_path)), Manager(set(), life=4)
    with pytest.raises(Killed):
        do(manager, kept, *ALL, lease=1)
    manager.life = 1 << 30
    step = do(manager, kept, *ALL, lease=2)
    assert "cut off" in step.record["message"]
    do(manager, kept, "undo", lease=2)
    assert set(manager.now.values()) == {"1"}


def test_only_a_host_that_is_well_goes_into_service_again(tmp_path: Path) -> None:
    kept, manager = Transactions(str(tmp_path)), Manager(set())
    do(manager, kept, "drain", unwell={"disk": "WARNING"})
    # A later run drains what is drained already, when more is amiss.
    do(manager, kept, "drain", unwell={"disk": "WARNING", "shop": "CRITICAL"})
    amiss = do(manager, kept, "well", unwell={"disk": "WARNING", "shop": "CRITICAL"}).record
    assert amiss["after"] == {"well": 0}
    assert "shop is CRITICAL" in amiss["warnings"][0]
    assert "disk" not in amiss["warnings"][0]
    assert do(manager, kept, "well", unwell={"disk": "WARNING"}).record["after"] == {"well": 1}
    do(manager, kept, "undrain")
    assert not kept.drained()


def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    kept, manager = Transactions(str(tmp_path / "state")), Manager(set(), life=0)
    step = do(manager, kept, "prepare", check_mode=True)
    assert step.record["actions"] == [("update", name) for name in NAMES]
    assert list(tmp_path.iterdir()) == []


def test_a_reboot_that_changed_nothing_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The boot loader may choose another kernel than the newest; the host would be rebooted in every run."""
    kept, manager = Transactions(str(tmp_path)), Manager(set())

    def boot(name: str) -> None:
        monkeypatch.setattr(rebooting, "boot", lambda: name)

    def run(*reasons: str) -> Step:
        monkeypatch.setattr(rebooting, "reasons", lambda _step: list(reasons))
        return do(manager, kept, "prepare", "install", "restart", reboot=True, drain=True)

    boot("first")
    assert run("kernel 2 is installed").record["after"]["reboots"] == 1
    boot("second")
    do(manager, kept, "booted")
    again = run("kernel 2 is installed")
    assert (again.record["after"]["reboots"], again.record["before"]["drains"]) == (0, 0)
    assert again.record["after"]["reboot_required"] == 1
    assert "The last reboot did not change that" in again.record["warnings"][0]
    assert run("kernel 2 is installed", "updates ask for it").record["after"]["reboots"] == 1
    assert run("kernel 3 is installed").record["after"]["reboots"] == 1
    # A person has booted it since, and may have mended that.
    boot("third")
    assert run("kernel 2 is installed").record["after"]["reboots"] == 1
