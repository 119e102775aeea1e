"""What a person's own commands dump is saved whole or not at all, and proven by a person's own check."""

from __future__ import annotations

import contextlib
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import proof
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.base import BackupError
from ansible_collections.roundsman.fleet.plugins.module_utils.sources import registry
from ansible_collections.roundsman.fleet.plugins.module_utils.sources.base import Effects
from ansible_collections.roundsman.fleet.plugins.module_utils.sources.custom import CustomSource
from ansible_collections.roundsman.fleet.plugins.module_utils.state import State

from .cast import Anna, engines
from .test_backup import NOT_ROOT, reason_of, record_of, said_by_ps, wait_for
from .test_roles import play

SECRET = "ldap-admin-s3cret"
COUNT = 'echo "entries=$(wc -l < "$ROUNDSMAN_COPY/dump.ldif")"; echo "canary=$(tail -n1 "$ROUNDSMAN_COPY/dump.ldif")"'


@pytest.fixture
def anna(tmp_path: Path) -> Anna:
    """With one restic: which one it is makes no difference to what is dumped and asked."""
    if not engines():
        pytest.skip("restic is not installed")
    return Anna(tmp_path / "anna").with_repository()


def custom(**keys: Any) -> dict[str, Any]:
    return {"id": "data", "type": "custom", "dump": ["seq", "1700000000", "1700000999"], "into": "dump.ldif", **keys}


def back_up(anna: Anna, patience_s: int = 0, **keys: Any) -> dict[str, Any]:
    return anna.call("backup", **anna.arguments(source=custom(**keys), lock_timeout_s=patience_s))


def proven(anna: Anna, check: Any, user: str = "", **more: Any) -> dict[str, Any]:
    result = anna.verify(level="proven", self_test=True, checks={"data": [check, user]}, **more)
    (record,) = result["verifications"]
    return dict(record)


def test_a_dump_is_saved_and_proven_by_its_check(anna: Anna) -> None:
    record_of(back_up(anna, check=COUNT))
    assert not list((anna.state / "spool").iterdir())
    record = proven(anna, COUNT)
    assert (record["outcome"], record["level"]) == ("ok", "proven"), record
    found = {one["what"]: one["found"] for one in record["findings"]}
    assert found == {"check": "passed", "entries": "1000", "canary": "1700000999"}
    assert record["canary_at"] == "2023-11-14T22:29:59.000Z"


def test_a_dump_may_write_any_number_of_files_into_the_spool(anna: Anna) -> None:
    dump = 'mkdir "$ROUNDSMAN_SPOOL/sub"; echo one > "$ROUNDSMAN_SPOOL/sub/a"; echo two > b'
    assert record_of(back_up(anna, dump=dump, into=None, size="1MiB"))["manifest_entries"] == 4
    record = proven(anna, None)
    assert (record["outcome"], record["level"]) == ("ok", "restored"), record


@pytest.mark.parametrize(
    ("keys", "reason", "words"),
    [
        ({"dump": "seq 1000; exit 3"}, "dump_failed", "bash ended with 3"),
        ({"dump": "(seq 1000; exit 3) | cat"}, "dump_failed", "ended with 3"),
        ({"dump": "false; seq 1000"}, "dump_failed", "ended with 1"),
        ({"dump": "seq 1000; kill -9 $$"}, "dump_failed", "ended with -9"),
        ({"dump": ["dump-that-is-not-there"]}, "application_missing", "dump-that-is-not-there"),
        ({"dump": "dump-that-is-not-there | cat"}, "application_missing", "dump-that-is-not-there"),
        ({"dump": ["true"]}, "source_missing", "left no data"),
        ({"dump": "ln -s /etc/passwd there", "into": None}, "source_missing", "left no data"),
        ({"check": "echo the index is gone >&2; exit 2"}, "dump_failed", "the index is gone"),
        ({"size": "900T"}, "no_space", "the dump needs"),
        ({"user": "nobody-of-that-name"}, "unprivileged", "nobody-of-that-name"),
    ],
)
def test_what_is_not_whole_is_never_saved(anna: Anna, keys: dict[str, Any], reason: str, words: str) -> None:
    result = back_up(anna, **keys)
    if keys.get("user"):
        assert result["failed"]
        assert words in result["msg"]
    else:
        assert reason_of(result) == reason
        assert words in result["msg"]
    assert anna.snapshots() == []
    assert not list((anna.state / "spool").glob("*/*"))


