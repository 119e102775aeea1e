"""What is saved by nobody, or was proven too long ago, the worst first; and the lines that close each gap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from roundsman.times import moment, span

Row = Mapping[str, Any]
Look = tuple[str, Row]  # when, what the coverage record holds

PATIENCE = timedelta(days=30)  # with a look, and with evidence where a source says neither `prove` nor `verify_every`
SEEN_RESTORED = ("restored", "proven")
DATABASES = ("postgresql", "mariadb", "redis", "sqlite")
SAVEABLE = (*DATABASES, "directory")
_HONEST = re.compile(r"[A-Za-z/_][A-Za-z0-9/_.-]*")
_NO_TEXT_IN_YAML = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}
_PORTS = {"postgresql": 5432, "mariadb": 3306, "redis": 6379}


@dataclass(frozen=True)
class Gap:
    """One thing that could not be got back, or of which nobody knows whether it could."""

    host: str
    status: str  # gap, unknown
    kind: str  # that of a finding, or host, source, evidence
    name: str
    size_bytes: int | None
    reason: str
    remedy: str | None
    fix: str | None = None  # a line for roundsman_backups

    @property
    def rank(self) -> tuple[int, int, str, str]:
        kinds = {"host": 0, **dict.fromkeys(DATABASES, 1), "source": 2, "directory": 3, "evidence": 4}
        return (kinds[self.kind] if self.status == "gap" else 5, -(self.size_bytes or 0), self.host, self.name)


def gaps(hosts: Iterable[str], looks: Mapping[str, Look], snapshots: Sequence[Row], now: datetime) -> list[Gap]:
    """Of these hosts, from their newest coverage records and all snapshots that repositories hold."""
    held = by_host(snapshots)
    found = [gap for host in hosts for gap in _of_host(host, looks.get(host), held.get(host, ()), now)]
    return sorted(found, key=lambda gap: gap.rank)


def counts(hosts: Iterable[str], looks: Mapping[str, Look]) -> dict[str, int]:
    """How many findings have which status."""
    statuses = [one["status"] for host in hosts if host in looks for one in looks[host][1]["findings"]]
    return {status: statuses.count(status) for status in ("covered", "gap", "unknown", "ignored")}


def _of_host(host: str, look: Look | None, snapshots: Sequence[Row], now: datetime) -> Iterator[Gap]:
    if look is None:
        remedy = f"roundsman backup coverage --limit {host}"
        yield Gap(host, "unknown", "host", host, None, "nobody has looked what is on this host", remedy)
        return
    at, coverage = look
    if now - moment(at) > PATIENCE:
        remedy = f"roundsman backup coverage --limit {host}"
        old = f"nobody has looked what is on this host for {span((now - moment(at)).total_seconds())}"
        yield Gap(host, "unknown", "host", host, None, old, remedy)
    if not coverage["sources"]:
        yield Gap(host, "gap", "host", host, None, "no source at all: nothing of this host is saved", "see its lines")
    for one in coverage["findings"]:
        if one["status"] in ("gap", "unknown"):
            fix = _line(one, coverage)
            yield Gap(
                host, one["status"], one["kind"], one["name"], one["size_bytes"], one["reason"], one["remedy"], fix
            )  # fmt: skip
    for source in coverage["sources"]:
        mine = [row for row in snapshots if row["source"] == source["id"]]
        yield from _of_source(host, source, mine, now)


def _of_source(host: str, source: Row, snapshots: Sequence[Row], now: datetime) -> Iterator[Gap]:
    good = [row for row in snapshots if is_good(row)]
    if not good:
        remedy = f"roundsman backup run --limit {host}"
        yield Gap(host, "gap", "source", source["id"], None, "it is declared, and has no good snapshot", remedy)
        return
    seen = [moment(row["verified_at"]) for row in good if row["level"] in SEEN_RESTORED]
    patience = patience_of(source)
    if not seen or now - max(seen) > patience:
        remedy = f"roundsman backup verify --limit {host}"
        last = f"last seen restored {span((now - max(seen)).total_seconds())} ago" if seen else "never seen restored"
        limit = span(patience.total_seconds())
        yield Gap(host, "gap", "evidence", source["id"], None, f"it was {last} (at most {limit})", remedy)


def by_host(rows: Iterable[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row["host"], []).append(row)
    return grouped


def is_good(snapshot: Row) -> bool:
    """Whether nothing speaks against a snapshot."""
    return bool(snapshot["complete"]) and snapshot["failed_level"] is None


def interval(source: Row, key: str) -> timedelta | None:
    """How often, as a source's plan says it; None when it does not."""
    promised_s = source.get("plan", {}).get(key)
    return timedelta(seconds=promised_s) if promised_s else None


def patience_of(source: Row) -> timedelta:
    """How old the newest restore or drill may be."""
    return interval(source, "prove_s") or interval(source, "verify_every_s") or PATIENCE


def _line(finding: Row, coverage: Row) -> str | None:
    """The definition that would save it."""
    kind = "files" if finding["kind"] == "directory" else finding["kind"]
    if finding["problem"] or kind not in coverage["kinds"]:
        return None
    keys = {"id": _id(finding, {source["id"] for source in coverage["sources"]}), "type": kind}
    match kind:
        case "files":
            keys["paths"] = f"[{_plain(finding['name'])}]"
        case "sqlite":
            keys["path"] = _plain(finding["name"])
        case "postgresql" | "mariadb":
            keys["database"] = _plain(finding["name"])
    if finding["port"] not in (None, _PORTS.get(kind)):
        keys["port"] = str(finding["port"])
    return "{" + ", ".join(f"{key}: {value}" for key, value in {**keys, "every": "24h"}.items()) + "}"


def _id(finding: Row, taken: set[str]) -> str:
    name = finding["name"] if finding["name"].startswith("/") else f"{finding['kind']}-{finding['name']}"
    wanted = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-._")[:60] or "data"
    return next(one for one in (wanted, *(f"{wanted}-{n}" for n in range(2, 99))) if one not in taken)


def _plain(name: str) -> str:
    """A name from a host as a value in YAML; one that is no honest name is quoted, and no template."""
    if _HONEST.fullmatch(name) and name.lower() not in _NO_TEXT_IN_YAML:
        return name
    # Not JSON: its pairs of surrogates are two characters in YAML.
    quoted = (one if one.isprintable() and one not in '"\\' else f"\\U{ord(one):08x}" for one in name)
    return f'!unsafe "{"".join(quoted)}"'
