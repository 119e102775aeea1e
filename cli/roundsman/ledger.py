"""Reads ledger files into the store, idempotently: each record is taken exactly once, whatever was killed when.

A record, what follows from it, and the position after it commit together. The file format is docs/records.md's.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from .alerting import measure, settled, states_of
from .alerts.events import events_of, run_check, unconcluded
from .explained import explain, explained_no_more
from .store import Store, Transaction, apart, history, hosts, objectives, runs, silences, snapshots
from .times import moment, stamp

# The plugins ask after dead runs of this controller in the same way, before a lease is taken over.
FLOCKS = "ansible_collections.roundsman.fleet.plugins.module_utils.flocks"
FORMAT_VERSION = 1
RECORDS_PER_TRANSACTION = 200
KEEP_READ_LEDGERS = timedelta(days=30)

Entry = dict[str, Any]


@contextmanager
def run_lock(ledger_dir: Path, run_id: str) -> Iterator[None]:
    """Held while this process works for the run; readers then know that it is not over."""
    ledger_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = import_module(FLOCKS).hold(ledger_dir / f"{run_id}.lock", fcntl.LOCK_SH)
    try:
        yield
    finally:
        os.close(descriptor)


def is_alive(ledger_dir: Path, run_id: str) -> bool:
    """Whether any process of the run (CLI, Ansible or one of its workers) still lives."""
    try:
        return bool(import_module(FLOCKS).is_held(ledger_dir / f"{run_id}.lock"))
    except FileNotFoundError:
        return False


def catch_up(store: Store, ledger_dir: Path, now: datetime) -> list[Entry]:
    """Read all that runs have written since the last time, and close the runs of which nobody lives any more."""
    with store.read() as tx:
        read_to = {row["id"]: row["offset_bytes"] for row in runs.closed(tx)}
    read: list[Entry] = []
    # Only runs with files here: those of another controller on the same store are for it to read and to close.
    for run_id in _runs_in(ledger_dir):
        if run_id in read_to and _size(ledger_dir / f"{run_id}.jsonl") <= read_to[run_id]:
            continue
        # Asked before reading: whoever lives now may still write; whoever is dead has written all it could.
        alive = is_alive(ledger_dir, run_id)
        read += ingest(store, ledger_dir / f"{run_id}.jsonl", now)
        if not alive:
            _close_if_dead(store, ledger_dir, run_id, now)
    return read


def ingest(store: Store, path: Path, now: datetime) -> list[Entry]:
    """Take a file's new whole lines into the store. A missing file has none."""
    read: list[Entry] = []
    while True:
        with store.write() as tx:
            run = runs.get(tx, path.stem)
            seq, start = (run["seq"], run["offset_bytes"]) if run else (0, 0)
            lines, end = _whole_lines(path, start)
            if not lines:
                break
            parsed = [record for line in lines if (record := _parse(line, path.stem))]
            records = [record for record in parsed if record["seq"] > seq]
            for record in records:
                _take_or_set_aside(tx, record, now)
            runs.update(tx, path.stem, seq=records[-1]["seq"] if records else seq, offset_bytes=end)
        read += records
        if not records and run is None:
            break
    return read


def forget_read_ledgers(store: Store, ledger_dir: Path, now: datetime) -> None:
    """Delete ledgers that were read to their end long ago; the store holds all that they said."""
    for path in ledger_dir.glob("*.jsonl"):
        # Another command may do the same at this moment.
        with contextlib.suppress(FileNotFoundError):
            if now.timestamp() - path.stat().st_mtime < KEEP_READ_LEDGERS.total_seconds():
                continue
            with store.read() as tx:
                run = runs.get(tx, path.stem)
            if run is not None and run["closed"] and run["offset_bytes"] >= path.stat().st_size:
                path.unlink()


def _whole_lines(path: Path, start: int) -> tuple[list[bytes], int]:
    """At most RECORDS_PER_TRANSACTION lines that end in a newline, and where the next one starts."""
    lines: list[bytes] = []
    end = start
    try:
        with path.open("rb") as file:
            file.seek(start)
            for line in file:
                if not line.endswith(b"\n") or len(lines) == RECORDS_PER_TRANSACTION or _is_newer(line):
                    break
                lines.append(line)
                end += len(line)
    except FileNotFoundError:
        pass
    return lines, end


def _parse(line: bytes, run_id: str) -> Entry | None:
    """A record, or None for what a power loss or a stray copy leaves: zeros, halves of lines, other runs' records."""
    try:
        record = json.loads(line, parse_constant=lambda _: None)
    except ValueError:
        return None
    if not isinstance(record, dict) or record.get("v") != FORMAT_VERSION or record.get("run") != run_id:
        return None
    whole = isinstance(record.get("seq"), int) and isinstance(record.get("kind"), str) and "time" in record
    return _printable(record) if whole else None