def test_a_dump_killed_half_way_or_with_its_module_leaves_nothing(anna: Anna) -> None:
    mark, held = anna.root / "half", anna.root / "held"
    held.touch()
    slow = f"seq 100000; touch {mark}; while [ -e {held} ]; do sleep 0.05; done; echo end"
    process = anna.start("backup", **anna.arguments(source=custom(dump=slow)))
    wait_for(mark.exists)
    process.kill()
    process.wait()
    held.unlink()
    wait_for(lambda: not said_by_ps(str(mark)))
    assert (anna.state / "spool" / "data" / "dump.ldif").stat().st_size
    assert anna.snapshots() == []
    # A polite end cleans up by itself; what the rude one left is gone with the next backup.
    mark.unlink()
    held.touch()
    process = anna.start("backup", **anna.arguments(source=custom(dump=slow), lock_timeout_s=60))
    wait_for(mark.exists)
    process.send_signal(signal.SIGTERM)
    process.wait()
    held.unlink()
    assert not list((anna.state / "spool").iterdir())
    assert record_of(back_up(anna, patience_s=60))["manifest_entries"] == 2


def test_the_time_limit_ends_a_dump_with_all_its_children(anna: Anna) -> None:
    started = time.monotonic()
    result = anna.call("backup", **anna.arguments(source=custom(dump="sleep 4711 | cat"), timeout_s=3))
    assert reason_of(result) == "timeout"
    assert time.monotonic() - started < 300
    # It was killed with its group; on a busy machine it is seen for a moment more.
    wait_for(lambda: not said_by_ps("sleep 4711"))


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[None]:
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "roundsman-test", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.skipif(NOT_ROOT, reason="mounts a small disk")
@pytest.mark.parametrize("dump", ["head -c 100M /dev/zero", "head -c 100M /dev/zero 2>/dev/null || true"])
def test_a_full_disk_ends_the_dump_even_of_a_command_that_does_not_mind(anna: Anna, dump: str) -> None:
    disk = anna.root / "small"
    with small_disk(disk, "72M"):
        result = anna.call("backup", **anna.arguments(source=custom(dump=dump), spool_dir=str(disk)))
        assert reason_of(result) == "no_space"
        assert not list(disk.iterdir())
    assert anna.snapshots() == []


def test_what_lies_in_the_spool_directory_is_not_ours_to_remove(anna: Anna) -> None:
    """Somebody names the largest filesystem, where the application of the source's name has its data."""
    disk = anna.root / "srv"
    (disk / "data").mkdir(parents=True)
    (disk / "data" / "live").write_text("precious")
    (disk / "roundsman-data").symlink_to(disk / "data")
    wish = anna.arguments(source=custom(), spool_dir=str(disk))
    for check_mode in (True, False):
        assert not anna.call("backup", _ansible_check_mode=check_mode, **wish).get("failed")
        assert (disk / "data" / "live").read_text() == "precious"
    assert [one.name for one in disk.iterdir()] == ["data"]
    assert stat.S_IMODE((disk / "data").stat().st_mode) == stat.S_IMODE(disk.stat().st_mode)


def test_a_check_that_answers_otherwise_or_fails_later_is_damage(anna: Anna) -> None:
    answer = anna.root / "answer"
    check = f'cat "{answer}"; test ! -e "{answer}.bad"'
    answer.write_text("entries=7\n")
    record_of(back_up(anna, check=check))
    answer.write_text("entries=8\n")
    record = proven(anna, check)
    assert (record["outcome"], record["reason"], record["level"]) == ("damaged", "proof_failed", "restored")
    assert record["findings"][0] == {"what": "entries", "expected": "7", "found": "8"}
    Path(f"{answer}.bad").touch()
    assert proven(anna, check)["reason"] == "proof_failed"
    # A check that looks at nothing of the copy is found out by the damaged copy.
    answer.write_text("entries=7\n")
    Path(f"{answer}.bad").unlink()
    assert proven(anna, check)["reason"] == "drill_broken"


