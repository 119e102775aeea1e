"""Times as the records write them, and spans as people say them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w|y)\s*")
_SECONDS = {"ms": 0.001, "s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}


def now() -> datetime:
    """The clock. Called by the outermost layer only; everything below takes the time as an argument."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds; sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(stamped: str) -> datetime:
    return datetime.fromisoformat(stamped)


def seconds(duration: str) -> float:
    """Of a duration as people write it, or Prometheus: `1h30m`, the greater unit first."""
    parts = [(float(number), _SECONDS[unit]) for number, unit in _PART.findall(duration)]
    sizes = [size for _, size in parts]
    if not parts or _PART.sub("", duration).strip() or sizes != sorted(set(sizes), reverse=True):
        raise ValueError("is not a duration; write for example 30s, 5min, 1h30m or 7d")
    return sum(number * size for number, size in parts)


def instant(text: str) -> datetime:
    """A moment in RFC 3339. Raises ValueError with what is wrong."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is no time; write for example 2026-12-31T12:00:00Z") from None
    if at.tzinfo is None:
        raise ValueError("needs a zone; write for example 2026-12-31T12:00:00Z")
    return at


def ending(text: str, now: datetime) -> datetime:
    """The end of a time that is yet to come, as people write it: `2026-12-31` (that day included, in UTC), `30d`, or
    RFC 3339. Raises ValueError with what is wrong.
    """
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            end = datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)
        elif "T" in text:
            end = datetime.fromisoformat(text)
        else:
            end = now + timedelta(seconds=seconds(text))
    except (ValueError, OverflowError):
        raise ValueError("is no time; write for example 2026-12-31, 30d or 2026-12-31T12:00:00Z") from None
    if end.tzinfo is None:
        raise ValueError("needs a zone; write for example 2026-12-31T12:00:00Z")
    if end <= now:
        raise ValueError("is over already")
    return end


def span(seconds: float) -> str:
    """A length of time in at most two units: `0.4 s`, `12 s`, `2 min 10 s`, `3 h 5 min`, `9 d`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller, smaller_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            count, rest = divmod(whole, size)
            return f"{count} {unit}" + (f" {rest // smaller} {smaller_unit}" if rest // smaller else "")
    return f"{whole} s"
