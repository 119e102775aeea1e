"""What is known of a source, beside what its definition promises. Times are aware datetimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .evidence import rank


@dataclass(frozen=True)
class Known:
    """One source of one host. `since`: nothing was due before the source was known."""

    host: str
    source: str
    plan: Mapping[str, Any]
    since: datetime
    run: str
    backup_at: datetime | None = None
    pruned_at: datetime | None = None
    # When the newest verification that asked for a level (or a higher one) came out well.
    verified_at: Mapping[str, datetime] = field(default_factory=dict)
    # What the newest complete snapshot has reached, and whether anything speaks against it.
    newest_level: str | None = None
    newest_failed: bool = False

    def objective(self, key: str) -> timedelta | None:
        span_s = self.plan.get(key)
        return timedelta(seconds=span_s) if span_s else None

    def evidence_at(self, level: str) -> datetime | None:
        """When evidence of at least that level was last found."""
        return max((at for one, at in self.verified_at.items() if rank(one) >= rank(level)), default=None)

    def newest_holds(self, level: str) -> bool:
        return not self.newest_failed and rank(self.newest_level) >= rank(level)
