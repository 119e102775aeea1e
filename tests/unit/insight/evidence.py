"""Hosts as their newest results, snapshots and forecasts show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from roundsman.insight.forecast import Forecast

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
GIB = 1024**3


def result(kind: str, status: str = "OK", message: str = "…", **more: Any) -> dict[str, Any]:
    """A check result of docs/records.md."""
    return {
        "id": kind, "type": kind, "target": "", "status": status, "value": None, "unit": "", "message": message,
        "remedy": None, "perfdata": "", "details": {}, **more,
    }  # fmt: skip


def filesystem(status: str, **shares: float) -> dict[str, Any]:
    """Of mounts, `root` is /, `var` is /var, `var_inodes` are those."""
    data = []
    for name, share in shares.items():
        mount = "/" + name.removesuffix("_inodes").replace("root", "").replace("_", "/")
        data.append(f"'{mount}{' inodes' if name.endswith('_inodes') else ''}'={share}%;85;95;0;100")
        data.append(f"'{mount} used'=99999999999B;;;0;100000000000")
    return result("filesystem", status, "/var 97% used (crit 95%), 3.1 GiB free", perfdata=" ".join(data))


def fills(earliest: timedelta, latest: timedelta) -> Forecast:
    return Forecast(NOW + earliest, NOW + latest, 1.5)


def snapshot(age: timedelta = timedelta(hours=5), **more: Any) -> dict[str, Any]:
    """A row of the store's table of snapshots: one that was restored and compared."""
    return {
        "host": "db2", "source": "etc", "id": "ab" * 32, "time": (NOW - age).isoformat(), "complete": True,
        "level": "restored", "failed_level": None, **more,
    }  # fmt: skip