def test_a_snapshot_cannot_bring_its_own_command(anna: Anna) -> None:
    """Its host may be an intruder's; the drill host runs what the inventory says, as whom the inventory says."""
    ran = anna.root / "ran"
    check = f"echo {ran}; touch {ran}"
    record_of(back_up(anna, check=check))
    ran.unlink()
    for declared in ({}, {"data": [check, "nobody"]}):
        (record,) = anna.verify(level="proven", checks=declared)["verifications"]
        assert (record["outcome"], record["reason"]) == ("unknown", "unprivileged")
        assert (record["level"], record["failed_level"]) == ("restored", "proven")
        assert not ran.exists()


def test_a_snapshot_cannot_lead_the_drill_out_of_the_copy(tmp_path: Path) -> None:
    """The self-test cuts a file of the copy in half; a manifest that an intruder wrote must not choose another one."""
    victim, copy = tmp_path / "victim", tmp_path / "copy"
    victim.write_text("live and well")
    copy.mkdir()
    header = {
        "definition": {"id": "data", "type": "files", "paths": ["/x"], "check": "true"},
        "expectations": {"values": {"check": "passed"}, "canary_at": None},
        "paths": ["/../victim"],
    }
    effects = Effects(State(str(tmp_path / "state")), [], None, lambda: None, lambda: 9.0, str)
    module = SimpleNamespace(params={"checks": {"data": ["true", ""]}})
    with pytest.raises(BackupError, match="leads out of the copy"):
        proof.prove(SimpleNamespace(module=module, effects=lambda: effects), {}, header, str(copy), True)
    assert victim.read_text() == "live and well"


def test_the_inventory_names_the_checks_of_a_drill(anna: Anna) -> None:
    anna.write("index", "fine")
    check = 'c=0; for file in "$ROUNDSMAN_COPY/"*; do c=$((c + $(wc -c < "$file"))); done; echo "bytes=$c"'
    backups = [
        custom(check=check, environment={"LDAP_PASSWORD": SECRET}),
        {"id": "www", "paths": [str(anna.source)], "check": ["grep", "-q", "fine", f".{anna.source}/index"]},
        {"id": "plain", "paths": [str(anna.source)]},
    ]
    for playbook in ("backup", "drill"):
        code, said = play(anna, playbook, "-vvv", roundsman_backups=backups)
        assert code == 0, said
        assert SECRET not in said
    assert "data of anna, snapshot" in said
    assert said.count('"level": "proven"') >= 2
    code, said = play(anna, "drill", roundsman_backups=[{**backups[0], "check": "echo bytes=7"}])
    assert code != 0
    assert "After a change of the check make a new backup" in said


def test_files_are_proven_by_a_command(anna: Anna) -> None:
    anna.write("index", "fine")
    check = f'grep -q fine "$ROUNDSMAN_COPY{anna.source}/index"; echo not=compared'
    record_of(anna.back_up({"check": check}))
    record = proven(anna, check)
    assert (record["outcome"], record["level"], record["findings"]) == (
        "ok",
        "proven",
        [{"what": "check", "expected": "passed", "found": "passed"}],
    )
    anna.write("index", "broken")
    record_of(anna.back_up({"check": check}))
    assert proven(anna, check)["reason"] == "proof_failed"


