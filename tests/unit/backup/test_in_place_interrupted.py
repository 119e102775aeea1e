"""A restore in place that was killed, or whose service does not start again: what it left is told, and can be ended."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .cast import Anna, engines

SPEC = {"id": "data", "type": "files", "stop": ["shop.service"]}
# systemd as far as one unit goes, whose state is in a file.
SYSTEMCTL = """#!/bin/sh
case "$1" in
show) read -r active sub < {state}; printf 'Id=shop.service\\nActiveState=%s\\nSubState=%s\\n' "$active" "$sub" ;;
stop) echo inactive dead > {state} ;;
start) {start} ;;
esac
"""
RUNS = "echo active running > {state}"
KILL = "kill -9 $PPID; exit 1"


class Shop:
    """A host whose service works with two files of its source, which are spoilt since the backup."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.anna = Anna(root).with_repository()
        self.scratch = scratch
        self.state = root / "shop.service"
        self.state.write_text("active running\n")
        self.starts_by(RUNS)
        self.files = [self.anna.write(name, "good") for name in ("one", "two")]
        self.spec = {**SPEC, "paths": [str(self.anna.source)]}
        assert self.anna.back_up(self.spec)["changed"]
        shutil.rmtree(self.anna.state / "changes", ignore_errors=True)
        for path in self.files:
            path.write_text("spoilt")

    def starts_by(self, start: str) -> None:
        self.program("systemctl", SYSTEMCTL.replace("{start}", start).replace("{state}", str(self.state)))

    def program(self, name: str, script: str) -> Path:
        path = self.anna.bin / name
        path.write_text(script)
        path.chmod(0o755)
        return path

    def arguments(self, **more: Any) -> dict[str, Any]:
        wish = {"source": "data", "in_place": True, "definition": self.spec, "scratch_dir": str(self.scratch)}
        # What the killed module had begun holds its lock as well, until it has ended.
        return self.anna.arguments(**wish, lock_timeout_s=60, **more)

    def restore(self, **more: Any) -> dict[str, Any]:
        return self.anna.call("backup_restore", **self.arguments(**more))

    def killed(self, **more: Any) -> None:
        running = self.anna.start("backup_restore", **self.arguments(**more))
        assert running.communicate()[0] == ""
        assert running.returncode == -9

    @property
    def held(self) -> list[str]:
        return [path.read_text() for path in self.files]

    @property
    def runs(self) -> bool:
        return self.state.read_text().startswith("active")

    @property
    def notes(self) -> list[Path]:
        return list((self.anna.state / "restoring").glob("*"))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Files are copied to their place by cp, where a test can get in between."""
    if not engines():
        pytest.skip("restic is not installed")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as scratch:
        if Path(scratch).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("there is no second filesystem")
        yield Shop(tmp_path / "anna", Path(scratch))


def kill_before_safety(shop: Shop) -> None:
    with shop.anna.engine_behind(f'case "$1" in backup) {KILL};; *) exec "$RESTIC" "$@";; esac'):
        shop.killed()
    assert (shop.held, shop.runs) == (["spoilt", "spoilt"], False)


def kill_half_way(shop: Shop) -> None:
    cp = shop.program("cp", f'#!/bin/sh\ncase "$*" in *two*) {KILL};; *) exec /bin/cp "$@";; esac\n')
    shop.killed()
    cp.unlink()
    assert (shop.held, shop.runs) == (["good", "spoilt"], False)


def kill_before_start(shop: Shop) -> None:
    shop.starts_by(KILL)
    shop.killed()
    shop.starts_by(RUNS)
    assert (shop.held, shop.runs) == (["good", "good"], False)


@pytest.mark.parametrize("kill", [kill_before_safety, kill_half_way, kill_before_start])
def test_the_same_command_completes_what_was_killed(shop: Shop, kill: Any) -> None:
    kill(shop)
    planned = shop.restore(_ansible_check_mode=True)
    assert planned["changed"]
    assert planned["restore"]["unfinished"]["stopped"] == ["shop.service"]

    done = shop.restore()

    assert done.get("changed"), done
    assert (shop.held, shop.runs) == (["good", "good"], True)
    assert "an earlier restore, of snapshot" in done["msg"]
    assert "had stopped shop.service" in done["msg"]
    assert done["restore"]["done"][-1] == "started shop.service"
    assert not shop.notes
    assert not shop.restore()["changed"]
    if kill is not kill_before_safety:
        # Not what the killed one left half done, but what was there before it.
        before = done["msg"].partition("what was there before that comes back with: ")[2].split()[6]
        assert shop.restore(snapshot=before)["changed"]
        assert shop.held == ["spoilt", "spoilt"]


@pytest.mark.parametrize("start", ["echo Job failed. >&2; exit 1", "echo failed failed > {state}",
                                   "echo activating auto-restart > {state}"])  # fmt: skip
def test_a_service_that_does_not_start_again_is_told_and_started_by_the_next(shop: Shop, start: str) -> None:
    shop.starts_by(start)
    failed = shop.restore()
    assert failed["restore"]["reason"] == "service_failed", failed
    assert shop.held == ["good", "good"]
    for words in ("shop.service ran before the restore and does not run now", "journalctl", "replaced 2 entries",
                  f"--snapshot {failed['restore']['safety'][:8]} --in-place"):  # fmt: skip
        assert words in failed["msg"]
    shop.starts_by(RUNS)
    assert shop.restore()["changed"]
    assert shop.runs


def test_neither_of_two_failures_hides_the_other(shop: Shop) -> None:
    shop.starts_by("exit 1")
    shop.program("cp", "#!/bin/sh\necho cp: no way >&2; exit 1\n")
    failed = shop.restore()
    assert "copying a file failed (cp ended with 1): cp: no way" in failed["msg"], failed
    assert "shop.service ran before the restore" in failed["msg"]
    assert "began to replace 2 entries" in failed["msg"]


def test_a_failure_before_anything_was_touched_leaves_nothing_to_end(shop: Shop) -> None:
    with shop.anna.engine_behind('case "$1" in backup) exit 1;; *) exec "$RESTIC" "$@";; esac'):
        failed = shop.restore()
    assert "Nothing was overwritten" in failed["msg"]
    assert (shop.held, shop.runs, shop.notes) == (["spoilt", "spoilt"], True, [])
