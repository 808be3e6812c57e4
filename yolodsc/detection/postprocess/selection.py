"""Compiled: the boxes of a head whose objectness can exceed the threshold, before any activation."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def selected(
    raw: Floats,
    anchors: int,
    entries: int,
    objectness: int,
    area: int,
    limit: Floats,
    columns: Floats,
    cells: Ints,
    numbers: Ints,
) -> int:  # pragma: no cover
    """Gather boxes from a head's input and return their number.

    Parameters
    ----------
    raw : (anchors * entries * area,)
        The head's input.
    objectness
        Entry of the objectness.
    limit : (1,)
        Boxes whose objectness exceeds it are gathered; NaN never does.
    columns : (entries, N)
        Receives the boxes in Darknet's order, cell by cell, anchor by anchor, and zeros up to a multiple of 16.
    cells, numbers : (N,)
        Receive the cell and the anchor of each box.
    """
    count = 0
    for cell in range(area):
        for anchor in range(anchors):
            if raw[(anchor * entries + objectness) * area + cell] > limit[0]:
                cells[count], numbers[count] = cell, anchor
                count += 1
    padded = count + -count % 16
    for entry in range(entries):
        for i in range(count):
            columns[entry, i] = raw[(numbers[i] * entries + entry) * area + cells[i]]
        for i in range(count, padded):
            columns[entry, i] = 0
    return count
