from __future__ import annotations

from typing import Any

import click


class CommandGroup(click.Group):
    """A command with subcommands: `health`, `health HOST`, `health explain HOST`.

    Whose first word is the name of a subcommand is for that one; everything else is for the command itself.
    """

    def __init__(self, command: click.Command) -> None:
        super().__init__(command.name, help=command.help)
        self.command_itself = _WithSubcommands(self, command)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args and args[0] in self.commands:
            return super().make_context(info_name, args, parent, **extra)
        return self.command_itself.make_context(info_name, args, parent, **extra)


class _WithSubcommands(click.Command):
    """The command itself; its help names the subcommands as well."""

    def __init__(self, group: CommandGroup, command: click.Command) -> None:
        super().__init__(
            command.name, callback=command.callback, params=command.params, help=command.help, epilog=command.epilog
        )
        self._group = group

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        self._group.format_commands(ctx, formatter)
