"""Ledger entries in the words of docs/records.md, with a cast: web1 is well, web3 is not, db2 cannot be reached."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

RUN = "20261123T020000Z-00beef"
SHA = "ab" * 32


class Run:
    """Builds one run's ledger, line by line."""

    def __init__(
        self,
        run_id: str = RUN,
        *,
        check_mode: bool = False,
        hosts: tuple[str, ...] = ("web1", "web3", "db2"),
        start: str = "2026-11-23T02:00",
    ):
        self.id = run_id
        self._start = start
        self._seq = count(1)
        self.lines: list[str] = []
        started = {"playbook": "rounds.yml", "pattern": "all", "check_mode": check_mode, "hosts": list(hosts)}
        self.add("run_started", data={**started, "controller": "ctl", "pid": 1})

    def add(self, kind: str, **fields: Any) -> Run:
        seq = next(self._seq)
        record = {
            "v": 1,
            "run": self.id,
            "seq": seq,
            "time": f"{self._start}:{seq:02d}.000Z",
            "kind": kind,
            **fields,
        }
        self.lines.append(json.dumps(record) + "\n")
        return self

    def health(self, host: str, **statuses: str) -> Run:
        checks = [check(name, status) for name, status in statuses.items()]
        return self.add("health", host=host, ok=True, changed=False, data={"checks": checks, "worst": "OK"})

    def unreachable(self, host: str) -> Run:
        return self.add("unreachable", host=host, ok=False, changed=False, msg="timed out", data={"task": "health"})

    def backup(self, host: str, snapshot: str | None, held: tuple[str, ...] = (), reason: str | None = None) -> Run:
        snapshots = [
            {"id": one, "time": "2026-11-23T02:00:00Z", "manifest_sha256": SHA, "complete": True} for one in held
        ]
        record = {
            "source": "etc", "type": "files", "host": host, "repository": "/var/backups/roundsman",
            "snapshot": snapshot,
            "files": 3, "total_bytes": 300, "added_bytes": 30, "duration_s": 0.5, "reason": reason,
        }  # fmt: skip
        if snapshot:
            record["snapshots"] = snapshots
        ok = reason is None
        return self.add("backup", host=host, item="etc", ok=ok, changed=ok, msg=reason or "", data={"backup": record})

    def verify(self, host: str, snapshot: str, level: str | None, failed: str | None = None) -> Run:
        found = {
            "source": "etc", "snapshot": snapshot, "wanted": "restored", "level": level, "failed_level": failed,
            "outcome": "damaged" if failed else "ok", "message": "", "restore_s": None if failed else 1.5,
            "entries": 3, "time": "2026-11-23T02:01:00.000Z",
        }  # fmt: skip
        return self.add("verify", host=host, ok=not failed, changed=False, data={"verifications": [found]})

    def finish(self, **stats: dict[str, int]) -> Run:
        zero = {"ok": 1, "changed": 0, "failures": 0, "unreachable": 0, "skipped": 0, "rescued": 0, "ignored": 0}
        return self.add("run_finished", data={"stats": {host: zero | values for host, values in stats.items()}})

    def write(self, directory: Path, *, upto: int | None = None) -> Path:
        """The ledger file, or its first `upto` bytes: what a crash left."""
        directory.mkdir(exist_ok=True)
        path = directory / f"{self.id}.jsonl"
        path.write_bytes("".join(self.lines).encode()[:upto])
        return path


def check(name: str, status: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name, "type": name, "target": "/", "status": status, "value": 97.0, "unit": "%", "warn": "80",
        "crit": "95",
        "message": f"{name} is {status}", "remedy": None, "perfdata": "", "duration_s": 0.1, **more,
    }  # fmt: skip


def a_round() -> Run:
    """web1 is well and backed up, web3's disk is full and its backup is damaged, db2 does not answer."""
    return (
        Run()
        .health("web1", disk="OK", load="OK")
        .health("web3", disk="CRITICAL", load="WARNING")
        .unreachable("db2")
        .backup("web1", "a" * 64, held=("a" * 64,))
        .backup("web3", "b" * 64, held=("9" * 64, "b" * 64))
        .verify("web1", "a" * 64, "restored")
        .verify("web3", "b" * 64, "stored", failed="read")
        .finish(web1={}, web3={"failures": 1}, db2={"ok": 0, "unreachable": 1})
    )
