"""What is known to hold of a snapshot after one more verification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LEVELS = ("stored", "read", "restored", "proven")


def rank(level: str | None) -> int:
    """0 for no evidence, then one more for each level."""
    return LEVELS.index(level) + 1 if level else 0


def standing(known: Mapping[str, Any], verification: Mapping[str, Any]) -> dict[str, Any]:
    """The new `level`, `verified_at`, `failed_level` of a snapshot that has those in `known`.

    A verification that found damage is the last word, whatever held before. One that held raises the level, or confirms
    it; a lower one than what is known leaves that as it is. Damage found at a level is disproved only by that level or
    a higher one. A failure to look (`unknown`) says nothing.
    """
    before = {key: known[key] for key in ("level", "verified_at", "failed_level")}
    if verification["outcome"] == "unknown":
        return before
    found = {
        "level": verification["level"],
        "verified_at": verification["time"],
        "failed_level": verification["failed_level"],
    }
    if verification["outcome"] == "damaged":
        return found
    failed = known["failed_level"]
    if failed:
        return found if rank(verification["level"]) >= rank(failed) else before
    return found if rank(verification["level"]) >= rank(known["level"]) else before
