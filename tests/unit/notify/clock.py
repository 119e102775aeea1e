from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MUCH_LATER = START + timedelta(days=365)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)
