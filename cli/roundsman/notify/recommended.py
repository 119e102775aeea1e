"""The command that looks closer at what an alert is about, or does again what failed."""

from __future__ import annotations

import shlex

from roundsman.alerts.names import CheckKind, check_kind

_COMMANDS = {
    CheckKind.REACHABLE: "roundsman doctor --limit {host}",
    CheckKind.ISOLATED: "roundsman doctor",
    CheckKind.ROUNDS: "roundsman runs list",
    CheckKind.SILENCES: "roundsman alerts silence list",
    CheckKind.RUN: "roundsman runs show {run}",
    CheckKind.BACKUP: "roundsman backup run --limit {host}",
    CheckKind.FRESH_BACKUP: "roundsman backup run --limit {host}",
    CheckKind.VERIFY: "roundsman backup verify --limit {host}",
    CheckKind.FRESH_CHECK: "roundsman backup verify --limit {host}",
    CheckKind.DRILL: "roundsman backup drill --limit {host}",
    CheckKind.FRESH_DRILL: "roundsman backup drill --limit {host}",
    CheckKind.MAINTENANCE: "roundsman maintain {item} --limit {host}",
    CheckKind.PRUNE: "roundsman backup prune --limit {host}",
    CheckKind.FRESH_RETENTION: "roundsman backup prune --limit {host}",
}
_LOOK = "roundsman health {host}"


def recommended(host: str, check: str, run: str) -> str:
    command = _COMMANDS.get(check_kind(check), _LOOK)
    item = check.partition(":")[2]
    return command.format(host=shlex.quote(host), run=shlex.quote(run), item=shlex.quote(item))
