"""The command line as an application of Typer: help, completion, and every line that `plain_arguments` leaves to it."""

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import yolodsc
from yolodsc.cli import COMMANDS, COMPLETION_VARIABLE, terminal
from yolodsc.cli.aliases import COMMAND_ALIASES, nearest
from yolodsc.cli.command import HELP_OPTIONS, Subcommand
from yolodsc.cli.conversion import PlainHelp, with_plain_conversion
from yolodsc.cli.groups import expand_groups
from yolodsc.errors import OptionError


class Commands(PlainHelp, TyperGroup):
    """A group that looks subcommands up in `COMMANDS` and imports only the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All subcommands, in order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and wrap one subcommand; None for an unknown name."""
        cmd_name = COMMAND_ALIASES.get(cmd_name, cmd_name)
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"yolodsc.cli.{cmd_name}")
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        function = expand_groups(getattr(module, cmd_name))
        single.command(cmd_name, cls=Subcommand, context_settings=HELP_OPTIONS)(function)
        return with_plain_conversion(typer.main.get_command(single), function)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the subcommand; an `OptionError` gives the nearest name."""
        if not ctx.resilient_parsing and args and self.get_command(ctx, args[0]) is None:
            near = nearest(args[0], (*COMMANDS, *COMMAND_ALIASES))
            raise OptionError(
                f"{args[0]}: no such command; {f'did you mean {near}?' if near else ' '.join(['expected', *COMMANDS])}"
            )
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: Any) -> str:
        """The help of the program, with the whole summary of each subcommand."""
        from yolodsc.cli.help import group_help

        summaries = [(name, self.get_command(ctx, name).help or "") for name in COMMANDS]
        return group_help(self.help or "", summaries, self.get_params(ctx), ctx)


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=HELP_OPTIONS,
)


def _version(value: bool) -> None:
    if value:
        terminal.say(f"yolodsc {yolodsc.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Darknet YOLO networks in pure NumPy and Numba."""
    if ctx.invoked_subcommand is None:
        terminal.show(ctx.get_help())


def invoked(arguments: Sequence[str]) -> int:
    """Return the subcommand's status. Typer's ``main`` is not used: it turns signals and broken pipes into exit status 1."""
    command: Any = typer.main.get_command(app)
    if COMPLETION_VARIABLE in os.environ:
        return complete(command)
    try:
        with command.make_context("yolodsc", list(arguments)) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as early:
        return early.exit_code


def complete(command: Any) -> int:
    """Answer a shell that asks for completions, through Typer."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()
    try:
        command._main_shell_completion({}, "yolodsc", COMPLETION_VARIABLE)
    except SystemExit as done:
        return int(done.code or 0)
    return 1
