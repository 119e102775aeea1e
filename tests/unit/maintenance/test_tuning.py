"""Tuning: one change at a time, kept only when it helped, and everything put back, whatever died in between."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import tuning as pure
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import tuning_postgresql as postgresql
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.base import ProcedureError
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.journal import blank
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.step import Step
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.tuning_book import Book
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.tuning_changes import (
    Changes,
    put_back,
    require_in_force,
)
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.tuning_kinds import Scheduler, Sysctl, Tuned
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.tuning_measure import Measure
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.tuning_steps import Steps
from ansible_collections.roundsman.fleet.plugins.module_utils.state import State
from hypothesis import given
from hypothesis import strategies as st

KEYS = {"net/core/somaxconn": "128", "net/ipv4/tcp_fin_timeout": "60", "vm/swappiness": "60"}
PROFILES = {
    "web": {"net.core.somaxconn": 4096, "net.ipv4.tcp_fin_timeout": 30},
    "database": {"vm.swappiness": 10, "net.core.somaxconn": 1024},
}
# What takes longest gets better with each halving of the timeout, and not at all by anything else.
COMMAND = "cat {root}/proc/sys/net/ipv4/tcp_fin_timeout"


class Killed(BaseException):
    """kill -9 at this very place."""


class World:
    """A host that is a directory: keys of the kernel, and a disk with a choice of schedulers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for key, value in KEYS.items():
            self._make(f"proc/sys/{key}", value + "\n")
        self._make("sys/block/sda/queue/scheduler", "none [mq-deadline] kyber\n")
        self.record: dict[str, Any] = {}

    def _make(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def parts(self, measure: dict[str, Any] | None, lease: int, check_mode: bool) -> tuple[Any, ...]:
        self.record = blank("tuning", "tuned")
        step = Step(SimpleNamespace(check_mode=check_mode), self.record, None, time.monotonic() + 600)
        book = Book(State(str(self.root / "state")))
        kinds = {kind.name: kind for kind in (Sysctl(str(self.root)), Scheduler(str(self.root)), Tuned(step.run))}
        defaults = {"command": COMMAND.format(root=self.root), "builtin": None, "user": None, "samples": 1}
        asked = {**defaults, "better": "lower", "least_gain_percent": 5.0, **(measure or {})}
        taken = Measure(step, asked, str(self.root)) if measure is not None else None
        return step, book, Changes(step, book, taken, lease), kinds

    def tune(
        self, profile: str, measure: dict[str, Any] | None = None, lease: int = 1, check_mode: bool = False
    ) -> str:
        step, book, changes, kinds = self.parts(measure, lease, check_mode)
        params = {"profile": profile, "profiles": PROFILES, "scheduler": {}}
        return "; ".join([Steps(step, params, book, changes, kinds).run("sysctl"), *changes.words()])

    def put_back(self, lease: int | None = None) -> str:
        step, book, changes, kinds = self.parts(None, 9, check_mode=False)
        return str(put_back(step, book, changes, kinds, lease))

    def live(self) -> dict[str, str]:
        return {key: (self.root / "proc/sys" / key).read_text().strip() for key in KEYS}

    def files(self) -> dict[str, str]:
        folder = self.root / "etc/sysctl.d"
        return {path.name: path.read_text() for path in folder.glob("*")} if folder.exists() else {}

    def tree(self) -> dict[str, str]:
        return {str(path): path.read_text() for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def _no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


WEB = {**KEYS, "net/core/somaxconn": "4096", "net/ipv4/tcp_fin_timeout": "30"}


def test_a_profile_is_set_kept_over_a_reboot_and_put_back(world: World) -> None:
    assert world.tune("web") == "sysctl: profile web; 2 settings set"
    assert world.live() == WEB
    (text,) = world.files().values()
    assert text.splitlines()[1:] == ["net.core.somaxconn = 4096", "net.ipv4.tcp_fin_timeout = 30"]
    assert [action["detail"] for action in world.record["actions"]] == ["128 -> 4096", "60 -> 30"]

    tree = world.tree()
    assert world.tune("web") == "sysctl: profile web"
    assert (world.record["actions"], world.tree()) == ([], tree)

    assert world.put_back() == "2 of 2 settings put back"
    assert (world.live(), world.files()) == (KEYS, {})
    assert world.put_back() == "nothing to put back"


def test_a_plan_touches_nothing(world: World) -> None:
    before = world.tree()
    world.tune("web", check_mode=True)
    assert [action["outcome"] for action in world.record["actions"]] == ["planned", "planned"]
    assert world.tree() == before


def test_another_profile_takes_the_place_of_the_first(world: World) -> None:
    world.tune("web")
    world.tune("database")
    assert world.live() == {**KEYS, "net/core/somaxconn": "1024", "vm/swappiness": "10"}
    assert list(world.files()) == ["90-roundsman-database.conf"]
    world.put_back()
    assert (world.live(), world.files()) == (KEYS, {})


def test_a_plan_says_what_would_be_put_back(world: World) -> None:
    world.tune("web")
    before = world.tree()
    world.tune("database", check_mode=True)
    assert [(action["action"], action["detail"]) for action in world.record["actions"]] == [
        ("take back", "30 -> 60"),
        ("set", "4096 -> 1024"),
        ("set", "60 -> 10"),
    ]
    assert world.tree() == before


def test_only_what_helped_is_kept_and_what_did_not_is_not_tried_again(world: World) -> None:
    assert world.tune("web", measure={}) == "sysctl: profile web; 1 settings set; 1 settings taken back"
    assert world.live() == {**KEYS, "net/ipv4/tcp_fin_timeout": "30"}
    assert "net.core.somaxconn" not in "".join(world.files().values())
    assert "128 (60 -> 60, a gain of 0.0 %, wanted 5 %)" in world.record["actions"][1]["detail"]

    tree = world.tree()
    assert world.tune("web", measure={}) == "sysctl: profile web; 1 settings not tried again, for no help"
    assert (world.record["actions"], world.tree()) == ([], tree)

    world.put_back()
    assert "2 settings set" in world.tune("web")


def test_a_measure_that_fails_leaves_nothing_changed(world: World) -> None:
    broken = f"cat {world.root}/once && rm {world.root}/once"
    for command in ("echo fast", broken):
        (world.root / "once").write_text("3")
        with pytest.raises(ProcedureError) as failure:
            world.tune("web", measure={"command": command})
        assert failure.value.reason == "measure_failed"
        assert (world.live(), world.files()) == (KEYS, {})


def test_what_somebody_else_has_set_since_is_left(world: World) -> None:
    world.tune("web")
    (world.root / "proc/sys/net/core/somaxconn").write_text("512\n")
    assert world.put_back() == "1 of 2 settings put back"
    assert world.live() == {**KEYS, "net/core/somaxconn": "512"}
    assert "which Roundsman did not set, and is left so; before it tuned it was 128" in world.record["warnings"][0]
    assert world.files() == {}


def test_a_key_that_is_not_there_is_a_warning_and_nothing_more(world: World) -> None:
    (world.root / "proc/sys/net/core/somaxconn").unlink()
    assert world.tune("web") == "sysctl: profile web; 1 settings set"
    assert "somaxconn cannot be read: No such file" in world.record["warnings"][0]


def test_a_value_that_the_kernel_refuses_leaves_the_one_before_it_ours(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.tune("web")
    write = Sysctl.write

    def refusing(self: Any, target: str, value: Any) -> None:
        if str(value) == "1024":
            raise ProcedureError("not_possible", "Invalid argument")
        write(self, target, value)

    with monkeypatch.context() as patch:
        patch.setattr(Sysctl, "write", refusing)
        world.tune("database")
    assert world.record["warnings"] == ["Invalid argument"]
    assert world.live() == {**KEYS, "net/core/somaxconn": "4096", "vm/swappiness": "10"}
    world.put_back()
    assert (world.live(), world.files()) == (KEYS, {})


def test_a_rollback_takes_back_what_its_lease_changed(world: World) -> None:
    world.tune("web", lease=1)
    world.put_back(lease=2)
    assert world.live() == WEB
    world.put_back(lease=1)
    assert world.live() == KEYS


def test_what_was_changed_has_to_be_in_force(world: World) -> None:
    world.tune("web", lease=1)
    _step, book, _changes, kinds = world.parts(None, 1, check_mode=False)
    assert require_in_force(book, kinds, 1) == "2 settings are in force"
    (world.root / "proc/sys/net/core/somaxconn").write_text("512\n")
    with pytest.raises(ProcedureError, match=r"net\.core\.somaxconn was set to 4096 and is 512"):
        require_in_force(book, kinds, 1)


def test_a_scheduler_is_set_by_a_rule_as_well(world: World) -> None:
    _step, book, changes, kinds = world.parts(None, 1, check_mode=False)
    changes.make(kinds["scheduler"], "sda", "kyber")
    rules = world.root / "etc/udev/rules.d/60-roundsman-scheduler.rules"
    assert rules.read_text().splitlines()[1:] == [
        'ACTION=="add|change", KERNEL=="sda", ATTR{queue/scheduler}="kyber"'
    ]
    assert (world.root / "sys/block/sda/queue/scheduler").read_text().startswith("kyber")
    changes.make(kinds["scheduler"], "sdz", "kyber")
    assert [change["target"] for change in book.changes()] == ["sda"]


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("measure", [None, {}])
@pytest.mark.parametrize("then", ["put back", "again"])
def test_after_a_death_anywhere_all_can_be_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool, measure: dict[str, Any] | None, then: str
) -> None:
    keep, write, deaths = Book._keep, Sysctl.write, 0
    for turn in range(30):
        world, turns = World(tmp_path / str(turn)), iter(range(turn + 1))
        if measure is None:
            # What is tuned already is tuned otherwise.
            world.tune("database")

        def dying(real: Any, self: Any, *args: Any, turns: Any = turns, turn: int = turn, **changes: Any) -> None:
            last = next(turns, None) == turn
            if last and before:
                raise Killed
            real(self, *args, **changes)
            if last:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(Book, "_keep", lambda self, **changes: dying(keep, self, **changes))
            patch.setattr(Sysctl, "write", lambda self, *args: dying(write, self, *args))
            try:
                world.tune("web", measure=measure)
                break
            except Killed:
                deaths += 1
        if then == "again":
            world.tune("web", measure=measure)
            helped = WEB if measure is None else {**KEYS, "net/ipv4/tcp_fin_timeout": "30"}
            assert world.live() == helped, turn
            kept = {line.split(" = ")[0] for text in world.files().values() for line in text.splitlines()[1:]}
            assert kept == {key.replace("/", ".") for key in KEYS if helped[key] != KEYS[key]}
        world.put_back()
        assert (world.live(), world.files()) == (KEYS, {}), turn
    assert deaths >= 6


# Pure


@given(st.floats(0.001, 1e6), st.floats(0.001, 1e6))
def test_a_gain_has_the_sign_of_what_is_better(before: float, after: float) -> None:
    lower, higher = (pure.gain_percent(before, after, better) for better in ("lower", "higher"))
    assert lower == -higher
    assert (higher > 0) == (after > before)


def test_swap_is_left_when_memory_would_be_short() -> None:
    gib = 1 << 30
    assert pure.why_not_to_empty(gib, 4 * gib, 8 * gib, 25) is None
    why = pure.why_not_to_empty(3 * gib, 4 * gib, 8 * gib, 25)
    assert why == "swap holds 3072 MiB, and with them in memory less than 25 % of it would be free"


def test_what_the_kernel_says_of_swap_and_trimming() -> None:
    text = "Filename Type Size Used Priority\n/swap\\040file file 1048576 2048 -2\n/dev/zram0 partition 1024 0 100\n"
    assert pure.swaps(text) == [("/swap file", 1 << 30, 2 << 20, -2), ("/dev/zram0", 1 << 20, 0, 100)]
    assert pure.available_bytes("MemTotal:  8 kB\nMemAvailable: 4 kB\n") == (4096, 8192)
    assert pure.trimmed_bytes("/: 1.2 GiB (1288490188 bytes) trimmed on /dev/sda1\n") == 1288490188


def settings(**changed: Any) -> dict[str, Any]:
    values = {
        "shared_buffers": (16384, "8kB", True), "effective_cache_size": (524288, "8kB", False),
        "work_mem": (4096, "kB", False), "max_wal_size": (1024, "MB", False), "max_connections": (100, "", True),
        "checkpoint_completion_target": (0.9, "", False), "random_page_cost": (4, "", False),
    }  # fmt: skip
    return {name: postgresql.Setting(changed.get(name, value), *rest) for name, (value, *rest) in values.items()}


CALM = {"temp_bytes": 0, "hit_percent": 99.9, "blocks_read": 5, "timed": 100, "requested": 3}


@pytest.mark.parametrize(
    ("changed", "figures", "rotates", "advice"),
    [
        ({}, {}, True, {}),
        ({}, {}, None, {}),
        ({}, {}, False, {"random_page_cost": 1.1}),
        ({}, {"hit_percent": 80, "blocks_read": 10**6}, True, {"shared_buffers": (2 << 30) // 8192}),
        ({}, {"temp_bytes": 5 << 30}, True, {"work_mem": 16384}),
        ({"work_mem": 10**6}, {"temp_bytes": 5 << 30}, True, {}),
        ({}, {"requested": 200}, True, {"max_wal_size": 2048}),
        ({"effective_cache_size": 1000}, {}, True, {"effective_cache_size": (8 << 30) * 7 // 10 // 8192}),
        ({"checkpoint_completion_target": 0.5}, {}, True, {"checkpoint_completion_target": 0.9}),
    ],
)
def test_advice_for_postgresql_follows_from_what_was_measured(
    changed: dict[str, Any], figures: dict[str, Any], rotates: bool | None, advice: dict[str, Any]
) -> None:
    found = postgresql.advise(settings(**changed), {**CALM, **figures}, 8 << 30, rotates)
    assert {one.name: one.value for one in found} == advice
    assert all(one.restart == (one.name == "shared_buffers") for one in found)


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ({"profile": "none"}, "there is no profile none; known are web"),
        ({"profile": "../x"}, "other characters"),
        ({"profiles": {"web": {"net/../../etc": 1}}}, "is no key of sysctl"),
        ({"scheduler": {"../x": "none"}}, "is no block device"),
        ({"measure": {"samples": 0}}, "samples has to be at least 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(asked: dict[str, Any], fault: str) -> None:
    sound = {"profile": "web", "profiles": {"web": {"net.core.somaxconn": 1}}, "scheduler": {}, "measure": None}
    params = {**sound, **asked}
    assert any(fault in one for one in pure.faults(params)), pure.faults(params)
