# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides which snapshots of a source may go, and says why; then lets the engine remove them."""

from __future__ import annotations

from .engines.base import BackupError, complete_ids, of_source
from .repository import recognise
from .session import timestamp

PERIODS = ("last", "hourly", "daily", "weekly", "monthly", "yearly", "within")
CLOCK_TOLERANCE_S = 300


def blank(source):
    """The record of docs/records.md before anything is known."""
    return {"source": source, "keep": [], "remove": [], "removed": 0, "reason": None}


def refuse_future(snapshots, now):
    """Snapshots of a wrong or hostile clock would push genuine ones out of every rule that counts."""
    limit = timestamp(now + CLOCK_TOLERANCE_S)
    ahead = [s for s in snapshots if s.time > limit]
    if ahead:
        raise BackupError(
            "engine_failed", _FUTURE.format(", ".join("{0.short_id} ({0.time})".format(s) for s in ahead[:5]))
        )


def decide(snapshots, kept, protect):
    """(keep, remove) as lists of {id, time, reasons}, oldest first.

    `snapshots`: those of one source; `kept`: id -> reasons of the engine's policy over the complete ones;
    `protect`: ids, or beginnings of ids, that stay. The newest complete one always stays; an incomplete one goes as
    soon as a newer complete one exists.
    """
    good = [s for s in snapshots if s.id in complete_ids(snapshots)]
    keep, remove = [], []
    for s in snapshots:
        reasons = list(kept.get(s.id, ()))
        if any(s.id.startswith(p) for p in protect):
            reasons.append("protected")
        if good and s.id == good[-1].id:
            reasons.append("newest complete snapshot")
        if s not in good and not (good and good[-1].time > s.time):
            reasons.append("incomplete, but nothing newer is complete")
        if reasons:
            keep.append({"id": s.id, "time": s.time, "reasons": reasons})
        else:
            why = "no rule keeps it" if s in good else "incomplete, and a newer one is complete"
            remove.append({"id": s.id, "time": s.time, "reasons": [why]})
    return keep, remove


def prune(session, record, rules, protect, check_mode, now):
    """Plan, then remove unless in check mode. Fills `record`; returns what to report."""
    with session.working() as engine:
        recognise(engine, session.memory, session.url)
        snapshots = of_source(engine.snapshots(), session.host, record["source"])
        refuse_future(snapshots, now)
        planned, _removed = engine.plan_removal(session.host, record["source"], rules)
        record["keep"], record["remove"] = decide(
            snapshots, {s: reasons or ["policy"] for s, reasons in planned}, protect
        )
        ids = [s["id"] for s in record["remove"]]
        if ids and not check_mode:
            engine.remove(ids)
            record["removed"] = len(ids)
    text = "{0}: {1} snapshots stay, {2} {3}"
    verb = "would be removed" if check_mode else "removed"
    lines = ["{0} {1}\n".format(s.short_id, s.time) for s in snapshots]
    stay = ["{0} {1}\n".format(s["id"][:8], s["time"]) for s in record["keep"]]
    return {
        "changed": bool(ids),
        "msg": text.format(record["source"], len(stay), len(ids), verb),
        "diff": {"before": "".join(lines), "after": "".join(stay)},
    }


_FUTURE = (
    "Snapshots are dated in the future: {0}. Nothing was removed. Find out whose clock was wrong, and remove those "
    "snapshots by hand; the retention rules would otherwise drop genuine ones."
)
