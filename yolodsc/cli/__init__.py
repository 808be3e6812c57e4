"""The command line: one file per subcommand, imported when it is called; the only place that prints.

Exit status: 0, 1 when some of many images failed, 2 when an option, an input or the machine stops the run, 70 for a defect of the
program, 128 and the number of a signal that ended it (130 after Ctrl-C, 143 after SIGTERM, 141 when nobody reads the output).
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import yolodsc
from yolodsc.cli import failure, terminal
from yolodsc.errors import OptionError

COMMANDS = ("detect", "evaluate", "decompose", "separate", "finetune", "convert", "summary", "info", "warmup", "bench")
"""Subcommands in the order of ``--help``; ``yolodsc.cli.NAME`` holds the function ``NAME``."""


class Commands(TyperGroup):
    """Finds subcommands by the table and imports only the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and wrap one subcommand; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"yolodsc.cli.{cmd_name}")
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        single.command(cmd_name)(getattr(module, cmd_name))
        return typer.main.get_command(single)


app = typer.Typer(cls=Commands, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _version(value: bool) -> None:
    if value:
        terminal.say(f"yolodsc {yolodsc.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Version.")] = False,
) -> None:
    """Darknet YOLO networks in pure NumPy and Numba."""
    if ctx.invoked_subcommand is None:
        terminal.say(*ctx.get_help().split("\n"))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit status."""
    try:
        _see_that_there_is_no_nul(arguments)
        status = _invoked(arguments)
        terminal.flush()
        return status
    except (Exception, KeyboardInterrupt) as error:
        return failure.report(error)


def _invoked(arguments: Sequence[str]) -> int:
    """What the subcommand returns. The parser's own ``main`` would turn signals and broken pipes into exit status 1."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("yolodsc", list(arguments)) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as early:
        return early.exit_code


def _see_that_there_is_no_nul(arguments: Sequence[str]) -> None:
    """The system gives none; whoever calls `run` might."""
    for argument in arguments:
        if "\0" in argument:
            raise OptionError(f"{argument}: has a NUL; expected an argument without")
