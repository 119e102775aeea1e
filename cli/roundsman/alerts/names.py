"""The names of checks: the one place that tells a check of a host's inventory from what Roundsman itself watches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum


class CheckKind(StrEnum):
    """What a check watches. Every member but MEASURED is also a reserved name."""

    REACHABLE = "reachable"  # the host answers
    HEALTH = "health"  # the health sweep itself ran
    BACKUP = "backup"  # one source was backed up
    VERIFY = "verify"  # one source's snapshot was verified
    DRILL = "drill"  # one source's snapshot was drilled: a good reading does not end what a failed drill began
    PRUNE = "prune"  # one source's retention was applied
    FRESH_BACKUP = "fresh-backup"  # one source's newest backup is as young as its plan says
    FRESH_RETENTION = "fresh-retention"
    FRESH_CHECK = "fresh-check"
    FRESH_DRILL = "fresh-drill"
    MAINTENANCE = "maintenance"  # one procedure was done
    ISOLATED = "isolated"  # most hosts cannot be reached from here
    ROUNDS = "rounds"  # rounds are made in time
    SILENCES = "silences"  # nobody has forgotten one
    RUN = "run"  # a playbook went through on the host
    MEASURED = ""  # a check of the host's own list, measured by the health sweep


REACHABLE = CheckKind.REACHABLE.value
RESERVED_NAMES = frozenset(kind.value for kind in CheckKind if kind is not CheckKind.MEASURED)
# What is judged by the clock alone, whether the host can be reached or not.
FRESHNESS = frozenset(kind for kind in CheckKind if kind.startswith("fresh-"))
RESERVED_PREFIXES = tuple(sorted(f"{name}:" for name in RESERVED_NAMES))


def check_kind(check: str) -> CheckKind:
    """The kind of a check by its name: `backup` and `backup:etc` are BACKUP, `data-disk` is MEASURED."""
    name = check.partition(":")[0]
    return CheckKind(name) if name in RESERVED_NAMES else CheckKind.MEASURED


def is_reserved(check_id: str) -> bool:
    """True when an inventory must not use this id, because an alert of Roundsman's own would share its name."""
    return check_kind(check_id) is not CheckKind.MEASURED


def fingerprint(host: str, check: str) -> str:
    """Id of the alert of one check on one host: the first 12 hex digits of the SHA-256 of the JSON array [host, check].

    JSON, because joining with a separator would let two pairs share an id.
    """
    return _digest([host, check])


def fingerprint_of_labels(labels: Mapping[str, str]) -> str:
    """Id of an alert that somebody posted: the same of the JSON object of its labels, sorted by their names."""
    return _digest(dict(sorted(labels.items())))


def _digest(identity: object) -> str:
    canonical = json.dumps(identity, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:12]
