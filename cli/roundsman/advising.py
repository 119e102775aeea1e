"""What the store knows of hosts, as recommendations see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .assurance import looks_of
from .backups.coverage import SAVEABLE, gaps
from .insight.advice import HostEvidence, is_amiss
from .insight.baseline import baseline, unusual
from .insight.forecast import Forecast, forecast, why_not
from .insight.freshness import Missing
from .insight.rules.space import INODES
from .perfdata import parse
from .store import Transaction, history, snapshots

LEARNT_FROM = timedelta(days=42)
WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
FULL = 100.0
# Reading weeks of history is most of the work, and what is emptier has time.
WORTH_A_FORECAST = 50.0

Key = tuple[str, str]  # check, label of performance data
Result = Mapping[str, Any]
Points = Sequence[tuple[datetime, float]]


def evidence_of(
    tx: Transaction,
    looked_at: Mapping[str, Sequence[Result]],
    now: datetime,
    missing: Mapping[str, Sequence[Missing]] | None = None,
) -> list[HostEvidence]:
    """All that rules want to know about hosts whose newest results these are; a few queries for a whole fleet."""
    hosts = list(looked_at)
    forecasts, unforeseen = _forecasts(tx, looked_at, now)
    usual = history.points_of(tx, history.values_of(hosts), _this_hour_of_the_week(now))
    known = snapshots.held(tx, hosts)
    held: dict[str, list[Mapping[str, Any]]] = {}
    for snapshot in known:
        held.setdefault(snapshot["host"], []).append(snapshot)
    uncovered: dict[str, list[str]] = {}
    for gap in gaps(hosts, looks_of(tx), known, now):
        if gap.status == "gap" and gap.kind in SAVEABLE:
            uncovered.setdefault(gap.host, []).append(gap.name)
    return [
        HostEvidence(
            host=host,
            results=results,
            forecasts=forecasts.get(host, {}),
            unforeseen=unforeseen.get(host, {}),
            unusual=dict(_unusual(host, results, usual, now)),
            snapshots=held.get(host, ()),
            missing=(missing or {}).get(host, ()),
            uncovered=uncovered.get(host, ()),
        )
        for host, results in looked_at.items()
    ]


def _forecasts(
    tx: Transaction, looked_at: Mapping[str, Sequence[Result]], now: datetime
) -> tuple[dict[str, dict[Key, Forecast]], dict[str, dict[Key, str]]]:
    """Of every mount that is half full: the value of a check is that of the fullest, which is not always the same.

    Also why some have none, where the check is amiss: others need no forecast.
    """
    mounts = [
        (host, result["id"], item.label)
        for host, results in looked_at.items()
        for result in results
        if result["type"] == "filesystem"
        for item in parse(result["perfdata"])
        if item.unit == "%" and item.value >= WORTH_A_FORECAST and not item.label.endswith(INODES)
    ]
    amiss = {(host, one["id"]) for host, results in looked_at.items() for one in results if is_amiss(one)}
    found: dict[str, dict[Key, Forecast]] = {}
    unforeseen: dict[str, dict[Key, str]] = {}
    for (host, check, label), points in history.points_of(
        tx, history.exactly(mounts), [(now - LEARNT_FROM, now)]
    ).items():
        if full := forecast(points, FULL, now):
            found.setdefault(host, {})[check, label] = full
        elif (host, check) in amiss and (reason := why_not(points, FULL, now)):
            unforeseen.setdefault(host, {})[check, label] = reason
    return found, unforeseen


def _unusual(
    host: str, results: Sequence[Result], points: Mapping[history.Measured, Points], now: datetime
) -> Iterator[tuple[Key, str]]:
    for result in results:
        measured = points.get((host, result["id"], ""))
        if not measured or result["value"] is None:
            continue
        usually = baseline(measured, UTC)
        said = unusual(float(result["value"]), usually.at(now)) if usually else None
        if said:
            yield (result["id"], ""), said


def _this_hour_of_the_week(now: datetime) -> list[tuple[datetime, datetime]]:
    """This hour and the ones beside it in every week that is learnt from: all that its baseline is made of."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    begins = [hour - HOUR - WEEK * weeks for weeks in range(LEARNT_FROM // WEEK, -1, -1)]
    return [(begin, min(begin + 3 * HOUR - timedelta(seconds=1), now)) for begin in begins]
