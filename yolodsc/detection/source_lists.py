"""Lists of paths, one a line: files of any length and standard input, read as the run goes on."""

import codecs
import os
import sys
from collections.abc import Iterable, Iterator
from io import IOBase
from itertools import count, takewhile

from yolodsc.errors import OptionError

Lines = Iterable[str | bytes]
"""Lines of a list; bytes if they come from a file."""

LONGEST_PATH = 2**16
"""Maximum characters of a line of a list; reading stops at longer lines."""


def standard_lines() -> Lines:
    """Return the lines of standard input, as bytes if possible: file names are bytes and need not match the stream's encoding."""
    return getattr(sys.stdin, "buffer", None) or sys.stdin or ()


def listed_paths(lines: Lines, *, origin: str) -> Iterator[str]:
    """Yield the paths of a list; raise an `OptionError` if it is damaged or empty."""
    count = 0
    try:
        for number, raw in enumerate(_bounded(lines)):
            line = os.fsdecode(raw.removeprefix(codecs.BOM_UTF8) if number == 0 else raw) if isinstance(raw, bytes) else raw
            if "\0" in line or len(line) >= LONGEST_PATH:
                limit = f"NUL bytes or lines of {LONGEST_PATH} characters"
                raise OptionError(f"{origin}: has {limit}; expected a list of paths, one a line")
            if line.strip():
                count += 1
                yield line.strip("\r\n")
    except OSError as error:
        raise OptionError(f"{origin}: cannot be read: {error.strerror}") from None
    if not count:
        raise OptionError(f"{origin}: no paths in this list")


def _bounded(lines: Lines) -> Lines:
    """Return the lines of a stream, each cut to `LONGEST_PATH`."""
    if not isinstance(lines, IOBase):
        return lines
    return takewhile(len, (lines.readline(LONGEST_PATH) for _ in count()))
