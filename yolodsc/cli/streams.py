"""Standard streams as the rest of the program may take them for granted."""

import os
import sys
from contextlib import suppress


def prepare() -> None:
    """Open descriptors that the parent has closed, and let no character that a stream does not know stop the program.

    A closed descriptor would be given to the next file that is opened, and whatever a library prints would end up in it. In its
    place is the null device, opened the wrong way round: a read from closed input and a write to closed output fail and are
    reported.
    """
    for descriptor, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        _see_that_it_is_open(descriptor, flags)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _see_that_it_is_open(descriptor: int, flags: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, flags)
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)
        os.set_inheritable(descriptor, True)