@pytest.mark.skipif(NOT_ROOT, reason="becomes another user")
def test_a_user_of_its_own_reaches_the_spool_and_the_copy_but_no_network(anna: Anna) -> None:
    dump = 'id -un > "$ROUNDSMAN_SPOOL/who"; pwd >> who; echo $HOME >> who; echo last=line >> who; id -un'
    check = (
        'test "$(id -un)" = nobody; cat /proc/net/dev | grep -c : | sed s/^/interfaces=/; grep = "$ROUNDSMAN_COPY/who"'
    )
    record_of(back_up(anna, dump=dump, check=check, user="nobody"))
    record = proven(anna, check, "nobody")
    assert (record["outcome"], record["level"]) == ("ok", "proven"), record
    assert {"what": "interfaces", "expected": "1", "found": "1"} in record["findings"]
    anna.restore()
    (who,) = (anna.root / "restored").rglob("who")
    assert who.read_text().split() == ["nobody", "/run/roundsman", "/nonexistent", "last=line"]
    assert stat.S_IMODE(who.parent.stat().st_mode) == 0o700


def test_secrets_reach_the_dump_and_nothing_else(anna: Anna) -> None:
    check = 'test -z "$LDAP_PASSWORD"'
    keys = {"environment": {"LDAP_PASSWORD": SECRET}, "check": check}
    result = back_up(anna, dump='echo "$LDAP_PASSWORD" | wc -c', **keys)
    assert record_of(result)
    failed = back_up(anna, dump='echo "bind as $LDAP_PASSWORD refused" >&2; exit 1', **keys)
    assert "bind as *** refused" in failed["msg"]
    assert SECRET not in str(result) + str(failed)
    assert SECRET not in (anna.state / "manifests" / "data.jsonl").read_text()
    assert anna.verify(level="proven", checks={"data": [check, ""]})["verifications"][0]["level"] == "proven"


def test_without_a_restore_command_the_plan_says_that_it_is_put_back_by_hand(anna: Anna) -> None:
    record_of(back_up(anna))
    for check_mode in (True, False):
        refused = anna.restore(target=None, in_place=True, _ansible_check_mode=check_mode)
        assert refused["restore"]["reason"] == "engine_failed", refused
        assert "data names no restore command. Nothing was done." in refused["msg"]
    planned = anna.restore(target=None, in_place=True, definition=custom(restore="true"), _ansible_check_mode=True)
    assert planned["changed"], planned


def effects_of(anna: Anna) -> Effects:
    return Effects(State(str(anna.state)), [], None, lambda: None, lambda: 20.0, lambda text: text)


def test_it_is_put_back_by_its_restore_command(anna: Anna) -> None:
    copy = anna.root / "copy"
    copy.mkdir()
    (copy / "dump.ldif").write_text("hello")
    live = anna.root / "live"
    restore = f'cat "$ROUNDSMAN_COPY/dump.ldif" > "{live}"; echo "$LDAP_PASSWORD" >> "{live}"'
    source = CustomSource(custom(restore=restore, environment={"LDAP_PASSWORD": SECRET}))
    assert source.put_back(str(copy), {}, effects_of(anna)) == ["the restore command of data ended well"]
    assert live.read_text().startswith(f"hello{SECRET}")
    with pytest.raises(BackupError, match="ended with 4"):
        CustomSource(custom(restore="exit 4")).put_back(str(copy), {}, effects_of(anna))


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"dump": None}, "dump must be given"),
        ({"dump": []}, "dump must be a command"),
        ({"dump": ["a", 1]}, "dump must be a command"),
        ({"check": " "}, "check must be a command"),
        ({"restore": {"a": 1}}, "restore must be a command"),
        ({"into": "a/b"}, "into must be the name of a file"),
        ({"into": ".."}, "into must be the name of a file"),
        ({"size": "large"}, "size must be text such as"),
        ({"size": 5}, "size must be text such as"),
        ({"environment": ["A=b"]}, "environment must be a dictionary"),
        ({"environment": {"A": ["b"]}}, "environment must be a dictionary"),
        ({"user": 5}, "user must be text"),
    ],
)
def test_faults_of_definitions(keys: dict[str, Any], fault: str) -> None:
    (found,) = registry.faults([custom(**keys)])
    assert found.startswith(f"source data: {fault}")
    assert registry.faults([custom(size="1.5GiB", check=["true"], user="ldap", environment={"A": 1})]) == []
