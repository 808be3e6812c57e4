"""Compiled: boxes and class scores of the selected boxes of a head, with the arithmetic of `Head.decode`, bit for bit."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

ZERO, ONE, TWO, FOUR = np.float32(0), np.float32(1), np.float32(2), np.float32(4)


@nb.njit(forceinline=True)
def _finite(value: np.float32) -> bool:  # pragma: no cover
    return value - value == ZERO


@nb.njit(forceinline=True)
def _finite_in_pixels(boxes: Floats, row: int, width: np.float32, height: np.float32) -> bool:  # pragma: no cover
    """Whether corners, sides and twice the centre are finite in pixels: ``network.drop_nonfinite``."""
    x, y, half_width, half_height = boxes[row, 0], boxes[row, 1], boxes[row, 2] / TWO, boxes[row, 3] / TWO
    left, right = (x - half_width) * width, (x + half_width) * width
    top, bottom = (y - half_height) * height, (y + half_height) * height
    centre = _finite((left + right) / TWO) and _finite((top + bottom) / TWO)
    return centre and _finite(right - left) and _finite(bottom - top)


@nb.njit(forceinline=True)
def _scored(
    active: Floats, i: int, row: int, head: Ints, numbers: Floats, objectness: Floats, probabilities: Floats
) -> bool:  # pragma: no cover
    """Write the class scores of a box, 0 at or under the threshold; whether all are finite."""
    first, certain = head[2], ONE
    if head[3]:  # the mean of the deviations of x, y, w, h
        certain = ONE - (active[1, i] + active[3, i] + active[5, i] + active[7, i]) / FOUR
    finite = _finite(objectness[row])
    for k in range(probabilities.shape[1]):
        conditional = active[first + k, i]
        score = objectness[row] * (conditional * certain if head[3] else conditional)
        probabilities[row, k] = score if score > numbers[0] else ZERO
        finite &= _finite(probabilities[row, k])
    return finite


@nb.njit(forceinline=True)
def _listed(row: int, first: int, probabilities: Floats, rows: Ints, classes: Ints, scores: Floats) -> int:  # pragma: no cover
    """Append the scores of a box that are not 0, from entry ``first``; the next entry, which may lie beyond the arrays."""
    entry = first
    for k in range(probabilities.shape[1]):
        if probabilities[row, k] != ZERO:
            if entry < len(rows):
                rows[entry], classes[entry], scores[entry] = row, k, -probabilities[row, k]
            entry += 1
    return entry


def boxed(
    active: Floats, factors: Floats, cells: Ints, anchors: Ints, head: Ints, sizes: Floats, numbers: Floats, state: Ints,
    boxes: Floats, objectness: Floats, probabilities: Floats, rows: Ints, classes: Ints, scores: Floats,
) -> int:  # pragma: no cover  # fmt: skip
    """Append the boxes of a head whose objectness exceeds the threshold, and their class scores.

    Parameters
    ----------
    active : (entries, N), factors : (2, N)
        Activated boxes, and what the sizes of their anchors are multiplied by.
    cells, anchors : (N,)
        Cell and anchor of each box.
    head
        (columns of the grid, rows, entry of the first class, whether the box has deviations, whether the letterbox is undone,
        entries of x, y and the objectness).
    sizes : (anchors + 2, 2)
        Sizes of the anchors, what they are divided by, and (offset of the centre in sizes, 0).
    numbers
        (threshold, width and height of the image in pixels, offset x, y, scale x, y of the letterbox).
    state
        (boxes of this head, rows so far, entries so far); the last two are updated.
    boxes : (M, 4), objectness : (M,), probabilities : (M, K)
        The candidates of all heads.
    rows, classes, scores : (E,)
        Row, class and negated score of the first E scores that are not 0.
    """
    row, entry = state[1], state[2]
    divisor, offset = len(sizes) - 2, sizes[len(sizes) - 1, 0]
    for i in range(state[0]):
        objectness[row] = active[head[7], i]
        if not objectness[row] > numbers[0]:
            continue
        for axis in range(2):
            cell = cells[i] // head[0] if axis else cells[i] % head[0]
            centre = (np.float32(cell) + active[head[5 + axis], i]) / np.float32(head[axis])
            size = factors[axis, i] * sizes[anchors[i], axis] / sizes[divisor, axis]
            if head[3]:
                centre += offset * size
            if head[4]:
                centre = (centre - numbers[3 + axis]) / numbers[5 + axis]
                size = size / numbers[5 + axis]
            boxes[row, axis], boxes[row, 2 + axis] = centre, size
        finite = _scored(active, i, row, head, numbers, objectness, probabilities)
        if finite and _finite_in_pixels(boxes, row, numbers[1], numbers[2]):
            entry = _listed(row, entry, probabilities, rows, classes, scores)
            row += 1
    state[1], state[2] = row, entry
    return row
