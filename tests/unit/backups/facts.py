"""Rows as the store has them, of one host with one source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from roundsman.times import stamp

NOW = datetime(2026, 11, 26, 2, tzinfo=UTC)


def ago(**span: float) -> str:
    return stamp(NOW - timedelta(**span))


def snapshot(host: str = "db1", source: str = "shop", **more: Any) -> dict[str, Any]:
    return {
        "host": host, "source": source, "id": "a" * 64, "time": ago(hours=5), "repository": "/r", "complete": True,
        "present": True, "level": "restored", "verified_at": ago(days=1), "failed_level": None, "restore_s": 12.0,
        "manifest_sha256": "0" * 64, "backup": {"total_bytes": 2048, "added_bytes": 10, "duration_s": 3.0},
        "hold": None, **more,
    }  # fmt: skip


def found(kind: str = "directory", name: str = "/srv/data", **more: Any) -> dict[str, Any]:
    return {
        "kind": kind, "name": name, "path": name, "port": None, "size_bytes": 10, "why": "", "problem": None,
        "remedy": None, "status": "gap", "sources": [], "reason": "no source saves it", **more,
    }  # fmt: skip


def looked(*findings: dict[str, Any], sources: Any = ({"id": "shop", "type": "files"},)) -> tuple[str, dict[str, Any]]:
    kinds = ["files", "postgresql", "sqlite"]
    return ago(hours=1), {"findings": list(findings), "sources": list(sources), "kinds": kinds, "duration_s": 1.0}
