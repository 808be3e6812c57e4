"""The only file that prints. Text reaches a terminal with control characters escaped.

Names of files and classes are untrusted: they may hold escape codes that hide lines or retitle the window, or marks that change
the direction of writing. They are shown as in Python literals; files that the program writes keep the original text.
"""

import codecs
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO, cast

from yolodsc.errors import OptionError

_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\xad\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # direction, lines, invisible marks
    "\ud800-\udfff]"  # bytes of a file name that are no text
)


STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
"""Codes of ECMA-48."""


class Styled(str):
    """A line with styles, which show on a terminal only.

    Attributes
    ----------
    styles
        Start, end and style of parts that do not overlap, in order.
    """

    styles: Sequence[tuple[int, int, str]]

    def __new__(cls, text: str, styles: Sequence[tuple[int, int, str]] = ()) -> "Styled":
        """A line with styled parts."""
        line = super().__new__(cls, text)
        line.styles = styles
        return line


def styled(text: str, style: str) -> Styled:
    """A line in one style."""
    return Styled(text, [(0, len(text), style)])


def printable(text: str) -> str:
    r"""The text in one line, controls as ``\x1b``, ``\n`` or ``\u202e``, undecodable bytes of file names as ``\xff``."""
    return _CONTROLS.sub(lambda found: _escaped(found[0]), text)


def say(*lines: str) -> None:
    """Print results on standard output."""
    _write(sys.stdout, *lines)


def show(text: str) -> None:
    """Print text of the program itself; its escape codes are kept."""
    if sys.stdout is not None:
        sys.stdout.write(f"{text}\n")


def colours(stream: TextIO | None) -> bool:
    """Whether output may be coloured: on a terminal, unless ``NO_COLOR`` is set (no-color.org) or the terminal is dumb."""
    if stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def standard_output() -> TextIO:
    """Standard output for data: UTF-8 whatever the terminal's encoding, without translation of line ends."""
    buffer = getattr(sys.stdout, "buffer", None)
    return sys.stdout if buffer is None else cast(TextIO, codecs.getwriter("utf-8")(buffer, "surrogateescape"))


def note(text: str) -> None:
    """Print a message about the run on standard error."""
    _write(sys.stderr, f"yolodsc: {text}")


def log(line: str) -> None:
    """Print a line of progress on standard error."""
    _write(sys.stderr, line)


def status(line: str, *, last: bool) -> None:
    """Print a line on standard error that the next call overwrites, unless it is the last."""
    with suppress(OSError):
        sys.stderr.write(f"\r{_encodable(line, sys.stderr)}" + "\n" * last)
        sys.stderr.flush()


def flush() -> None:
    """Flush standard output; raise an `OptionError` if it cannot be written."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        give_up_output()
        raise OptionError(f"standard output: cannot be written: {error.strerror}") from None


def give_up_output() -> None:
    """Send further output to the null device, so that the interpreter can end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(stream: TextIO | None, *lines: str) -> None:
    if stream is None or not lines:
        return
    try:
        colour = colours(stream)
        stream.write("".join(f"{_rendered(line, stream, colour=colour)}\n" for line in lines))
        if stream is sys.stderr or stream.isatty():
            stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        if stream is sys.stdout:
            give_up_output()
            raise OptionError(f"standard output: cannot be written: {error.strerror}") from None


def _rendered(line: str, stream: TextIO, *, colour: bool) -> str:
    """The line, escaped, with its styles if it may be coloured."""
    if not colour or not isinstance(line, Styled):
        return _encodable(line, stream)
    out, end = [], 0
    for start, stop, style in line.styles:
        out += [_encodable(line[end:start], stream), f"\x1b[{STYLES[style]}m", _encodable(line[start:stop], stream), "\x1b[0m"]
        end = stop
    return "".join([*out, _encodable(line[end:], stream)])


def _encodable(line: str, stream: TextIO) -> str:
    """The line, escaped, in characters that the stream can encode."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return printable(line).encode(encoding, "backslashreplace").decode(encoding)


def _escaped(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # os.fsdecode puts the byte there
        return f"\\x{number - 0xDC00:02x}"
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    return short or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}")
