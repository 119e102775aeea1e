"""What all verifications of one snapshot say together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LEVELS = ("stored", "read", "restored", "proven")


def rank(level: str | None) -> int:
    """0 for no evidence, then one for each level."""
    return LEVELS.index(level) + 1 if level in LEVELS else 0


@dataclass(frozen=True)
class Standing:
    """The highest level that holds and when it was last seen to hold; the level that fails, if any."""

    level: str | None = None
    verified_at: str | None = None
    failed_level: str | None = None


def standing(verifications: Iterable[Mapping[str, Any]]) -> Standing:
    """Of the verifications of one snapshot, oldest first.

    A failure takes what was above it, and stays until its level was reached again: a snapshot that failed its drill is
    not good again because it reads well. A failure to look (`unknown`) says nothing.
    """
    now = Standing()
    for one in verifications:
        if one["outcome"] == "damaged":
            now = Standing(one["level"], one["time"] if one["level"] else None, one["failed_level"])
        elif one["outcome"] == "ok":
            cleared = rank(one["level"]) >= rank(now.failed_level)
            if rank(one["level"]) >= rank(now.level):
                now = Standing(one["level"], one["time"], None if cleared else now.failed_level)
    return now
