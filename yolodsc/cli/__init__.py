"""The command line: one file per subcommand, imported when it is called; the only place that prints.

Exit status: 0, 1 when some of many pictures failed, 2 when an option or an input stops the run, 130 after Ctrl-C.
"""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import yolodsc
from yolodsc.errors import YolodscError

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
        print(f"yolodsc {yolodsc.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Version.")] = False,
) -> None:
    """Darknet YOLO networks in pure NumPy and Numba."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit status."""
    command = typer.main.get_command(app)
    try:
        status = int(command.main(args=list(arguments), prog_name="yolodsc", standalone_mode=False) or 0)
        sys.stdout.flush()
        return status
    except YolodscError as error:
        return _complain(str(error))
    except (KeyboardInterrupt, typer.Abort) as error:
        return _stopped(error)
    except BrokenPipeError:
        _give_up_output()
        return 141
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _give_up_output()
        return _complain(f"{error.filename or 'standard output'}: {error.strerror}")
    except Exception as error:  # usage errors: whatever class the option parser gives them, they know their text
        if not hasattr(error, "format_message"):
            raise
        return _complain(error.format_message())


def _stopped(error: BaseException) -> int:
    """Ctrl-C; or the end of a file where nothing expected one, which the option parser takes for Ctrl-D."""
    return _complain(f"a file ended too early {error.__cause__}") if isinstance(error.__cause__, EOFError) else 130


def _give_up_output() -> None:
    """What is still to be printed goes nowhere, so that the interpreter can end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> int:
    readable = message.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    print(f"yolodsc: {' '.join(readable.split())}", file=sys.stderr)
    return 2
