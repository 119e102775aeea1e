"""Times as the records write them, and spans as people say them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The clock. Called by the outermost layer only; everything below takes the time as an argument."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds; sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(stamped: str) -> datetime:
    return datetime.fromisoformat(stamped)


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
