"""Updates of an application: what is decided, and that a version serves after any death and any failure."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.process import Finished
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import application as pure
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import application_hooks, application_memory
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.application_hooks import Hooks
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.application_memory import Memory
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.application_recipes import ByHooks, Release
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.application_releases import Releases
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.application_update import Update
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.base import ProcedureError
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.journal import blank
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.step import Step
from ansible_collections.roundsman.fleet.plugins.module_utils.state import State
from hypothesis import given
from hypothesis import strategies as st

# The service is a file that says what it serves; a version with "bad" in its name does not pass.
HOOKS = {
    "fetch": 'echo "$ROUNDSMAN_VERSION" > version',
    "stop": 'rm -f "$ROOT/running"',
    "migrate": 'echo "$ROUNDSMAN_VERSION" > "$ROOT/data"',
    "migrate_undo": 'echo "$ROUNDSMAN_PREVIOUS" > "$ROOT/data"',
    "start": 'cat "$ROOT/app/current/version" > "$ROOT/running"',
    "verify": 'cat "$ROOT/running" "$ROOT/data"; grep -v bad "$ROOT/running" | grep -qx "$ROUNDSMAN_VERSION"',
}


class Killed(BaseException):
    """kill -9 at this very place."""


class World:
    def __init__(self, root: Path, **asked: Any) -> None:
        self.root = root
        self.asked = {"path": str(root / "app"), **HOOKS, **asked}
        self.record: dict[str, Any] = {}

    def params(self, version: str, **more: Any) -> dict[str, Any]:
        names = ("unit", "switch", "roll_back", "current", "irreversible", "user")
        return {
            **dict.fromkeys(names), "id": "shop", "recipe": "release", "version": version, "lease": 1, "keep": 2,
            "environment": {"ROOT": str(self.root)}, "hook_timeout_s": 60, "verify_within_s": 0, "retry": False,
            "rollback": True, **self.asked, **more,
        }  # fmt: skip

    def update(self, version: str, check_mode: bool = False, **more: Any) -> Any:
        params = self.params(version, **more)
        found, faults = pure.read_hooks(params)
        assert faults == []
        self.record = blank("application", "shop")
        step = Step(SimpleNamespace(check_mode=check_mode), self.record, None, time.monotonic() + 600)
        memory = Memory(State(str(self.root / "state")), "shop")
        releases = Releases(step, params["path"])
        hooks = Hooks(step, params, found, releases.where)
        recipe = Release(params["path"]) if params["recipe"] == "release" else ByHooks(hooks, memory.known)
        return Update(step, params, memory, hooks, recipe, releases)

    def bring(self, version: str, **more: Any) -> str:
        return str(self.update(version, **more).bring())

    def state(self) -> tuple[str, str, str]:
        return (self._read("app/current/version"), self._read("running"), self._read("data"))

    def memory(self) -> dict[str, Any]:
        known: dict[str, Any] = json.loads(self._read("state/applications/shop.json"))
        return known

    def releases(self) -> set[str]:
        return {path.name for path in (self.root / "app" / "releases").iterdir()}

    def tree(self) -> dict[str, str]:
        return {str(path): path.read_text() for path in self.root.rglob("*") if path.is_file()}

    def _read(self, name: str) -> str:
        path = self.root / name
        return path.read_text().strip() if path.exists() else ""

    def done(self) -> list[str]:
        return [action["action"] for action in self.record["actions"] if action["outcome"] == "done"]


def serving(version: str) -> tuple[str, str, str]:
    return (version, version, version)


@pytest.fixture(autouse=True)
def _no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for the disk is most of the time that these tests would take."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture
def world(tmp_path: Path) -> World:
    one = World(tmp_path)
    one.bring("1.0")
    assert one.state() == serving("1.0")
    return one


def test_an_update_goes_through_its_hooks_once(world: World) -> None:
    assert world.bring("2.0") == "shop 2.0 serves in place of 1.0"
    assert world.done() == ["fetch", "stop", "switch", "migrate", "start", "verify"]
    assert world.state() == serving("2.0")
    assert world.record["before"] == {"shop_version": "1.0"}
    assert world.record["after"] == {"shop_version": "2.0"}

    assert world.bring("2.0") == "shop 2.0 serves already"
    assert world.record["actions"] == []


def test_a_plan_names_every_hook_and_touches_nothing(world: World) -> None:
    world.bring("2.0")
    before = world.tree()
    assert world.bring("3.0", check_mode=True) == "shop would go from 2.0 to 3.0"
    planned = [(action["action"], action["target"]) for action in world.record["actions"]]
    assert planned == [
        *((name, "shop 2.0 -> 3.0") for name in ("fetch", "stop", "switch", "migrate", "start", "verify")),
        ("remove", "release 1.0 of shop"),
    ]
    assert world.tree() == before


def test_a_version_that_fails_is_put_back_and_not_tried_again(world: World) -> None:
    with pytest.raises(ProcedureError) as failure:
        world.bring("2-bad")
    assert failure.value.reason == "verification_failed"
    assert "verify failed: verify ended with 1" in failure.value.message
    assert failure.value.message.endswith("1.0 was put back and serves again")
    assert world.state() == serving("1.0")
    assert world.releases() == {"1.0"}

    assert world.bring("2-bad") == "shop stays at 1.0"
    assert "tried before and rolled back" in world.record["warnings"][0]
    with pytest.raises(ProcedureError):
        world.bring("2-bad", retry=True)
    world.bring("2.1")
    assert world.state() == serving("2.1")


def test_a_link_with_a_whole_path_says_the_same(world: World) -> None:
    link = world.root / "app" / "current"
    link.unlink()
    link.symlink_to(world.root / "app" / "releases" / "1.0")
    assert world.bring("1.0") == "shop 1.0 serves already"


def test_a_fetch_that_fails_touches_nothing_and_is_tried_again(world: World) -> None:
    with pytest.raises(ProcedureError, match=r"fetch failed: .*Nothing was stopped .*; 1\.0 is still in place"):
        world.bring("2.0", fetch="echo gone >&2; exit 4")
    assert world.state() == serving("1.0")
    assert world.releases() == {"1.0"}
    world.bring("2.0")
    assert world.state() == serving("2.0")


class FullDisk:
    """The disk of the state, full from the `turn`-th file on while the reserve is there, or 2.0 runs and fills it."""

    def __init__(self, world: World, turn: int) -> None:
        self.world, self.left, self.replace = world, turn, application_memory.replace_file

    def __call__(self, path: str, text: str) -> None:
        self.left -= 1
        reserve = self.world.root / "state" / "applications" / "shop.reserve"
        if self.left < 0 and (reserve.exists() or self.world.state()[1] == "2.0"):
            raise OSError(errno.ENOSPC, "No space left on device", path)
        self.replace(path, text)


def test_a_disk_that_becomes_full_at_any_point_leaves_the_old_version_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for turn in range(8):
        before = world.memory()
        with monkeypatch.context() as patch:
            patch.setattr(application_memory, "replace_file", FullDisk(world, turn))
            with pytest.raises(ProcedureError) as failure:
                world.bring("2.0")
        assert failure.value.reason == "no_space"
        said.append(failure.value.message)
        assert world.state() == serving("1.0"), turn
        assert world.releases() == {"1.0"}
        assert not pure.is_open(world.memory()["update"])
        assert not (world.root / "state" / "applications" / "shop.reserve").exists()
        (world.root / "state" / "applications" / "shop.json").write_text(json.dumps(before))
    assert said[0].endswith("(No space left on device). Nothing was done. Make room there.")
    assert "Nothing was stopped or switched; 1.0 is still in place" in said[2]
    hooks = [*pure.HOOKS, "noting that it serves"]
    assert [one.partition(" failed:")[0] for one in said[1:]] == [f"shop 2.0: {name}" for name in hooks]
    assert all(one.endswith("1.0 was put back and serves again") for one in said[3:])


def busy(path: str, *_: Any, **__: Any) -> None:
    raise OSError(errno.ENOTEMPTY, "Directory not empty", path)


def test_a_failed_release_that_cannot_be_removed_does_not_keep_the_old_one_from_serving(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "rmtree", busy)
    with pytest.raises(ProcedureError) as failure:
        world.bring("2-bad")
    assert failure.value.reason == "verification_failed"
    assert world.state() == serving("1.0")
    assert world.memory()["update"] is None
    assert "releases/.2-bad.partial could not be removed: Directory not empty" in world.record["warnings"][0]


def test_an_old_release_that_cannot_be_removed_does_not_cost_the_new_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.bring("2.0")
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", busy)
        assert world.bring("3.0") == "shop 3.0 serves in place of 2.0"
    assert len(world.record["warnings"]) == 1
    # What was left of it is not taken for the release.
    world.bring("1.0")
    assert world.state() == serving("1.0")


def test_a_release_that_is_a_link_is_removed_without_what_it_leads_to(world: World, tmp_path: Path) -> None:
    (tmp_path / "built").mkdir()
    (tmp_path / "built" / "version").write_text("2-bad")
    (tmp_path / "app" / "releases" / "2-bad").symlink_to(tmp_path / "built")
    with pytest.raises(ProcedureError, match=r"1\.0 was put back and serves again"):
        world.bring("2-bad")
    assert world.state() == serving("1.0")
    assert world.releases() == {"1.0"}
    assert (tmp_path / "built" / "version").exists()


def test_what_was_not_well_before_does_not_hinder_the_way_back(world: World) -> None:
    (world.root / "running").write_text("nothing")
    with pytest.raises(ProcedureError, match=r"1\.0 was put back$"):
        world.bring("2-bad", start="true")
    assert world.state()[0] == "1.0"


def test_after_an_irreversible_migration_nothing_is_rolled_back_and_the_next_run_goes_on(world: World) -> None:
    world.asked.update(irreversible=True, migrate_undo=None)
    with pytest.raises(ProcedureError, match=r"It was NOT rolled back.*It came as far as start; now: 2\.0") as failure:
        world.bring("2.0", start="false")
    assert failure.value.reason == "irreversible"
    assert world.state() == ("2.0", "", "2.0")

    with pytest.raises(ProcedureError, match="NOT rolled back"):
        world.bring("1.0")
    world.bring("2.0")
    assert world.state() == serving("2.0")
    assert world.done() == ["start", "verify"]


def test_before_the_migration_an_irreversible_update_is_rolled_back(world: World) -> None:
    world.asked.update(irreversible=True, migrate_undo=None)
    with pytest.raises(ProcedureError, match="stop failed"):
        world.bring("2.0", stop="exit 1")
    assert world.state() == serving("1.0")


def test_what_a_later_look_finds_worse_is_undone_by_its_lease_alone(world: World) -> None:
    world.bring("2.0", lease=7)
    assert world.update("2.0", lease=7).prove() == "shop 2.0 passes its verification"
    assert world.update("2.0", lease=8).undo() == "shop is as before"
    assert world.state() == serving("2.0")
    assert world.update("2.0", lease=7).undo() == "shop 1.0 serves again"
    assert world.state() == serving("1.0")
    assert world.update("2.0", lease=7).undo() == "shop is as before"


def test_a_way_back_that_fails_is_tried_again(world: World) -> None:
    with pytest.raises(ProcedureError, match=r"putting 1\.0 back failed, too") as failure:
        world.bring("2-bad", start="test ! -e $ROOT/broken && touch $ROOT/broken && echo bad > $ROOT/running")
    assert failure.value.reason == "rollback_failed"
    assert world.bring("2-bad").startswith("the interrupted update of shop to 2-bad was undone; shop stays at 1.0")
    assert world.state() == serving("1.0")


def test_secrets_are_in_no_word(world: World) -> None:
    environment = {"ROOT": str(world.root), "TOKEN": "hunter2-hunter2"}
    with pytest.raises(ProcedureError) as failure:
        world.bring("2.0", environment=environment, migrate='echo "denied for $TOKEN" >&2; exit 1')
    assert "denied for ***" in failure.value.message
    assert "hunter2" not in failure.value.message + json.dumps(world.record) + json.dumps(world.tree())


def test_a_hook_has_its_time(world: World) -> None:
    with pytest.raises(ProcedureError, match=r"migrate did not end within 0\.2 s") as failure:
        world.bring("2.0", migrate={"command": "sleep 20", "timeout_s": 0.2})
    assert failure.value.reason == "timeout"
    assert world.state()[:2] == ("1.0", "1.0")


def test_hooks_alone_switch_and_say_what_serves(tmp_path: Path) -> None:
    switch, back = 'echo "$ROUNDSMAN_VERSION" > $ROOT/running', 'echo "$ROUNDSMAN_PREVIOUS" > $ROOT/running'
    commands = {"switch": switch, "roll_back": back, "current": "cat $ROOT/running || true"}
    world = World(tmp_path, recipe="hooks", path=None, **commands, **dict.fromkeys(("fetch", "stop", "start")))
    world.bring("1.0")
    with pytest.raises(ProcedureError, match=r"1\.0 was put back and serves again"):
        world.bring("2-bad")
    assert world.state()[1] == "1.0"
    (tmp_path / "running").write_text("2.0\n")
    assert world.bring("2.0") == "shop 2.0 serves already"


def at_once(_argv: list[str], env: dict[str, str], *_: Any, cwd: str, **__: Any) -> Finished:
    """What HOOKS do, without the time that a shell takes."""
    root, version, well = Path(env["ROOT"]), env["ROUNDSMAN_VERSION"], True
    running, data = root / "running", root / "data"
    match env["ROUNDSMAN_HOOK"]:
        case "fetch":
            Path(cwd, "version").write_text(version)
        case "stop":
            running.unlink(missing_ok=True)
        case "migrate":
            data.write_text(version)
        case "migrate_undo":
            data.write_text(env["ROUNDSMAN_PREVIOUS"])
        case "start":
            running.write_text((root / "app" / "current" / "version").read_text())
        case "verify":
            well = data.exists() and running.exists() and running.read_text() == version and "bad" not in version
    return Finished(0 if well else 1, "", "")


def die_at(monkeypatch: pytest.MonkeyPatch, turn: int, *, before: bool) -> None:
    """Be killed at the `turn`-th time that the host's memory is written, before or after it."""
    keep, turns = Memory.keep, iter(range(turn + 1))

    def dying(self: Any, **changes: Any) -> None:
        last = next(turns, None) == turn
        if last and before:
            raise Killed
        keep(self, **changes)
        if last:
            raise Killed

    monkeypatch.setattr(Memory, "keep", dying)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("wanted", ["2.0", "2-bad"])
