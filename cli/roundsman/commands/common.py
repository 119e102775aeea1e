"""What commands share: options, settings, sessions, and how a report leaves the program."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..exits import ExitCode
from ..words import visible

if TYPE_CHECKING:
    from rich.console import Console

    from ..config import Settings
    from ..session import Session
    from ..views.report import Report

config_option = click.option(
    "-c", "--config", metavar="FILE",
    help="roundsman.yml to use.  [default: $ROUNDSMAN_CONFIG, ./, ~/.config/roundsman/, /etc/roundsman/]",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output, for machines.")
inventory_option = click.option(
    "-i", "--inventory", "inventories", multiple=True, metavar="PATH",
    help="Inventory (file, directory or `host,`), as for Ansible.  [default: as configured, else this machine]",
)  # fmt: skip
limit_option = click.option("-l", "--limit", metavar="PATTERN", help="Hosts, as Ansible's host pattern.")


class Failure(click.ClickException):
    """A failure in words, without a traceback."""

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(visible(message))
        self.exit_code: int = exit_code  # type: ignore[misc] # click documents it as settable


def list_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that shows something about hosts."""
    for option in (json_option, limit_option, inventory_option, config_option):
        command = option(command)
    return command


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that runs a playbook."""
    for option in (
        click.option("-v", "--verbose", count=True, help="Show what is well, too; more of it: Ansible's own -v."),
        json_option,
        click.option("--check", is_flag=True, help="Ansible's check mode: say what would be done, change nothing."),
        limit_option,
        inventory_option,
        config_option,
    ):
        command = option(command)
    return command


def load_settings(config: str | None) -> Settings:
    from ..config import load  # noqa: PLC0415
    from ..config_file import ConfigError  # noqa: PLC0415

    try:
        return load(config)
    except ConfigError as error:
        raise Failure(str(error), ExitCode.USAGE) from None


@contextmanager
def opened(config: str | None, *, delivers: bool = False) -> Iterator[Session]:
    """The session of a command; what is wrong with configuration or store is said in words.

    Receivers are looked at by commands that deliver: that takes longer than listing something.
    """
    from ..delivery import faults  # noqa: PLC0415
    from ..session import Session  # noqa: PLC0415
    from ..store import StoreError  # noqa: PLC0415

    settings = load_settings(config)
    wrong = faults(settings) if delivers else []
    if wrong:
        raise Failure("receivers in roundsman.yml cannot be used:\n" + "\n".join(wrong), ExitCode.USAGE)
    try:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        session = Session(settings)
        if not delivers:
            session.judge_clocks()
        yield session
    except OSError as error:
        where = error.filename or settings.state_dir
        raise Failure(f"{where}: {error.strerror or error}", ExitCode.STORE_FAILED) from None
    except StoreError as error:
        raise Failure(str(error), ExitCode.STORE_FAILED) from None


def console(*, stderr: bool = False) -> Console:
    from rich.console import Console  # noqa: PLC0415

    # Long lines of a pipe are for the reader's own tools to fold.
    width = None if (sys.stderr if stderr else sys.stdout).isatty() else 200
    return Console(stderr=stderr, width=width, highlight=False)


def run_playbook(
    name: str, *, config: str | None, inventories: tuple[str, ...], limit: str | None, check: bool, as_json: bool,
    verbose: int, variables: Mapping[str, Any] | None = None,
) -> NoReturn:  # fmt: skip
    """Run one of the collection's playbooks, show what it found, and end with the exit code that says it."""
    with opened(config, delivers=True) as session:
        report = run_once(session, name, inventories, limit, check=check, verbose=verbose, variables=variables)
        report = session.advised(report, inventories)
        show(report, as_json=as_json, details=verbose > 0)
    sys.exit(report.exit_code)


def run_once(
    session: Session, name: str, inventories: tuple[str, ...], limit: str | None, *, check: bool, verbose: int,
    variables: Mapping[str, Any] | None = None,
) -> Report:  # fmt: skip
    from .. import runner  # noqa: PLC0415
    from ..asking import Request  # noqa: PLC0415
    from ..views.progress import showing  # noqa: PLC0415

    chosen = inventories or tuple(session.settings.inventories)
    try:
        runner.check_inventories(chosen)
    except runner.InventoryError as error:
        raise Failure(str(error), ExitCode.USAGE) from None
    request = Request(f"{runner.COLLECTION}.{name}", chosen, limit, check, max(0, verbose - 1), variables)
    with showing(console(stderr=True)) as progress:
        return session.run(request, progress)


def show(report: Report, *, as_json: bool, details: bool) -> None:
    from ..views.draw import draw_report  # noqa: PLC0415
    from ..views.maintenance import draw_maintenance  # noqa: PLC0415

    if as_json:
        print_json(report.to_dict())
    else:
        draw_maintenance(console(), report, details=details)
        draw_report(console(), report, details=details)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, default=str))


def one_of(found: Sequence[Mapping[str, Any]], kind: str, text: str, id_key: str) -> Mapping[str, Any]:
    """The one thing that a person's abbreviation means."""
    if not found:
        raise Failure(f"there is no {kind} {text}", ExitCode.USAGE)
    if len(found) > 1:
        ids = ", ".join(str(one[id_key]) for one in found[:5])
        raise Failure(f"{text} may mean {len(found)} {kind}s: {ids}", ExitCode.USAGE)
    return found[0]


def hosts_meant(settings: Settings, inventories: tuple[str, ...], limit: str | None) -> list[str] | None:
    """The hosts that a pattern means in the inventory; None, without a pattern, for all that are known."""
    if limit is None:
        return None
    from ..runner import InventoryError, check_inventories, read_inventory  # noqa: PLC0415

    chosen = inventories or settings.inventories
    try:
        check_inventories(chosen)
        hosts, doubts = read_inventory(chosen, limit)
    except InventoryError as error:
        raise Failure(str(error), ExitCode.USAGE) from None
    said = "\n".join(["the inventory was not read whole:", *doubts])
    if doubts and not hosts:
        raise Failure(said, ExitCode.USAGE)
    if doubts:
        click.echo(said, err=True)
    return list(hosts)
