"""The rules: small functions from what is known about a host to advice. Their order is that of their weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from roundsman.insight.advice import Advice, HostEvidence

from .backups import backup_is_old, data_is_not_saved, snapshot_has_no_evidence, snapshot_is_damaged
from .services import certificate_expires, unit_failed, unit_is_stopped
from .sight import not_looked_at, only_root_can_look, software_without_check, value_is_unusual
from .space import (
    filesystem_is_full,
    filesystem_will_be_full,
    inodes_run_out,
    journal_is_large,
    package_archives_are_large,
)
from .upkeep import (
    clock_runs_free,
    memory_is_short,
    package_lists_are_old,
    processors_are_busy,
    reboot_is_pending,
    security_updates_wait,
)

Rule = Callable[[HostEvidence, datetime], Iterator[Advice]]

RULES: tuple[Rule, ...] = (
    snapshot_is_damaged,
    unit_failed,
    unit_is_stopped,
    filesystem_is_full,
    inodes_run_out,
    filesystem_will_be_full,
    certificate_expires,
    memory_is_short,
    processors_are_busy,
    security_updates_wait,
    package_lists_are_old,
    clock_runs_free,
    backup_is_old,
    snapshot_has_no_evidence,
    data_is_not_saved,
    not_looked_at,
    only_root_can_look,
    reboot_is_pending,
    value_is_unusual,
    journal_is_large,
    package_archives_are_large,
    software_without_check,
)
