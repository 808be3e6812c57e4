"""The command line: one file per subcommand, imported when it is called. No other package prints.

Exit status: 0, 1 when some of many images failed, 2 when an option, an input or the machine stops the run, 70 for a defect of the
program, 128 plus the number of the signal that ended it (130 after Ctrl-C, 143 after SIGTERM, 141 if its reader has gone).
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import yolodsc
from yolodsc.cli import failure, terminal
from yolodsc.cli.conversion import Command, PlainHelp, with_plain_conversion
from yolodsc.cli.groups import expand_groups
from yolodsc.errors import OptionError

COMMANDS = ("detect", "evaluate", "audit", "decompose", "separate", "finetune", "convert", "summary", "info", "warmup", "bench")
"""Subcommands in the order of ``--help``; ``yolodsc.cli.NAME`` holds the function ``NAME``."""


class Commands(PlainHelp, TyperGroup):
    """A group that looks subcommands up in `COMMANDS` and imports only the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All subcommands, in order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and wrap one subcommand; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"yolodsc.cli.{cmd_name}")
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        function = expand_groups(getattr(module, cmd_name))
        single.command(cmd_name, cls=Command)(function)
        return with_plain_conversion(typer.main.get_command(single), function)


app = typer.Typer(cls=Commands, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


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
        terminal.say(*ctx.get_help().split("\n"))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit status."""
    try:
        _ensure_no_nul(arguments)
        status = _invoked(arguments)
        terminal.flush()
        return status
    except (Exception, KeyboardInterrupt) as error:
        return failure.report(error)


def _invoked(arguments: Sequence[str]) -> int:
    """Return the subcommand's status. Typer's ``main`` is not used: it turns signals and broken pipes into exit status 1."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("yolodsc", list(arguments)) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as early:
        return early.exit_code


def _ensure_no_nul(arguments: Sequence[str]) -> None:
    """Raise an `OptionError` for a NUL: the system passes none, a caller of `run` can."""
    for argument in arguments:
        if "\0" in argument:
            raise OptionError(f"{argument}: has a NUL; expected an argument without one")
