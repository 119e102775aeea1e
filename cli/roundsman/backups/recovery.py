"""What a restore would do, in words, before anybody agrees to it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from ..times import moment, span, stamp
from ..words import counted, size

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_AGO = re.compile(r"(\d+)\s*(min|h|d|w)(?:\s+ago)?")
# As much as hosts allow each other before they distrust a clock.
CLOCK_TOLERANCE = timedelta(seconds=300)
_UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def time_meant(text: str, now: datetime) -> str:
    """A person's time as the records write it: RFC 3339, a day (its end), a minute, or `2d` ago; UTC unless it says.

    Raises ValueError.
    """
    if ago := _AGO.fullmatch(text.strip()):
        return stamp(now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
    try:
        meant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError("is no time like 2026-11-24, '2026-11-24 12:00', 2026-11-24T12:00:00Z or 2d") from None
    if _DAY.fullmatch(text.strip()):
        meant += timedelta(days=1, milliseconds=-1)
    return stamp(meant if meant.tzinfo else meant.replace(tzinfo=UTC))


@dataclass(frozen=True)
class Plan:
    """One source's part of a restore. `evidence` and `estimate_s` are None when nothing is known."""

    source: str
    snapshot: str
    made: str
    age_s: float
    evidence: str | None
    verified_at: str | None
    failed_level: str | None
    entries: int
    size_bytes: int
    estimate_s: float | None
    where: str
    target: str | None
    nothing_to_do: bool
    changes: Sequence[Mapping[str, str]]
    change_count: int | None
    extra_count: int
    extra: Sequence[str]
    stop: Sequence[str]
    gone: Sequence[str]
    obstacle: str | None
    unfinished: Mapping[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def plan(restore: Mapping[str, Any], known: Sequence[Mapping[str, Any]], now: datetime, *, nothing_to_do: bool) -> Plan:
    """From what the host said it would do, and the records of this source's snapshots."""
    own = next((row for row in known if row["id"] == restore["snapshot"]), None)
    return Plan(
        source=restore["source"],
        snapshot=restore["snapshot"],
        made=restore["time"],
        age_s=(now - moment(restore["time"])).total_seconds(),
        evidence=own["level"] if own else None,
        verified_at=own["verified_at"] if own else None,
        failed_level=own["failed_level"] if own else None,
        entries=restore["expected_entries"],
        size_bytes=restore["expected_bytes"],
        estimate_s=estimate_s(restore["expected_bytes"], known),
        where=restore["where"],
        target=restore["target"],
        nothing_to_do=nothing_to_do,
        changes=restore["changes"],
        change_count=restore["change_count"],
        extra_count=restore["extra_count"],
        extra=restore["extra"],
        stop=restore["stop"],
        gone=restore["gone"],
        obstacle=restore["obstacle"],
        unfinished=restore["unfinished"],
    )


def estimate_s(size_bytes: int, known: Sequence[Mapping[str, Any]]) -> float | None:
    """From measured restores of other snapshots of the source; a larger snapshot takes proportionally longer."""
    measured = []
    for row in known:
        if row["restore_s"] is not None:
            then_bytes = (row["backup"] or {}).get("total_bytes") or size_bytes
            measured.append(row["restore_s"] * max(1.0, size_bytes / max(1, then_bytes)))
    return median(measured) if measured else None


def told(one: Plan, now: datetime, *, delete: bool, safety: bool) -> list[tuple[str, str]]:
    """The plan as lines of (what, in words)."""
    lines = [
        ("source", f"{one.source}, snapshot {one.snapshot[:8]}"),
        ("made", f"{one.made[:19]}Z, {span(one.age_s)} ago: what was written since is not in it"),
        ("evidence", _evidence(one, now)),
        ("size", f"{counted(one.entries, 'entry')}, {size(one.size_bytes)}"),
        ("time", f"about {span(one.estimate_s)}, as restores of it took before" if one.estimate_s is not None
         else "not known: it was never restored so far"),
        ("to", f"{one.target} on {one.where}" if one.target else f"in place on {one.where}"),
    ]  # fmt: skip
    if one.nothing_to_do:
        return [*lines, ("does", "nothing: it is there already")]
    if one.unfinished:
        lines.append(("unfinished", _unfinished(one.unfinished)))
    return lines if one.target else lines + _in_place(one, delete=delete, safety=safety)


def _evidence(one: Plan, now: datetime) -> str:
    if one.failed_level:
        return f"FAILED at level {one.failed_level}: it may not come back whole"
    if not one.evidence or not one.verified_at:
        return "none: nobody has tried this snapshot yet"
    return f"{one.evidence}, {span((now - moment(one.verified_at)).total_seconds())} ago"


def _unfinished(left: Mapping[str, Any]) -> str:
    words = f"a restore of snapshot {left['snapshot'][:8]}, begun at {left['began_at'][:19]}Z, did not end well"
    words += f"; what was there before it is safety snapshot {left['safety'][:8]}" if left["safety"] else ""
    return words + ("; it had stopped " + ", ".join(left["stopped"]) if left["stopped"] else "")


def _in_place(one: Plan, *, delete: bool, safety: bool) -> list[tuple[str, str]]:
    lines = []
    if one.change_count is None:
        lines.append(("overwrites", "what the application holds now"))
    elif one.change_count == 0:
        lines.append(("overwrites", "nothing: what is there now equals the snapshot"))
    else:
        shown = [f"{change['path']} ({change['problem']})" for change in one.changes[:5]]
        more = one.change_count - len(shown)
        words = "; ".join(shown) + (f"; and {more} more" if more else "")
        lines.append(("overwrites", f"{counted(one.change_count, 'entry')}, changed or missing now: {words}"))
    if one.extra_count:
        fate = "deletes" if delete else "keeps"
        lines.append((fate, f"{counted(one.extra_count, 'entry')} that the snapshot does not know: "
                      + ", ".join(one.extra[:5]) + (", …" if one.extra_count > 5 else "")))  # fmt: skip
    if one.gone:
        lines.append(("gone", "; ".join(one.gone) + ": there is nothing of it to save"))
    lines.append(("before", "a safety snapshot of what is there now" if safety else "NO safety snapshot is made"))
    if one.obstacle:
        lines.append(("obstacle", f"that snapshot would fail, and nothing would be restored: {one.obstacle}"))
    if one.stop:
        lines.append(("stops", ", ".join(one.stop) + "; what ran is started again"))
    return lines


_NAME = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}")
_LOOKUP = re.compile(r"\{\{\s*(?:lookup|query)\([^{}]*\)\s*\}\}")


