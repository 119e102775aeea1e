"""The steps of tuning that are not settings: swap is never left off, and what can be trimmed is found and trimmed."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.process import Finished
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures import tuning_steps
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.base import ProcedureError
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.journal import blank
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.step import Step
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.tuning_book import Book
from ansible_collections.roundsman.fleet.plugins.module_utils.state import State

HEAD = "Filename Type Size Used Priority\n"


class Killed(BaseException):
    """kill -9 at this very place."""


class Swapped(Step):
    """A host with two swap devices, of which one is in use, and programs that do as the real ones."""

    def __init__(self, available_mib: int = 4096, check_mode: bool = False) -> None:
        super().__init__(SimpleNamespace(check_mode=check_mode), blank("tuning", "tuned"), None, time.monotonic() + 600)
        self.on = {"/dev/sda2": (100 << 10, "100"), "/swapfile": (0, "-2")}
        self.memory = f"MemTotal: {8 << 20} kB\nMemAvailable: {available_mib << 10} kB\n"
        self.called: list[list[str]] = []
        self.dies_after = ""
        self.refuses = ""

    def run(self, argv: list[str], env: Any = None, **_: Any) -> Finished:
        self.called.append(argv)
        if argv[0] == "systemd-detect-virt":
            return Finished(1, "", "")
        if argv[0] == self.refuses:
            return Finished(255, "", f"{argv[0]}: failed: Cannot allocate memory")
        if argv[0] == "swapoff":
            self.off = self.on.pop(argv[1])
        elif argv[0] == "swapon":
            self.on[argv[-1]] = (0, self.off[1])
        if argv[0] == self.dies_after:
            raise Killed
        return Finished(0, "", "")

    def text(self, path: str) -> str:
        if path == "/proc/meminfo":
            return self.memory
        return HEAD + "".join(f"{name} file 999999 {used} {prio}\n" for name, (used, prio) in self.on.items())


def empty(step: Swapped, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(tuning_steps, "_text", step.text)
    params = {"swap_margin_percent": 25}
    return tuning_steps.Steps(step, params, Book(State(str(folder))), None, {}).run("swap")


def test_swap_goes_back_into_memory_with_its_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Swapped()
    assert empty(step, tmp_path, monkeypatch) == "swap: brought 100 MiB back into memory"
    assert step.called[1:] == [["swapoff", "/dev/sda2"], ["swapon", "--priority", "100", "/dev/sda2"]]
    assert step.record["before"] == {"swapped_bytes": 100 << 20}
    assert step.record["after"] == {"swapped_bytes": 0}
    assert empty(step, tmp_path, monkeypatch) == "swap: nothing to bring back"


def test_swap_is_left_alone_when_memory_is_short_or_only_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, planning = Swapped(available_mib=2100), Swapped(check_mode=True)
    assert "left as it is" in empty(short, tmp_path, monkeypatch)
    empty(planning, tmp_path, monkeypatch)
    assert [action["outcome"] for action in planning.record["actions"]] == ["planned"]
    assert [argv[0] for step in (short, planning) for argv in step.called] == ["systemd-detect-virt"] * 2
    assert list(tmp_path.iterdir()) == []


def test_swap_that_cannot_be_emptied_stays_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Swapped()
    step.refuses = "swapoff"
    with pytest.raises(ProcedureError, match="swapoff /dev/sda2: swapoff: failed: Cannot allocate memory"):
        empty(step, tmp_path, monkeypatch)
    assert set(step.on) == {"/dev/sda2", "/swapfile"}


def test_swap_that_a_killed_run_left_off_is_switched_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Swapped()
    step.dies_after = "swapoff"
    # kill -9 leaves no time to tidy up.
    with monkeypatch.context() as patch:
        patch.setattr(tuning_steps.Steps, "_switch_on_again", lambda self: None)
        with pytest.raises(Killed):
            empty(step, tmp_path, monkeypatch)
    assert set(step.on) == {"/swapfile"}

    step.dies_after, step.refuses = "", "swapon"
    with pytest.raises(ProcedureError, match=r"/dev/sda2 is switched off .* Run: swapon /dev/sda2"):
        empty(step, tmp_path, monkeypatch)

    step.refuses = ""
    empty(step, tmp_path, monkeypatch)
    assert set(step.on) == {"/dev/sda2", "/swapfile"}
    assert Book(State(str(tmp_path))).swapped_off == []


@pytest.fixture
def disk(tmp_path: Path) -> Any:
    """A real filesystem on a real loop device, which can discard."""
    image, mounted = tmp_path / "image", tmp_path / "disk"
    mounted.mkdir()
    with image.open("wb") as stream:
        stream.truncate(64 << 20)
    made = subprocess.run(["mkfs.ext4", "-q", str(image)], check=False, capture_output=True)
    if made.returncode or subprocess.run(["mount", "-o", "loop", str(image), str(mounted)], check=False).returncode:
        pytest.skip("no loop device can be mounted here (root is needed)")
    yield str(mounted)
    subprocess.run(["umount", "--lazy", str(mounted)], check=True)


def test_a_real_filesystem_is_trimmed_and_the_figure_is_true(
    disk: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert disk in tuning_steps._trimmable()
    # The others are this machine's own.
    monkeypatch.setattr(tuning_steps, "_trimmable", lambda: [disk])
    monkeypatch.setattr(tuning_steps.Steps, "_in_container", lambda self: False)
    module, record = SimpleNamespace(check_mode=False), blank("tuning", "tuned")
    step = Step(module, record, None, time.monotonic() + 600)
    steps = tuning_steps.Steps(step, {"fstrim_every_h": 20}, Book(State(str(tmp_path / "state"))), None, {})

    assert steps.run("fstrim").startswith("fstrim: 1 filesystems, 5")
    (action,) = record["actions"]
    assert 50 << 20 < action["size_bytes"] < 64 << 20
    assert record["after"] == {"trimmed_bytes": action["size_bytes"]}
    assert steps.run("fstrim") == "fstrim: nothing is due"


def test_a_filesystem_that_cannot_be_trimmed_keeps_no_other_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Trimmed(Swapped):
        def run(self, argv: list[str], env: Any = None, **more: Any) -> Finished:
            if argv == ["fstrim", "--verbose", "/boot/efi"]:
                return Finished(1, "", "fstrim: /boot/efi: the discard operation is not supported\n")
            if argv[0] == "fstrim":
                return Finished(0, f"{argv[-1]}: 4 MiB (4194304 bytes) trimmed\n", "")
            return super().run(argv, env, **more)

    monkeypatch.setattr(tuning_steps, "_trimmable", lambda: ["/", "/boot/efi", "/home"])
    step = Trimmed()
    steps = tuning_steps.Steps(step, {"fstrim_every_h": 20}, Book(State(str(tmp_path))), None, {})
    assert steps.run("fstrim") == "fstrim: 3 filesystems, 8 MiB"
    assert steps.run("fstrim") == "fstrim: nothing is due"
