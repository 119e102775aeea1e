from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from .. import streams
from ..exits import ExitCode
from .common import (
    Failure,
    config_option,
    console,
    hosts_meant,
    inventory_option,
    json_option,
    load_settings,
    opened,
    print_json,
    run_once,
    run_options,
    show,
)
from .group import CommandGroup

if TYPE_CHECKING:
    from ..config import Settings
    from ..page import HostPage
    from ..views.report import Report

OUTPUTS = ("table", "json", "nagios", "prometheus", "junit")
NAGIOS_UNKNOWN = 3

NOTES = """\b
With --output nagios the exit code is by Nagios' rules:
0 OK, 1 WARNING, 2 CRITICAL (also unreachable), 3 UNKNOWN (also: nothing was run)."""


@click.command("health", epilog=NOTES)
@click.argument("host", required=False)
@click.option("--last", is_flag=True, help="Show what is recorded of HOST; do not look at it.")
@click.option(
    "--watch", metavar="[=TIME]", is_flag=False, flag_value="30s",
    help="Look again and again, until Ctrl-C.  [default: --watch=30s]",
)  # fmt: skip
@click.option("--output", type=click.Choice(OUTPUTS), help="For whom to print.  [default: table; --json: json]")
@run_options
def sweep(host: str | None, last: bool, watch: str | None, output: str | None, as_json: bool, **options: Any) -> None:
    """Check every host's health; nothing else. With HOST, show all that is known of that one.

    HOST is any host pattern of Ansible's that means one host of the inventory.
    """
    output = output or ("json" if as_json else "table")
    try:
        code = _look(host, last, _interval_s(watch), output, **options)
    except Failure as failure:
        if output != "nagios":
            raise
        from ..views.nagios import unknown  # noqa: PLC0415

        click.echo(unknown(failure.message))
        code = NAGIOS_UNKNOWN
    sys.exit(code)


health = CommandGroup(sweep)


@health.command()
@click.argument("host")
@json_option
@inventory_option
@config_option
def explain(host: str, as_json: bool, inventories: tuple[str, ...], config: str | None) -> None:
    """Say where each check of HOST, and each of its keys, comes from. Contacts no host."""
    from ..asking import AskError, Request, ask  # noqa: PLC0415
    from ..runner import COLLECTION, InventoryError, check_inventories  # noqa: PLC0415
    from ..views.explain import draw_explanation  # noqa: PLC0415

    settings = load_settings(config)
    chosen = inventories or tuple(settings.inventories)
    try:
        check_inventories(chosen)
        answers = ask(settings, Request(f"{COLLECTION}.explain", chosen, host), f"{COLLECTION}.health_explain")
    except (InventoryError, AskError) as error:
        raise Failure(str(error), ExitCode.USAGE) from None
    explained = [
        {"host": name, "checks": answer["checks"], "faults": answer["faults"]}
        for name, answer in sorted(answers.items())
    ]
    if as_json:
        print_json(explained)
    else:
        draw_explanation(console(), explained)
    if any(one["faults"] for one in explained):
        sys.exit(ExitCode.USAGE)


def _look(
    host: str | None, last: bool, interval_s: float | None, output: str, *, config: str | None,
    inventories: tuple[str, ...], limit: str | None, check: bool, verbose: int,
) -> int:  # fmt: skip
    _refuse_contradictions(host, last, output, limit)
    with opened(config, delivers=not last) as session:
        if host:
            host = limit = _the_one_host(session.settings, inventories, host)
        while True:
            began = time.monotonic()
            report = None if last else run_once(session, "health", inventories, limit, check=check, verbose=verbose)
            page = session.host_page(host, report, inventories) if host and (last or _has_page(report)) else None
            if report and not page:
                report = session.advised(report, inventories)
            code = _show(report, page, output, clear=interval_s is not None, details=verbose > 0)
            if interval_s is None or streams.failure(sys.stdout):
                return code
            if session.told_to_stop:
                return ExitCode.INTERRUPTED
            time.sleep(max(0.0, began + interval_s - time.monotonic()))


def _show(report: Report | None, page: HostPage | None, output: str, *, clear: bool, details: bool) -> int:
    """Print what was found; the exit code that says it."""
    screen = console()
    if clear and screen.is_terminal:
        screen.clear()
    code = report.exit_code if report else _code_of(page)
    if output == "json":
        print_json({**(report.to_dict() if report else {}), **({"page": page.to_dict()} if page else {})})
    elif report and output == "nagios":
        from ..views.nagios import nagios  # noqa: PLC0415

        text, code = nagios(report)
        click.echo(text)
    elif report and output == "prometheus":
        from ..views.prometheus import prometheus  # noqa: PLC0415

        click.echo(prometheus(report))
    elif report and output == "junit":
        from ..views.junit import junit  # noqa: PLC0415

        click.echo(junit(report))
    elif page:
        from ..views.host_page import draw_host_page  # noqa: PLC0415

        draw_host_page(screen, page)
    elif report:
        show(report, as_json=False, details=details)
    return code


def _has_page(report: Report | None) -> bool:
    return report is not None and report.run["status"] != "refused"


def _code_of(page: HostPage | None) -> int:
    from ..views.report import exit_code  # noqa: PLC0415

    return exit_code("finished", [page.status] if page else [])


def _refuse_contradictions(host: str | None, last: bool, output: str, limit: str | None) -> None:
    if host and limit:
        raise Failure("health takes one HOST, or --limit for several", ExitCode.USAGE)
    if last and not host:
        raise Failure("--last takes a HOST; `roundsman runs show` shows the last run of all", ExitCode.USAGE)
    if last and output not in ("table", "json"):
        raise Failure(f"--last is for people and JSON, not for {output}", ExitCode.USAGE)


def _the_one_host(settings: Settings, inventories: tuple[str, ...], pattern: str) -> str:
    meant = hosts_meant(settings, inventories, pattern) or []
    if len(meant) != 1:
        raise Failure(
            f"{pattern} means {len(meant)} hosts; look at all of them with: roundsman health --limit {pattern}",
            ExitCode.USAGE,
        )
    return meant[0]


def _interval_s(watch: str | None) -> float | None:
    if watch is None:
        return None
    from ..times import seconds  # noqa: PLC0415

    try:
        return max(1.0, seconds(watch))
    except ValueError as error:
        raise click.BadParameter(f"{watch!r} {error}, as in --watch=30s", param_hint="--watch") from None
