"""The `roundsman` command. Its groups are imported when they are used, so that help and completion are quick."""

from __future__ import annotations

import sys
from importlib import import_module, metadata

import click

from . import streams
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
    streams.make_lasting()
    try:
        _run()
    except SystemExit as end:
        sys.exit(_with_output(end.code))
    sys.exit(_with_output(ExitCode.FINE))


def _with_output(code: str | int | None) -> str | int | None:
    """The exit code, for output that was lost as well: nobody must take half of it for all."""
    lost = streams.lost_words(sys.stdout)
    if lost:
        click.echo(f"Error: not all of the output could be written: {lost}", err=True)
    streams.failure(sys.stderr)
    return ExitCode.RUN_FAILED if lost and not code else code


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
