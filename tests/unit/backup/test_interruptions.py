"""Whatever is killed, and whenever: the next run works, and nothing half-done counts."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from .cast import Anna
from .test_backup import wait_for


def fill(anna: Anna, megabytes: int = 40) -> None:
    for number in range(megabytes):
        anna.write(f"blob-{number}", os.urandom(1 << 20))


def engines_of(process_id: int) -> list[int]:
    """Pids of restic below a module."""
    found = []
    for path in (p for p in Path("/proc").iterdir() if p.name.isdigit()):
        try:
            if int((path / "stat").read_text().rsplit(")", 1)[1].split()[1]) == process_id:
                found.append(int(path.name))
        except (OSError, IndexError):
            continue
    return found


def arguments_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("after_s", [0.3, 0.9])
def test_kill_9_of_the_module_at_any_moment(anna: Anna, after_s: float) -> None:
    fill(anna)
    process = anna.start("backup", **anna.arguments(source={"id": "data", "paths": [str(anna.source)]}))
    time.sleep(after_s)
    process.send_signal(signal.SIGSTOP)  # so that it begins no engine after they were counted
    children = engines_of(process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(alive(pid) for pid in children))
    result = anna.back_up(lock_timeout_s=60)
    assert not result.get("failed"), result
    assert anna.verify(lock_timeout_s=60)["verifications"][0]["outcome"] == "ok"
    # An engine that was done when its module died leaves a snapshot that nobody judged: named, and counted for nothing.
    *before, newest = anna.snapshots()
    unjudged = [s for s in before if not s["complete"]]
    assert newest["complete"]
    assert len(unjudged) == len([warning for warning in result["backup"]["warnings"] if "nobody judged" in warning])


# The engine is met here: where it is about to begin, and where its work is done, though it could not read all.
BEFORE, AFTER = "", '"$RESTIC" "$@" --exclude lost; '


def kill_beside_the_engine(anna: Anna, engine: str) -> None:
    """Kill the module with -9 while nothing runs but what stands in for the engine."""
    met = anna.root / "met"
    script = f'case $1 in backup) {engine}touch {met}; exec sleep 600;; esac\nexec "$RESTIC" "$@"'
    with anna.engine_behind(script):
        process = anna.start("backup", **anna.arguments(source={"id": "data", "paths": [str(anna.source)]}))
        wait_for(met.exists)
        process.kill()
        process.communicate()
        met.unlink()


@pytest.mark.parametrize(("engine", "left"), [(BEFORE, 0), (AFTER, 1)])
def test_kill_9_of_the_module_right_beside_the_engine(anna: Anna, engine: str, left: int) -> None:
    """Between manifest and engine nothing is left; after the engine, a snapshot that nobody judged, so it is none."""
    anna.write("lost")
    good = anna.back_up()["backup"]["snapshot"]
    kill_beside_the_engine(anna, engine)
    # A schedule asks what is due; what was not judged makes nothing fresh.
    result = anna.back_up({"every": "24h"}, only_when_due=True, lock_timeout_s=60)
    record = result["backup"]
    assert not result.get("failed"), result
    assert (record["due_at"], record["parent"]) == (None, good)
    assert [s["complete"] for s in record["snapshots"]] == [True, *[False] * left, True]
    assert len([warning for warning in record["warnings"] if "nobody judged" in warning]) == left, record["warnings"]
    (checked,) = anna.verify()["verifications"]
    assert (checked["outcome"], checked["snapshot"]) == ("ok", record["snapshot"])
    again = anna.back_up({"every": "24h"}, only_when_due=True)
    assert again["backup"]["due_at"], again


def test_kill_9_of_the_engine_in_mid_backup(anna: Anna) -> None:
    fill(anna)
    # At this rate the engine would need minutes, so that it is hit at work on any machine.
    with anna.engine_behind('exec "$RESTIC" --limit-upload 200 "$@"'):
        process = anna.start("backup", **anna.arguments(source={"id": "data", "paths": [str(anna.source)]}))

        def saving() -> list[int]:
            return [pid for pid in engines_of(process.pid) if b"\0backup\0" in arguments_of(pid)]

        wait_for(lambda: bool(saving()))
        for pid in saving():
            os.kill(pid, signal.SIGKILL)
        out, _err = process.communicate()
    assert '"reason": "engine_failed"' in out, out
    assert anna.snapshots() == []
    assert not anna.back_up(lock_timeout_s=60).get("failed")
    assert anna.verify(lock_timeout_s=60)["verifications"][0]["outcome"] == "ok"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_verification_leaves_nothing_for_long(anna: Anna, how: signal.Signals) -> None:
    fill(anna)
    anna.back_up()
    scratch = anna.state / "scratch"
    # At this rate the restore would need minutes, so that it is hit at work on any machine.
    slowly = 'case $1 in restore) exec "$RESTIC" --limit-download 200 "$@";; esac\nexec "$RESTIC" "$@"'
    with anna.engine_behind(slowly):
        process = anna.start("backup_verify", **anna.arguments(sources=["data"]))
        wait_for(lambda: scratch.exists() and any(scratch.glob("*/copy/*")))
        engines = engines_of(process.pid)
        process.send_signal(how)
        process.communicate()
    for pid in engines:
        # Orphaned, and this slow, it would hold the lock for minutes.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert process.returncode == (143 if how == signal.SIGTERM else -how)
    if how == signal.SIGTERM:
        assert not any(scratch.iterdir())
    result = anna.verify(lock_timeout_s=60)
    assert result["verifications"][0]["outcome"] == "ok", result
    assert not any(scratch.iterdir())


def test_what_changes_during_the_backup_is_no_damage(anna: Anna) -> None:
    """The engine is held up between manifest and snapshot, and the world goes on."""
    for name in ("stays", "grows", "vanishes", "is-replaced", "sub/vanishes-too", "same-size"):
        anna.write(name, "before")
    meanwhile = (
        f"case $1 in backup) cd {anna.source}\n"
        "echo more >> grows; rm vanishes; rm -r sub; rm is-replaced; mkdir is-replaced; echo new > appears\n"
        "touch -r same-size .ref; printf AFTER. > same-size; touch -r .ref same-size; rm .ref;; esac\n"
    )
    with anna.engine_behind(meanwhile + 'exec "$RESTIC" "$@"'):
        result = anna.back_up()
    record = result["backup"]
    assert not result.get("failed"), result
    assert "changed or vanished" in record["warnings"][0]
    for name in ("grows", "vanishes", "is-replaced", "sub"):
        assert str(anna.source / name) in record["warnings"][0]
    (checked,) = anna.verify()["verifications"]
    assert checked["outcome"] == "ok", checked
    # The directory itself, the five that moved, and what lay in `sub`.
    assert checked["changed_during_backup"] == 7, checked


def test_without_the_hosts_memory_only_the_copy_can_prove_a_change(anna: Anna) -> None:
    test_what_changes_during_the_backup_is_no_damage(anna)
    for path in (anna.state / "changes").rglob("*.json"):
        path.unlink()
    (checked,) = anna.verify()["verifications"]
    assert checked["outcome"] == "damaged"
    problems = {Path(m["path"]).name: m["problem"] for m in checked["mismatches"]}
    assert problems["vanishes"] == "missing"
    assert "grows" not in problems
    assert "content differs" in problems["same-size"]


def test_a_snapshot_that_could_not_be_marked_incomplete_does_not_count(anna: Anna) -> None:
    """What it lacks only the engine could not read, and then the server was gone."""
    anna.write("one")
    error = '{"message_type":"error","error":{"message":"input/output error"},"during":"archival","item":"/one"}'
    script = f"""case "$1" in
tag) echo server misbehaving >&2; exit 1 ;;
backup) "$RESTIC" "$@"; echo '{error}' >&2; exit 3 ;;
*) exec "$RESTIC" "$@" ;;
esac"""
    with anna.engine_behind(script):
        failed = anna.back_up({"every": "1d"})
    assert failed["backup"]["reason"] == "source_unreadable", failed
    assert "could not be marked incomplete" in failed["msg"]
    assert [one["complete"] for one in failed["backup"]["snapshots"]] == [False]

    done = anna.back_up({"every": "1d"}, only_when_due=True)

    assert done.get("changed"), done
    assert {s["id"]: s["complete"] for s in anna.snapshots()}[done["backup"]["snapshot"]]
    assert [s["complete"] for s in anna.snapshots()].count(True) == 1