@pytest.mark.parametrize("afterwards", ["same", "1.0", "3.0"])
def test_after_a_death_anywhere_the_next_run_ends_with_a_version_that_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool, wanted: str, afterwards: str
) -> None:
    deaths = 0
    monkeypatch.setattr(application_hooks, "run", at_once)
    World(tmp_path / "first").bring("1.0")
    for turn in range(20):
        shutil.copytree(tmp_path / "first", tmp_path / str(turn), symlinks=True)
        world = World(tmp_path / str(turn))
        with monkeypatch.context() as patch:
            die_at(patch, turn, before=before)
            try:
                world.bring(wanted)
                break
            except ProcedureError:
                break
            except Killed:
                deaths += 1
        then = wanted if afterwards == "same" else afterwards
        with contextlib.nullcontext() if "bad" not in then else contextlib.suppress(ProcedureError):
            world.bring(then)
        assert world.state() == serving("1.0" if "bad" in then else then), turn
        assert not pure.is_open(world.memory()["update"])
        assert not list((world.root / "app" / "releases").glob(".*"))
    assert deaths >= 8


# Pure


@given(st.lists(st.tuples(st.text("ab12", min_size=1), st.integers(0, 99)), unique_by=lambda one: one[0]), st.data())
def test_pruning_keeps_what_is_protected_and_the_newest(releases: list[tuple[str, int]], data: st.DataObject) -> None:
    names = [name for name, _at in releases]
    protected = set(data.draw(st.lists(st.sampled_from(names), max_size=2))) if names else set()
    keep = data.draw(st.integers(2, 6))
    removed = pure.surplus(releases, protected, keep)
    assert not protected & set(removed)
    assert len(releases) - len(removed) == min(len(releases), max(keep, len(protected)))
    left = {at for name, at in releases if name not in removed and name not in protected}
    assert all(at <= min(left, default=99) for name, at in releases if name in removed)


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ({"migrate": "up", "migrate_undo": None}, "migrate needs migrate_undo, or irreversible"),
        ({"version": "../etc"}, "has other characters"),
        ({"fetch": {"url": "https://a.example/x.tar"}}, "needs its checksum"),
        ({"fetch": {"url": "https://a.example/x", "checksum": "sha256:" + "0" * 64, "mode": 1}}, "mode is not known"),
        ({"verify": None}, "verify is needed where there is no unit"),
        ({"verify": {"url": "http://a.example/", "conatins": "x"}}, "conatins"),
        ({"stop": {"command": "x", "url": "y"}}, "one of command and url"),
        ({"start": "http://a.example/"}, "start takes a command, and no URL"),
        ({"switch": "x"}, "switch is what recipe release does itself"),
        ({"recipe": "hooks"}, "recipe hooks needs switch"),
        ({"keep": 1}, "keep has to be at least 2"),
        ({"unit": "a b"}, "no name of a unit"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything(tmp_path: Path, asked: dict[str, Any], fault: str) -> None:
    _found, faults = pure.read_hooks({**World(tmp_path).params("1.0"), **asked})
    assert any(fault in one for one in faults), faults
