# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides which snapshots of a source may go, and says why. Nothing here touches a repository or reads a clock."""

from __future__ import annotations

import datetime
import re
from collections import namedtuple

from .clock import TOLERANCE_S
from .engines.base import SAFETY, complete_ids
from .verification import LEVELS

UTC = datetime.timezone.utc
# A removal of so few is never too many: most of a handful goes on the first days already.
FEW = 3
# Whoever restored in place will have noticed by then what it took away.
SAFE_FOR = datetime.timedelta(days=30)

# What a rule counts: the newest snapshot of each. Hours, days, ISO weeks, months and years are those of UTC.
_PERIODS = {
    "last": lambda _, number: number,
    "hourly": lambda moment, _: (moment.date(), moment.hour),
    "daily": lambda moment, _: moment.date(),
    "weekly": lambda moment, _: moment.isocalendar()[:2],
    "monthly": lambda moment, _: (moment.year, moment.month),
    "yearly": lambda moment, _: moment.year,
}
RULES = (*_PERIODS, "within")
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)m)?(?:(\d+)d)?(?:(\d+)h)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")

# keep, remove: lists of {id, time, reasons}, oldest first, together all snapshots. future: the {id, time} of those
# that are dated in the future (they are among keep). counted: how many complete ones there are apart from these.
# lost: how many of them go.
Plan = namedtuple("Plan", "keep remove future counted lost")


def faults(rules, holds):
    """What is wrong with rules (name -> value) and holds, in words."""
    found = ["keep_{0} must be at least 1".format(r) for r, n in rules.items() if r != "within" and n < 1]
    if "within" in rules and not any(duration(rules["within"]) or ()):
        text = "keep_within must be a duration such as 30d or 1y6m (y, m, d, h in this order), not {0!r}"
        found.append(text.format(rules["within"]))
    for hold in holds:
        if not re.fullmatch(r"[0-9a-f]{8,64}", hold["snapshot"]):
            found.append("holds: {0!r} is no id of eight characters or more".format(hold["snapshot"]))
        if hold["until"] is not None and end_of(hold["until"]) is None:
            text = "holds: until must be like 2026-12-31 or 2026-12-31T12:00:00Z, not {0!r}"
            found.append(text.format(hold["until"]))
    return found


def duration(text):
    """(years, months, days, hours) of restic's `1y6m14d2h`, or None."""
    match = _DURATION.fullmatch(text)
    return tuple(int(part or 0) for part in match.groups()) if match else None


def end_of(until):
    """When a hold is over: a time in RFC 3339, or the end of a day in UTC; None when it is neither."""
    day = _DAY.fullmatch(until)
    try:
        found = datetime.datetime.fromisoformat(until[:-1] + "+00:00" if until.endswith("Z") else until)
    except ValueError:
        return None
    if day:
        return found.replace(tzinfo=UTC) + datetime.timedelta(days=1)
    return found if found.tzinfo else None


def decide(snapshots, rules, now, holds=(), evidence=None):
    """The Plan for the snapshots of one source. `now` is aware of its zone.

    `rules`: name of RULES -> value, as restic understands it. `holds`: list of {snapshot (id or its beginning), until
    (None: for ever), why}. `evidence`: id -> level, for those that nothing speaks against.
    """
    snapshots = sorted(snapshots, key=lambda s: (s.time, s.id))
    limit = now + datetime.timedelta(seconds=TOLERANCE_S)
    future = [s for s in snapshots if _moment(s) > limit]
    whole = complete_ids(snapshots)
    complete = [s for s in snapshots if s.id in whole and s not in future]
    why = {s.id: [] for s in snapshots}
    _apply(rules, complete, why)
    _guard(snapshots, complete, evidence or {}, why)
    for s in snapshots:
        if SAFETY in s.tags and now - _moment(s) < SAFE_FOR:
            why[s.id].append("safety snapshot of the last {0} days".format(SAFE_FOR.days))
    for s in future:
        why[s.id].append("dated in the future: counts for nothing")
    for hold in holds:
        if hold["until"] is None or now < end_of(hold["until"]):
            for s in snapshots:
                if s.id.startswith(hold["snapshot"]):
                    why[s.id].append(_held(hold))
    keep = [_line(s, why[s.id]) for s in snapshots if why[s.id]]
    remove = [
        _line(s, ["no rule keeps it" if s.id in whole else "incomplete, and a newer one is complete"])
        for s in snapshots
        if not why[s.id]
    ]
    lost = sum(not why[s.id] for s in complete)
    return Plan(keep, remove, [{"id": s.id, "time": s.time} for s in future], len(complete), lost)


def too_many(plan, most_percent):
    """Whether the plan takes a larger share of the complete snapshots than `most_percent`."""
    return plan.lost > FEW and plan.lost * 100 > plan.counted * most_percent


def _apply(rules, complete, why):
    """restic's way: each rule goes from the newest to the oldest, and while it has something left, the oldest stays."""
    newest_first = complete[::-1]
    for rule, period_of in _PERIODS.items():
        left, previous = rules.get(rule, 0), None
        for number, s in enumerate(newest_first):
            period = period_of(_moment(s), number)
            if left and (period != previous or s is complete[0]):
                why[s.id].append(("oldest {0}" if period == previous else "{0}").format(rule))
                left, previous = left - 1, period
    if "within" in rules and complete:
        start = _earlier(_moment(complete[-1]), *duration(rules["within"]))
        for s in complete:
            if _moment(s) > start:
                why[s.id].append("within " + rules["within"])


def _guard(snapshots, complete, evidence, why):
    """What stays whatever the rules say."""
    if complete:
        why[complete[-1].id].append("newest complete snapshot")
    proven = [s for s in complete if evidence.get(s.id) in LEVELS]
    if proven:
        best = max(proven, key=lambda s: (LEVELS.index(evidence[s.id]), s.time, s.id))
        why[best.id].append("last one that is {0}".format(evidence[best.id]))
    whole = complete_ids(snapshots)
    for s in snapshots:
        if s.id not in whole and not (complete and complete[-1].time > s.time):
            why[s.id].append("incomplete, but nothing newer is complete")


def _moment(snapshot):
    return datetime.datetime.strptime(snapshot.time, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def _earlier(moment, years, months, days, hours):
    """As restic counts back: a day that a month does not have runs over into the next month."""
    month = moment.year * 12 + moment.month - 1 - years * 12 - months
    try:
        first = moment.replace(year=month // 12, month=month % 12 + 1, day=1)
        return first + datetime.timedelta(days=moment.day - 1 - days, hours=-hours)
    except (ValueError, OverflowError):
        return datetime.datetime.min.replace(tzinfo=UTC)


def _held(hold):
    until = " until {0}".format(hold["until"]) if hold["until"] else ""
    return "on hold{0}: {1}".format(until, hold["why"])


def _line(snapshot, reasons):
    return {"id": snapshot.id, "time": snapshot.time, "reasons": reasons}
