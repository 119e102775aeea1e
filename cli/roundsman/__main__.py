"""The `roundsman` command. Its groups are imported when they are used, so that help and completion are quick."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib import import_module, metadata

import click

from .exits import ExitCode

EXIT_CODES = """\b
Exit codes:
  0    all is well
  1    warnings
  2    critical findings
  3    something could not be determined
  4    hosts unreachable
  5    the run itself failed
  6    the store cannot be used
  64   usage or configuration error; nothing was run
  130  interrupted
When several apply: 130, 5, 2, 4, 3, 1."""

COMMANDS = (
    "init", "doctor", "rounds", "health", "backup", "restore", "maintain", "alerts", "oncall", "runs", "tick", "serve",
)  # fmt: skip


class LazyGroup(click.Group):
    """Finds each command in the module of its name."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"roundsman.commands.{name}"), name)
        return command


@click.group(cls=LazyGroup, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(metadata.version("roundsman"), prog_name="roundsman")
def cli() -> None:
    """Makes the rounds of a fleet of Linux hosts: is each one healthy, is it maintained, can it be restored?

    Without any configuration the rounds are made on this machine. `roundsman init` writes a configuration to begin
    with.
    """


def main() -> None:
    try:
        _run()
    finally:
        _give_up_on_full_streams()


def _give_up_on_full_streams() -> None:
    """A terminal that is gone or a full disk behind a log must not change the exit code: Python would make it 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run() -> None:
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        # click would say 2, which here means critical findings.
        sys.exit(ExitCode.USAGE if isinstance(error, click.UsageError) else error.exit_code)
    except Exception:  # noqa: BLE001 - Python's own exit code would say "warnings"
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        click.echo("Error: a fault in Roundsman itself; nothing recorded is lost. Please report the above.", err=True)
        sys.exit(ExitCode.RUN_FAILED)


if __name__ == "__main__":
    main()