def _is_newer(line: bytes) -> bool:
    """Whether a newer Roundsman wrote this: it is left for one that understands it."""
    try:
        version = json.loads(line)["v"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(version, int) and version > FORMAT_VERSION


def _printable(value: Any) -> Any:
    r"""The value without lone surrogates, which no database or message takes: they become text like `\udcff`."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case dict():
            return {_printable(key): _printable(item) for key, item in value.items()}
        case list():
            return [_printable(item) for item in value]
    return value


def _runs_in(ledger_dir: Path) -> list[str]:
    return sorted({path.stem for path in ledger_dir.glob("*") if path.suffix in (".jsonl", ".lock")})


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _take_or_set_aside(tx: Transaction, entry: Entry, now: datetime) -> None:
    """One record that cannot be understood must not keep all others from being read, for ever after."""
    try:
        with apart(tx):
            _take(tx, entry, now)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        with tx.begin_nested():
            said = f"record {entry['seq']} could not be understood and is only kept: {type(error).__name__}: {error}"
            _registered(tx, entry)
            runs.add_entry(tx, entry)
            runs.update(tx, entry["run"], message=said)


def _registered(tx: Transaction, entry: Entry) -> Mapping[str, Any]:
    """The record's run; one that nobody registered is of plain ansible-playbook."""
    run = runs.get(tx, entry["run"])
    if run is None:
        data = entry.get("data") or {}
        runs.register(
            tx, entry["run"], command="ansible-playbook", playbook=data.get("playbook", ""),
            pattern=data.get("pattern", ""), check_mode=data.get("check_mode", False), started_at=entry["time"],
        )  # fmt: skip
        run = runs.get(tx, entry["run"])
        assert run is not None  # noqa: S101
    return run


def _take(tx: Transaction, entry: Entry, now: datetime) -> None:
    run_id, kind, data = entry["run"], entry["kind"], entry.get("data", {})
    run = _registered(tx, entry)
    if kind == "run_started":
        runs.update(tx, run_id, hosts=data["hosts"], playbook=data["playbook"], check_mode=data["check_mode"])
    elif kind == "run_finished":
        runs.update(tx, run_id, status="finished", finished_at=entry["time"], stats=data["stats"])
    runs.add_entry(tx, entry)
    if not run["check_mode"]:
        _note_evidence(tx, entry)
        if kind == "maintenance_begun":
            explain(tx, entry)
        elif kind == "maintenance":
            explained_no_more(tx, entry)
        if kind == "run_finished" and _backs_up_everything(run):
            for host in _went_through(data["stats"]):
                objectives.forget_others(tx, run_id, host)
        _judge(tx, entry, run, now)


def _backs_up_everything(run: Mapping[str, Any]) -> bool:
    """A playbook of one's own, run by ansible-playbook, may back up some sources only."""
    return run["command"].startswith("roundsman ") and run_check(run["playbook"]) in ("run:backup", "run:rounds")


def _went_through(stats: Mapping[str, Mapping[str, int]]) -> list[str]:
    return [host for host, one in stats.items() if one["ok"] and not one["failures"] and not one["unreachable"]]


def _note_evidence(tx: Transaction, entry: Entry) -> None:
    host, data = entry.get("host"), entry.get("data", {})
    if host is None:
        return
    if entry["kind"] == "health":
        history.record(tx, host, moment(entry["time"]), data.get("checks", []))
    if entry["kind"] in ("health", "unreachable") and "routing" in data:
        said = data["routing"]
        hosts.note(tx, host, said["labels"], said["depends_on"], entry["time"], said["address"])
    if entry["kind"] == "backup" and "backup" in data:
        snapshots.record_backup(tx, host, data["backup"])
        objectives.note_plan(tx, entry["run"], host, data["backup"], entry["time"])
    if entry["kind"] == "inventory":
        snapshots.record_inventory(tx, host, data["inventory"])
        for source, plan in data["inventory"]["plans"].items():
            objectives.note_plan(tx, entry["run"], host, {"source": source, "plan": plan}, entry["time"])
    for verification in data.get("verifications", []):
        snapshots.record_verification(tx, entry["run"], host, verification)
    if entry["kind"] == "prune" and "prune" in data:
        if entry["ok"]:
            snapshots.remove(tx, host, data["prune"]["source"], [gone["id"] for gone in data["prune"]["remove"]])
        objectives.note_prune(tx, host, data["prune"], entry["time"] if entry["ok"] else None)


def _judge(tx: Transaction, entry: Entry, run: Mapping[str, Any], now: datetime) -> None:
    host = entry.get("host")
    if host is not None:
        states = states_of(tx, host)
        measure(tx, states, settled(tx, host, events_of(entry, states, run["playbook"]), now), now)
        return
    for event in events_of(entry, {}, run["playbook"]):
        measure(tx, states_of(tx, event.host), [event], now)


def _close_if_dead(store: Store, ledger_dir: Path, run_id: str, now: datetime) -> None:
    """Close it under its lock: a run that begins at this moment waits, and then opens a lock file of its own."""
    lock = ledger_dir / f"{run_id}.lock"
    try:
        descriptor = import_module(FLOCKS).hold(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # It began since it was asked for, or another command closes it.
        return
    try:
        _close(store, ledger_dir, run_id, now)
        lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _close(store: Store, ledger_dir: Path, run_id: str, now: datetime) -> None:
    """Nobody of the run lives: what has no end was interrupted."""
    with store.write() as tx:
        run = runs.get(tx, run_id)
        if run is None:
            # Not one whole line was written: the run died before it did anything.
            if _size(ledger_dir / f"{run_id}.jsonl") == 0:
                (ledger_dir / f"{run_id}.jsonl").unlink(missing_ok=True)
        elif not run["closed"]:
            if run["status"] == "running":
                runs.update(
                    tx, run_id, status="interrupted", finished_at=stamp(now),
                    message="its process ended before the run did; what it had written is recorded",
                )  # fmt: skip
            runs.update(tx, run_id, closed=True)
            silences.end_run(tx, run_id, now)
            for lost in unconcluded([{**one, "run": run_id} for one in runs.entries_of(tx, run_id)]):
                measure(tx, states_of(tx, lost.host), [lost], now)


