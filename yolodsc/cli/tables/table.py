"""Tables: aligned columns, plain in a pipe; on a terminal with a quiet heading, bold columns, and never wider than the terminal."""

import os
import sys
import unicodedata
from collections.abc import Collection, Sequence

from yolodsc.cli.terminal import Styled, printable

GAP = "  "
"""Between columns."""


def aligned(
    rows: Sequence[Sequence[str]], *, left: int = 0, heading: bool = True, bold: Collection[int] = (), indent: int = 0
) -> list[str]:
    """Lines of columns as wide as their widest cell; the first ``left`` columns to the left, the others to the right.

    Cells are made `printable` before they are measured; wide characters of East Asia count two. A table that is wider than the
    terminal continues below, with its first column repeated; in a pipe it does not.

    Parameters
    ----------
    heading
        The first row is a heading.
    bold
        Columns that stand out.
    indent
        Spaces before each line.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(display_width, column)) for column in zip(*cells, strict=True)]
    lines: list[str] = []
    for columns in _blocks(widths, terminal_width(), indent):
        lines += [""] if lines else []
        for number, row in enumerate(cells):
            parts = [(_padded(row[c], widths[c], to_the_left=c < left), c in bold) for c in columns]
            lines.append(_line(parts, indent, heading=heading and number == 0))
    return lines


def display_width(text: str) -> int:
    """Columns that a text takes on a terminal: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(character) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def terminal_width() -> int | None:
    """Columns of the terminal; None if standard output is none."""
    stream = sys.stdout
    if stream is None or not stream.isatty():
        return None
    try:
        columns = int(os.environ.get("COLUMNS", "0"))
        return columns or os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def _blocks(widths: Sequence[int], limit: int | None, indent: int) -> list[list[int]]:
    """The columns, in groups that fit the limit; the first column is in each."""
    groups = [[0]]
    used = first = indent + widths[0] if widths else 0
    for column, width in list(enumerate(widths))[1:]:
        if limit is not None and used + len(GAP) + width > limit and len(groups[-1]) > 1:
            groups.append([0])
            used = first
        groups[-1].append(column)
        used += len(GAP) + width
    return groups


def _padded(cell: str, width: int, *, to_the_left: bool) -> str:
    space = " " * (width - display_width(cell))
    return cell + space if to_the_left else space + cell


def _line(parts: Sequence[tuple[str, bool]], indent: int, *, heading: bool) -> Styled:
    """One line, and the characters of it that are styled."""
    text, styles = " " * indent, []
    for number, (cell, bold) in enumerate(parts):
        start = len(text) + (len(GAP) if number else 0)
        text += (GAP if number else "") + cell
        if bold and not heading:
            styles.append((start, len(text), "bold"))
    if heading:
        styles = [(0, len(text), "dim")]
    return Styled(text.rstrip(), styles)
