"""Makes standard streams usable: open, and able to print every character."""

import os
import sys
from contextlib import suppress


def prepare() -> None:
    """Open descriptors that the parent has closed, and escape characters that a stream cannot encode.

    The system would give a closed descriptor to the next file that is opened, and output of libraries would end up in that file.
    The null device replaces it, opened in the wrong direction: reading closed input and writing closed output fail, and the
    failure is reported.
    """
    for descriptor, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        _ensure_open(descriptor, flags)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _ensure_open(descriptor: int, flags: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, flags)
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)
        os.set_inheritable(descriptor, True)
