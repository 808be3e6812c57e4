"""From what was raised to one line and an exit status.

An error that is none of ours, the system's or the user's is a defect of the program; the line says so and how to get the traceback.
"""

import errno
import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import typer

from yolodsc.cli.signals import Terminated
from yolodsc.cli.terminal import flush, give_up_output, log, note
from yolodsc.errors import YolodscError

INPUT, DEFECT, INTERRUPTED, PIPE = 2, 70, 130, 141
"""Exit statuses: 2 for an option, an input or a machine that does not allow the run, 70 as EX_SOFTWARE of sysexits.h."""

TRACEBACK = "YOLODSC_TRACEBACK"
"""The environment variable that asks for tracebacks."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Without a file name: of standard output, because every other file is written by `yolodsc.files`, which names it."""

MEMORY_WORDS = ("cannot allocate memory", "failed to map segment", "can't start new thread", "insufficient memory", "bad_alloc")
"""How libraries without MemoryError call the same thing."""

DETAIL = 160
"""Characters of a foreign message that are shown."""


def report(error: BaseException) -> int:
    """Print what the user should know; the exit status."""
    if isinstance(error, BrokenPipeError):
        give_up_output()
        return PIPE
    if isinstance(error, Terminated):
        return 128 + error.number
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return INTERRUPTED
    if os.environ.get(TRACEBACK):
        for line in "".join(traceback.format_exception(error)).rstrip("\n").split("\n"):
            log(line)
    line = _line(error)
    note(line or _defect(error))
    return INPUT if line else DEFECT


def _line(error: BaseException) -> str:
    """What is wrong with input or machine; empty where the program is at fault."""
    if isinstance(error, YolodscError):
        return str(error)
    if hasattr(error, "format_message"):  # usage errors: whatever class the option parser gives them, they know their text
        return _short(error.format_message(), most=1000)
    if any(_out_of_memory(one) for one in _chain(error)):
        detail = f" ({_short(str(error))})" if str(error) else ""
        return f"out of memory{detail}; expected more memory, a smaller network or image, or fewer --threads"
    if isinstance(error, OSError):
        return _of_system(error)
    return _of_library(error)


def _of_library(error: BaseException) -> str:
    """A file that a library found truncated, or a library that cannot be loaded; empty for anything else."""
    if isinstance(error, EOFError):
        return f"a file ended too early: {_short(str(error))}"
    if isinstance(error, ImportError) and not (error.name or "yolodsc").startswith("yolodsc"):
        return f"{error.name} cannot be loaded: {_short(str(error))}"
    return ""


def _of_system(error: OSError) -> str:
    """What the system could not do; empty where nothing says with what."""
    if error.filename is not None:
        return f"{os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename}: {error.strerror or error}"
    if error.errno is None and "shared object" in str(error):
        return f"a library cannot be loaded: {_short(str(error))}"
    try:
        flush()
    except YolodscError as of_output:
        return str(of_output)
    if error.errno in FULL:
        give_up_output()
        return f"standard output: cannot be written: {error.strerror}"
    return f"{error.strerror}" if error.errno in (errno.EMFILE, errno.ENFILE) else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it came from."""
    following: BaseException | None = error
    while following is not None:
        yield following
        following = following.__cause__ or following.__context__


def _out_of_memory(error: BaseException) -> bool:
    """Whether memory or threads ran out, in Python or in a library."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return any(words in str(error).lower() for words in MEMORY_WORDS)


def _short(text: str, *, most: int = DETAIL) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}…"


def _defect(error: BaseException) -> str:
    found = _short(f"{type(error).__name__}: {error}")
    return f"defect of yolodsc{_place(error.__traceback__)}: {found}; please report it with what {TRACEBACK}=1 prints"


def _place(trace: TracebackType | None) -> str:
    """Where in this package it happened."""
    package = Path(__file__).parents[1]
    inside = [frame for frame in traceback.extract_tb(trace) if Path(frame.filename).is_relative_to(package)]
    return f" in {Path(inside[-1].filename).relative_to(package.parent)}:{inside[-1].lineno}" if inside else ""
