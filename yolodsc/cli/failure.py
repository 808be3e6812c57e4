"""Turns an exception into one line and an exit status.

An exception that neither input nor the system can cause is a defect of the program: the line says so, and how to get the traceback.
"""

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from io import UnsupportedOperation
from pathlib import Path
from types import TracebackType
from typing import TextIO

from yolodsc.cli.signals import Terminated
from yolodsc.cli.spelling import with_options
from yolodsc.cli.terminal import flush, give_up_output, log, note
from yolodsc.errors import YolodscError

INPUT, DEFECT, INTERRUPTED, PIPE = 2, 70, 130, 141
"""Exit statuses: 2 if an option, an input or the machine prevents the run, 70 as EX_SOFTWARE of sysexits.h."""

TRACEBACK = "YOLODSC_TRACEBACK"
"""Environment variable that turns on tracebacks."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Without a file name these errors are of standard output: `yolodsc.files`, which writes all other files, names them."""

MEMORY_WORDS = ("cannot allocate memory", "failed to map segment", "can't start new thread", "insufficient memory", "bad_alloc")
"""Messages of libraries that run out of memory and do not raise MemoryError."""

DETAIL = 160
"""Characters of a library's message that are printed."""


def report(error: BaseException) -> int:
    """Print the error in one line and return the exit status."""
    if isinstance(error, BrokenPipeError):
        give_up_output()
        return PIPE
    if isinstance(error, Terminated):
        return 128 + error.number
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if os.environ.get(TRACEBACK):
        for line in "".join(traceback.format_exception(error)).rstrip("\n").split("\n"):
            log(line)
    line = _line(error)
    note(line or _defect(error))
    return INPUT if line else DEFECT


def _line(error: BaseException) -> str:
    """The error of input or machine; empty if the program is at fault."""
    if isinstance(error, YolodscError):
        return with_options(error)
    if hasattr(error, "format_message"):  # usage errors of the option parser, whatever their class
        return _short(error.format_message(), limit=1000)
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
    """The error of the system; empty if it names no file or resource."""
    if error.filename is not None:
        return f"{os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename}: {error.strerror or error}"
    if error.errno is None and "shared object" in str(error):
        return f"a library cannot be loaded: {_short(str(error))}"
    try:
        flush()
    except YolodscError as of_output:
        return str(of_output)
    if error.errno in FULL or (error.errno == errno.EBADF and not _writable(sys.stdout)):
        give_up_output()
        return f"standard output: cannot be written: {error.strerror}"
    return f"{error.strerror}" if error.errno in (errno.EMFILE, errno.ENFILE) else ""


def _writable(stream: TextIO) -> bool:
    """Whether a standard stream can be written to: `streams.prepare` opens a closed one in the wrong direction."""
    try:
        os.write(stream.fileno(), b"")
    except UnsupportedOperation:  # a stream in memory
        return True
    except (OSError, ValueError):
        return False
    return True


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes."""
    following: BaseException | None = error
    while following is not None:
        yield following
        following = following.__cause__ or following.__context__


def _out_of_memory(error: BaseException) -> bool:
    """Whether memory or threads ran out, in Python or in a library."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return any(words in str(error).lower() for words in MEMORY_WORDS)


def _short(text: str, *, limit: int = DETAIL) -> str:
    """One line of at most ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[:limit]}…"


def _defect(error: BaseException) -> str:
    found = _short(f"{type(error).__name__}: {error}")
    return f"defect of yolodsc{_location(error.__traceback__)}: {found}; please report it with what {TRACEBACK}=1 prints"


def _location(trace: TracebackType | None) -> str:
    """File and line in this package that raised it."""
    package = Path(__file__).parents[1]
    inside = [frame for frame in traceback.extract_tb(trace) if Path(frame.filename).is_relative_to(package)]
    return f" in {Path(inside[-1].filename).relative_to(package.parent)}:{inside[-1].lineno}" if inside else ""