def password_reference(written: Any) -> str:
    """Where a host's repository password is, from what its inventory says; never the password itself."""
    variable = "roundsman_repository_password"
    if isinstance(written, str) and (_NAME.fullmatch(written) or _LOOKUP.fullmatch(written)):
        return f"{written} in the inventory ({variable})"
    if isinstance(written, Mapping) and "__ansible_vault" in written:
        return f"{variable} in the inventory, encrypted with ansible-vault"
    return f"the value of {variable} in the inventory" if written else f"{variable}, which the inventory does not set"


def for_runbook(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a runbook says of a snapshot that the records know."""
    made = row["backup"] or {}
    evidence = row["level"] or "none"
    if row["verified_at"]:
        evidence += f" at {row['verified_at'][:19]}Z"
    if row["failed_level"]:
        evidence += f", FAILED at {row['failed_level']}"
    return {
        "source": row["source"], "type": made.get("type", "files"), "snapshot": row["id"],
        "time": row["time"], "entries": made.get("manifest_entries", "?"), "size_bytes": made.get("total_bytes", "?"),
        "evidence": evidence, "restore_s": row["restore_s"],
    }  # fmt: skip


def future_last(rows: Sequence[Mapping[str, Any]], now: datetime) -> list[Mapping[str, Any]]:
    """In their order, but those that a wrong clock dated in the future are the newest of nothing."""
    latest = stamp(now + CLOCK_TOLERANCE)
    return sorted(rows, key=lambda row: bool(row["time"] > latest))


def best(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of each source the newest complete snapshot that nothing speaks against, else the newest complete one.

    `rows` come newest first, as `future_last` leaves them.
    """
    chosen: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        known = chosen.get(row["source"])
        if row["complete"] and (known is None or (known["failed_level"] and not row["failed_level"])):
            chosen[row["source"]] = row
    return [chosen[source] for source in sorted(chosen)]
