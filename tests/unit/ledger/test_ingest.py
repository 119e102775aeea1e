"""Ledgers become records exactly once, whatever was killed when."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ansible_collections.roundsman.fleet.plugins.plugin_utils.ledger_file import LedgerFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roundsman import ledger
from roundsman.store import Store, alerts, hosts, outbox, runs, schema, snapshots
from roundsman.watching import watch

from .builders import RUN, Run, a_round, check
from .team import tell_team

NOW = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
VERIFIED = {
    "source": "etc", "snapshot": "a1", "wanted": "restored", "level": "restored", "failed_level": None,
    "outcome": "ok", "message": "", "restore_s": 1.5, "entries": 3, "time": "2026-11-23T02:01:00.000Z",
}  # fmt: skip


def catch_up(store: Store, directory: Path, now: datetime = NOW) -> None:
    ledger.catch_up(store, directory, now)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/store.db")


def everything(store: Store) -> dict[str, list[dict[str, Any]]]:
    """All that the store holds, except ids that only count."""
    kept = {}
    with store.read() as tx:
        for table in schema.metadata.sorted_tables:
            rows = [dict(row) for row in tx.execute(sa.select(table)).mappings()]
            kept[table.name] = [
                {key: value for key, value in row.items() if key != "id" or table.name == "runs"} for row in rows
            ]
    return kept


def status_of(store: Store) -> str:
    with store.read() as tx:
        run = runs.get(tx, RUN)
    assert run is not None
    return str(run["status"])


def test_a_whole_round_is_recorded(store: Store, tmp_path: Path) -> None:
    a_round().write(tmp_path / "ledger")
    catch_up(store, tmp_path / "ledger")
    tell_team(store, NOW)

    with store.read() as tx:
        run = runs.get(tx, RUN)
        held = snapshots.held(tx)
        states = {(state["host"], state["check"]): state["status"] for state in alerts.listed(tx)}
        waiting = outbox.waiting(tx)
    assert run is not None
    assert (run["status"], run["closed"], run["hosts"]) == ("finished", True, ["web1", "web3", "db2"])
    assert [(one["host"], one["id"][0], one["level"], one["failed_level"]) for one in held] == [
        ("web1", "a", "restored", None),
        ("web3", "9", None, None),
        ("web3", "b", "stored", "read"),
    ]
    assert states == {
        ("web3", "disk"): "CRITICAL",
        ("web3", "load"): "WARNING",
        ("web3", "verify:etc"): "CRITICAL",
        ("db2", "reachable"): "CRITICAL",
    }
    assert {row["group_key"] for row in waiting} == {'{}:{host="web3"}', '{}:{host="db2"}'}


def test_reading_twice_changes_nothing(store: Store, tmp_path: Path) -> None:
    a_round().write(tmp_path / "ledger")
    catch_up(store, tmp_path / "ledger")
    once = everything(store)
    catch_up(store, tmp_path / "ledger", NOW + timedelta(hours=1))
    assert everything(store) == once


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 6000), max_size=4))
def test_however_often_it_is_cut_the_records_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    """The file grows between readings and is cut anywhere, in the middle of lines, too."""
    whole = Store(f"sqlite:///{tmp_path_factory.mktemp('whole')}/store.db")
    pieces = Store(f"sqlite:///{tmp_path_factory.mktemp('pieces')}/store.db")
    directory = tmp_path_factory.mktemp("ledger")
    for cut in sorted(cuts):
        ledger.ingest(pieces, a_round().write(directory, upto=cut), NOW)
    a_round().write(directory)
    catch_up(pieces, directory)
    catch_up(whole, directory)
    assert everything(pieces) == everything(whole)


def test_a_run_that_died_is_interrupted_and_keeps_what_it_wrote(store: Store, tmp_path: Path) -> None:
    whole = "".join(a_round().lines).encode()
    a_round().write(tmp_path / "ledger", upto=len(whole) - 40)
    catch_up(store, tmp_path / "ledger")
    assert status_of(store) == "interrupted"
    with store.read() as tx:
        assert [entry["seq"] for entry in runs.entries_of(tx, RUN)] == list(range(1, 9))


def test_a_run_that_lives_is_left_alone(store: Store, tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    Run().health("web1", disk="OK").write(directory)
    with ledger.run_lock(directory, RUN):
        catch_up(store, directory)
        assert status_of(store) == "running"
    catch_up(store, directory)
    assert status_of(store) == "interrupted"


def test_a_forked_worker_keeps_the_run_alive(store: Store, tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    Run().write(directory)
    with ledger.run_lock(directory, RUN):
        ready, go_on = os.pipe(), os.pipe()
        if (worker := os.fork()) == 0:
            os.write(ready[1], b".")
            os.read(go_on[0], 1)
            os._exit(0)
        os.read(ready[0], 1)
    catch_up(store, directory)
    assert status_of(store) == "running"
    os.write(go_on[1], b".")
    os.waitpid(worker, 0)
    catch_up(store, directory)
    assert status_of(store) == "interrupted"


@pytest.mark.parametrize("garbage", [b"\0" * 512 + b"\n", b"not json\n", b'{"v": 1, "seq": 1}\n', b"[]\n"])
def test_what_a_power_loss_left_is_stepped_over(store: Store, tmp_path: Path, garbage: bytes) -> None:
    run = Run().health("web1", disk="CRITICAL").finish(web1={})
    path = run.write(tmp_path / "ledger")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + garbage + b"".join(lines[1:]))
    catch_up(store, tmp_path / "ledger")
    assert status_of(store) == "finished"


def test_check_mode_is_recorded_and_raises_no_alert(store: Store, tmp_path: Path) -> None:
    Run(check_mode=True).health("web1", disk="CRITICAL").backup("web1", None, reason="source_missing").write(
        tmp_path / "ledger"
    )
    catch_up(store, tmp_path / "ledger")
    with store.read() as tx:
        assert len(runs.entries_of(tx, RUN)) == 3
        assert alerts.listed(tx) == []


def test_a_snapshot_whose_record_was_lost_is_adopted_and_a_pruned_one_is_gone(store: Store, tmp_path: Path) -> None:
    first, second = "1" * 64, "2" * 64
    Run("20261123T010000Z-000001").backup("web1", first, held=("0" * 64, first)).write(tmp_path / "ledger")
    # The run that made `second` was killed before it could record it; the next one sees it in the repository.
    Run("20261123T030000Z-000002").backup("web1", "3" * 64, held=(first, second, "3" * 64)).write(tmp_path / "ledger")
    catch_up(store, tmp_path / "ledger")
    with store.read() as tx:
        held = {one["id"][0]: one["backup"] is not None for one in snapshots.held(tx)}
    assert held == {"1": True, "2": False, "3": True}


def test_a_failed_look_takes_no_evidence_away(store: Store, tmp_path: Path) -> None:
    run = Run().backup("web1", "a" * 64, held=("a" * 64,)).verify("web1", "a" * 64, "restored")
    unknown = {"source": "etc", "snapshot": "a" * 64, "wanted": "restored", "level": None, "failed_level": "stored",
               "outcome": "unknown", "message": "locked", "time": "2026-11-23T03:00:00.000Z"}  # fmt: skip
    run.add("verify", host="web1", ok=False, changed=False, data={"verifications": [unknown]}).write(
        tmp_path / "ledger"
    )
    catch_up(store, tmp_path / "ledger")
    with store.read() as tx:
        (held,) = snapshots.held(tx)
    assert (held["level"], held["failed_level"]) == ("restored", None)


def test_old_ledgers_go_once_they_are_read(store: Store, tmp_path: Path) -> None:
    path = a_round().write(tmp_path / "ledger")
    later = datetime.now(UTC) + timedelta(days=31)
    ledger.forget_read_ledgers(store, tmp_path / "ledger", later)
    assert path.exists(), "nobody has read it yet"
    catch_up(store, tmp_path / "ledger")
    ledger.forget_read_ledgers(store, tmp_path / "ledger", later)
    assert not path.exists()


def test_a_locked_store_says_so_and_loses_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from roundsman.store import StoreError, database

    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    impatient = Store(f"sqlite:///{tmp_path}/store.db")
    a_round().write(tmp_path / "ledger")
    with store.write(), pytest.raises(StoreError, match="Nothing is lost"):
        catch_up(impatient, tmp_path / "ledger")
    catch_up(impatient, tmp_path / "ledger")
    assert status_of(impatient) == "finished"


def test_the_lock_of_a_dead_run_is_free(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    with ledger.run_lock(directory, RUN):
        assert ledger.is_alive(directory, RUN)
    assert not ledger.is_alive(directory, RUN)
    with (directory / f"{RUN}.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("begin", ["run_lock", "LedgerFile"])
def test_a_run_whose_lock_file_goes_while_it_takes_it_lives_all_the_same(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin: str
) -> None:
    """Another command looks between the opening of the file and the lock on it, and finds nobody."""
    directory, flock = tmp_path / "ledger", fcntl.flock

    def flock_too_late(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        catch_up(store, directory)
        assert not (directory / f"{RUN}.lock").exists()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock_too_late)
    with ExitStack() as stack:
        if begin == "run_lock":
            stack.enter_context(ledger.run_lock(directory, RUN))
        else:
            stack.callback(LedgerFile(str(directory), RUN).close)
        Run().write(directory)
        catch_up(store, directory)
        assert status_of(store) == "running"
        assert ledger.is_alive(directory, RUN)


def test_a_run_that_began_since_it_was_asked_for_is_not_closed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "ledger"
    Run().write(directory)
    with ledger.run_lock(directory, RUN):
        monkeypatch.setattr(ledger, "is_alive", lambda *_: False)
        catch_up(store, directory)
        assert status_of(store) == "running"
        monkeypatch.undo()
        assert ledger.is_alive(directory, RUN)
    catch_up(store, directory)
    assert status_of(store) == "interrupted"
    assert not (directory / f"{RUN}.lock").exists()


def test_runs_of_another_controller_on_the_same_store_are_left_alone(store: Store, tmp_path: Path) -> None:
    Run().write(tmp_path / "here")
    with ledger.run_lock(tmp_path / "here", RUN):
        catch_up(store, tmp_path / "here")
        catch_up(store, tmp_path / "elsewhere")
        assert status_of(store) == "running"


def test_what_is_written_after_a_run_was_given_up_is_read_all_the_same(store: Store, tmp_path: Path) -> None:
    run = Run()
    run.write(tmp_path / "ledger")
    catch_up(store, tmp_path / "ledger")
    assert status_of(store) == "interrupted"
    run.health("web1", disk="CRITICAL").finish(web1={}).write(tmp_path / "ledger")
    catch_up(store, tmp_path / "ledger")
    assert status_of(store) == "finished"
    with store.read() as tx:
        assert [state["check"] for state in alerts.listed(tx)] == ["disk"]


def test_a_stray_copy_of_a_ledger_is_not_read_as_a_run(store: Store, tmp_path: Path) -> None:
    path = a_round().write(tmp_path / "ledger")
    (tmp_path / "ledger/copy.jsonl").write_bytes(path.read_bytes())
    catch_up(store, tmp_path / "ledger")
    catch_up(store, tmp_path / "ledger")
    with store.read() as tx:
        assert [run["id"] for run in runs.newest(tx, 10)] == [RUN]


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "health", "data": {"checks": [{"id": "disk", "status": "FINE", "message": ""}]}},
        {"kind": "health", "data": {"checks": [{}]}},
        {"kind": "verify", "data": {"verifications": [{"outcome": "ok"}]}},
        {"kind": "backup", "data": {"backup": {"snapshots": [{}]}}},
        {"kind": "health", "data": {"checks": [{"id": "disk", "status": "CRITICAL", "message": 5}]}},
        *(
            {"kind": "verify", "data": {"verifications": [VERIFIED | odd]}}
            for odd in ({"source": ["etc"]}, {"failed_level": {}}, {"message": 10**30}, {"restore_s": []})
        ),
        {"kind": "run_finished", "data": {}},
    ],
)
def test_a_record_that_makes_no_sense_is_kept_and_the_others_are_read(
    store: Store, tmp_path: Path, fields: dict[str, Any]
) -> None:
    Run().add(host="web1", ok=True, changed=False, **fields).health("web3", disk="CRITICAL").write(tmp_path / "ledger")
    catch_up(store, tmp_path / "ledger")
    with store.read() as tx:
        assert [state["host"] for state in alerts.listed(tx)] == ["web3"]
        assert len(runs.entries_of(tx, RUN)) == 3


def test_names_that_are_not_utf8_reach_store_and_messages(store: Store, tmp_path: Path) -> None:
    bad = check("disk", "CRITICAL") | {"message": os.fsdecode(b"/srv/caf\xe9 is full")}
    good = check("disk", "OK") | {"message": os.fsdecode(b"/srv/caf\xe9 is fine")}
    run = Run().add("health", host="web1", ok=True, changed=False, data={"checks": [bad]})
    run.add("health", host="web1", ok=True, changed=False, data={"checks": [good]}).write(tmp_path / "ledger")
    catch_up(store, tmp_path / "ledger")
    with store.read() as tx:
        (state,) = alerts.listed(tx, resolved=True)
    assert state["message"] == r"/srv/caf\udce9 is fine"


def test_what_a_newer_roundsman_wrote_is_left_for_it(store: Store, tmp_path: Path) -> None:
    path = Run().health("web1", disk="CRITICAL").write(tmp_path / "ledger")
    path.write_bytes(path.read_bytes().replace(b'"v": 1', b'"v": 2'))
    catch_up(store, tmp_path / "ledger")
    assert path.exists()
    path.write_bytes(path.read_bytes().replace(b'"v": 2', b'"v": 1'))
    catch_up(store, tmp_path / "ledger")
    assert status_of(store) == "interrupted"


def test_a_backup_that_failed_early_says_nothing_about_the_repository(store: Store, tmp_path: Path) -> None:
    run = Run().backup("web1", "a" * 64, held=("a" * 64,))
    early = {"source": "etc", "repository": "/var/backups/roundsman", "snapshot": None, "snapshots": []}
    early["reason"] = "source_missing"
    run.add("backup", host="web1", ok=False, changed=False, msg="gone", data={"backup": early})
    run.write(tmp_path / "ledger")
    catch_up(store, tmp_path / "ledger")
    with store.read() as tx:
        assert len(snapshots.held(tx)) == 1


def test_an_unreachable_host_tells_what_it_is_routed_by_and_one_that_cannot_leaves_it(
    store: Store, tmp_path: Path
) -> None:
    routing = {"labels": {"team": "db"}, "depends_on": ["bastion"], "address": "198.51.100.7"}
    run = Run().add("unreachable", host="db2", ok=False, changed=False, data={"task": "look", "routing": routing})
    run.add("unreachable", host="db2", ok=False, changed=False, data={"task": "look"})
    ledger.ingest(store, run.write(tmp_path / "ledger"), NOW)
    with store.read() as tx:
        (known,) = hosts.every(tx)
    assert {key: known[key] for key in routing} == routing


def test_a_sweep_of_next_year_does_not_stand_for_all_until_then(store: Store, tmp_path: Path) -> None:
    Run(start="2027-11-23T02:00").health("web1", disk="OK").write(tmp_path / "ledger")
    catch_up(store, tmp_path / "ledger")
    with store.write() as tx:
        watch(tx, NOW, timedelta(hours=1))
        assert [state["check"] for state in alerts.listed(tx)] == ["rounds"]
