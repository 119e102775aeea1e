"""What the store knows of a host, as recommendations see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .insight.advice import HostEvidence
from .insight.baseline import baseline, unusual
from .insight.forecast import Forecast, forecast
from .insight.freshness import Missing
from .store import Transaction, history, snapshots

LEARNT_FROM = timedelta(days=42)
FULL = 100.0

Key = tuple[str, str]  # check, label of performance data
Result = Mapping[str, Any]


def evidence_of(
    tx: Transaction, host: str, results: Sequence[Result], missing: Sequence[Missing], now: datetime
) -> HostEvidence:
    """All that rules want to know about a host whose newest `results` these are."""
    return HostEvidence(
        host=host,
        results=results,
        forecasts=dict(_forecasts(tx, host, results, now)),
        unusual=dict(_unusual(tx, host, results, now)),
        snapshots=snapshots.held(tx, [host]),
        missing=missing,
    )


def _forecasts(tx: Transaction, host: str, results: Sequence[Result], now: datetime) -> Iterator[tuple[Key, Forecast]]:
    """Of every mount: the value of a check is that of the fullest, which is not always the same one."""
    filesystems = {result["id"] for result in results if result["type"] == "filesystem"}
    for one in history.series(tx, host):
        if one["check"] in filesystems and one["label"] and one["unit"] == "%":
            points = history.points(tx, host, one["check"], one["label"], now - LEARNT_FROM, until=now)
            found = forecast(points, FULL, now)
            if found is not None:
                yield (one["check"], one["label"]), found


def _unusual(tx: Transaction, host: str, results: Sequence[Result], now: datetime) -> Iterator[tuple[Key, str]]:
    for result in results:
        usually = baseline(history.points(tx, host, result["id"], "", now - LEARNT_FROM, until=now), UTC)
        if usually is not None and result["value"] is not None:
            said = unusual(float(result["value"]), usually.at(now))
            if said:
                yield (result["id"], ""), said
