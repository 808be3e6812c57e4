"""The command line: one file per subcommand, imported when it is called. No other package prints.

Exit status: 0, 1 when some of many images failed, 2 when an option, an input or the machine stops the run, 70 for a defect of the
program, 128 plus the number of the signal that ended it (130 after Ctrl-C, 143 after SIGTERM, 141 if its reader has gone).
"""

import os
from collections.abc import Sequence
from typing import Any

from yolodsc.cli import failure, terminal
from yolodsc.cli.plain_arguments import plain_call
from yolodsc.cli.progress import Announcement
from yolodsc.errors import OptionError
from yolodsc.jit import observe_compilation

COMMANDS = tuple(
    "detect evaluate audit decompose separate quantize optimize finetune "
    "anchors convert summary bench warmup info completion".split()
)
"""Subcommands in the order of ``--help``; ``yolodsc.cli.NAME`` holds the function ``NAME``."""

COMPLETION_VARIABLE = "_YOLODSC_COMPLETE"
"""Environment variable by which a shell asks for completions."""


def __getattr__(name: str) -> Any:
    """``app``, the application of Typer, which most runs do without."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from yolodsc.cli.application import app

    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit status."""
    try:
        _ensure_no_nul(arguments)
        observe_compilation(None if "--quiet" in arguments else Announcement())
        status = _invoked(arguments)
        terminal.flush()
        return status
    except (Exception, KeyboardInterrupt) as error:
        return failure.report(error)


def _invoked(arguments: Sequence[str]) -> int:
    """Return the subcommand's status."""
    call = None if COMPLETION_VARIABLE in os.environ else plain_call(arguments, COMMANDS)
    if call is not None:
        return call()
    from yolodsc.cli.application import invoked

    return invoked(arguments)


def _ensure_no_nul(arguments: Sequence[str]) -> None:
    """Raise an `OptionError` for a NUL: the system passes none, a caller of `run` can."""
    for argument in arguments:
        if "\0" in argument:
            raise OptionError(f"{argument}: has a NUL; expected an argument without one")
