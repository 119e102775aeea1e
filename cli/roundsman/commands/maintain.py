from __future__ import annotations

from typing import Any

import click

from ..exits import ExitCode
from .common import Failure, run_options, run_playbook

PROCEDURES = ("application", "caches", "database", "logs", "tuning", "updates")


@click.command(no_args_is_help=True)
@click.argument("what", nargs=-1, metavar="[PROCEDURE]... [HOSTS]")
@click.option(
    "--type", "kind", metavar="TYPE", help="All procedures of a type: routine, security, database, full, or your own."
)
@click.option("--procedure", "own", metavar="NAME", multiple=True, help="A procedure of your own; may be repeated.")
@click.option("--plan", is_flag=True, help="List what would be done on each host; change nothing. The same as --check.")
@click.option("--skip-backup", is_flag=True, help="Do not save what is touched; this is recorded.")
@click.option("--no-rollback", is_flag=True, help="Leave a host as it is when a procedure fails there.")
@click.option("--take-over", metavar="RUN", help="Take over what this run holds; it is known to be dead.")
@click.option("--revert", is_flag=True, help="With tuning: put back everything that it has changed.")
@run_options
def maintain(
    what: tuple[str, ...], kind: str | None, own: tuple[str, ...], plan: bool, skip_backup: bool, no_rollback: bool,
    take_over: str | None, revert: bool, check: bool, limit: str | None, **options: Any,
) -> None:  # fmt: skip
    """Maintain hosts: each procedure with a check of health before and after, a backup, and a way back.

    \b
    Procedures: caches, logs, database, updates, application, tuning.
    HOSTS is a host pattern of Ansible's, as with --limit.
    """
    procedures = [one for one in what if one in PROCEDURES] + list(own)
    patterns = [one for one in what if one not in PROCEDURES]
    _refuse_contradictions(procedures, patterns, kind, limit, revert=revert)
    variables: dict[str, Any] = {"roundsman_maintain": list(dict.fromkeys(procedures))}
    if kind:
        variables["roundsman_maintain_type"] = kind
    if skip_backup:
        variables["roundsman_maintain_skip_backup"] = True
    if no_rollback:
        variables["roundsman_maintain_rollback"] = False
    if take_over is not None:
        variables["roundsman_maintain_take_over"] = take_over
    if revert:
        variables["roundsman_tuning_revert"] = True
    hosts = limit or next(iter(patterns), None)
    run_playbook("maintain", limit=hosts, check=check or plan, variables=variables, **options)


def _refuse_contradictions(
    procedures: list[str], patterns: list[str], kind: str | None, limit: str | None, *, revert: bool
) -> None:
    if kind and procedures:
        raise Failure("maintain takes procedures or --type, not both", ExitCode.USAGE)
    if not kind and not procedures:
        known = ", ".join(PROCEDURES)
        raise Failure(f"say which procedure: {known}; or a --type. Nothing was run", ExitCode.USAGE)
    if len(patterns) > 1 or (patterns and limit):
        said = " ".join([*patterns, *([limit] if limit else [])])
        text = f"one host pattern is taken, not {said!r} (is a procedure misspelled?). Nothing was run"
        raise Failure(text, ExitCode.USAGE)
    if revert and procedures != ["tuning"]:
        raise Failure("--revert goes with tuning alone", ExitCode.USAGE)
