"""Plain tables: the same on a terminal and in a pipe."""

from collections.abc import Sequence

from yolodsc.cli.terminal import printable


def aligned(rows: Sequence[Sequence[str]], *, left: int = 0) -> list[str]:
    """Lines of columns as wide as their widest cell; the first ``left`` columns to the left, the others to the right.

    Cells are made `printable` before they are measured.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
