"""Compiled: greedy non-maximum suppression of the scores of all classes, best first, with the arithmetic of ``network.nms``.

The power in the DIoU is not computed: each square root bounds it closer, until both bounds give the same decision.
"""

import math

import numba as nb
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

ZERO, TWO = np.float32(0), np.float32(2)
BITS = 60
"""Binary digits of the exponent after the point."""
MANY = 1000
"""Number of kept boxes of one class beyond which another implementation is faster."""
UNDECIDED = -1
_SLACK = 1e-13
"""Relative error of the bounds, which covers that of any library's power."""


@nb.njit(forceinline=True)
def _overlap(boxes: Floats, better: int, other: int) -> np.float32:  # pragma: no cover
    """``network.iou``."""
    common = np.float32(1)
    for axis in range(2):
        half, half_other = boxes[better, 2 + axis] / TWO, boxes[other, 2 + axis] / TWO
        low, low_other = boxes[better, axis] - half, boxes[other, axis] - half_other
        high, high_other = boxes[better, axis] + half, boxes[other, axis] + half_other
        side = (high_other if high_other < high else high) - (low_other if low_other > low else low)
        common *= side if side > ZERO else ZERO
    union = boxes[better, 2] * boxes[better, 3] + boxes[other, 2] * boxes[other, 3] - common
    if common == ZERO:
        return common
    return common / union if union != ZERO else ZERO


@nb.njit(forceinline=True)
def _distance(boxes: Floats, better: int, other: int) -> np.float32:  # pragma: no cover
    """Squared distance of the centres over the squared diagonal of the enclosing box."""
    diagonal, distance = ZERO, ZERO
    for axis in range(2):
        half, half_other = boxes[better, 2 + axis] / TWO, boxes[other, 2 + axis] / TWO
        low, low_other = boxes[better, axis] - half, boxes[other, axis] - half_other
        high, high_other = boxes[better, axis] + half, boxes[other, axis] + half_other
        side = (high_other if high_other > high else high) - (low_other if low_other < low else low)
        offset = boxes[other, axis] - boxes[better, axis]
        diagonal += side * side
        distance += offset * offset
    return distance / diagonal if diagonal != ZERO else ZERO


@nb.njit(forceinline=True)
def _exceeds(ratio: np.float32, relative: np.float32, exponent: int, thresh: np.float32) -> int:  # pragma: no cover
    """Whether ``ratio - relative ** exponent`` exceeds the threshold: 1, 0 or `UNDECIDED`."""
    if not ZERO <= relative <= np.float32(1):
        return UNDECIDED
    root = float(relative)
    power = root if exponent >> BITS else 1.0
    for digit in range(BITS - 1, -1, -1):
        root = math.sqrt(root)
        if exponent >> digit & 1:
            power *= root
        low, high = np.float32(power * root * (1 - _SLACK)), np.float32(power * (1 + _SLACK))
        if ratio - high > thresh:
            return 1
        if not ratio - low > thresh:
            return 0
    return UNDECIDED


@nb.njit(forceinline=True)
def _suppresses(boxes: Floats, better: int, other: int, exponent: int, thresh: np.float32) -> int:  # pragma: no cover
    ratio = _overlap(boxes, better, other)
    if not ratio > thresh:  # a distance only lowers it
        return 0
    return _exceeds(ratio, _distance(boxes, better, other), exponent, thresh) if exponent else 1


def suppressed(
    order: Ints, state: Ints, rows: Ints, classes: Ints, scores: Floats, boxes: Floats, objectness: Floats, exponent: int,
    numbers: Floats, last: Ints, previous: Ints, out_boxes: Floats, out_numbers: Floats, out_ids: Ints,
) -> int:  # pragma: no cover  # fmt: skip
    """Write the entries that no better entry of their class suppresses, best first; their number, or `UNDECIDED`.

    Parameters
    ----------
    order : (E,)
        Entries, best first.
    state, rows, classes, scores, boxes, objectness
        As `boxes.boxed` leaves them.
    exponent
        Of the distance, times 2 ** `BITS`; 0 compares plain overlaps.
    numbers
        (threshold, width and height of the image in pixels).
    last : (K,), previous : (E,)
        Scratch: the last kept entry of each class, and the kept entry before each.
    out_boxes : (E, 4), out_numbers : (2, E), out_ids : (2, E)
        Corners in pixels; scores and objectness; classes and rows.
    """
    for k in range(len(last)):
        last[k] = -1
    kept = 0
    for number in range(state[2]):
        entry = order[number]
        row, k = rows[entry], classes[entry]
        verdict, compared, better = 0, 0, last[k]
        while better >= 0 and verdict == 0:
            verdict = _suppresses(boxes, out_ids[1, better], row, exponent, numbers[0])
            better, compared = previous[better], compared + 1
        if verdict == UNDECIDED or compared > MANY:
            return UNDECIDED
        if verdict:
            continue
        for axis in range(2):
            half = boxes[row, 2 + axis] / TWO
            out_boxes[kept, axis] = (boxes[row, axis] - half) * numbers[1 + axis]
            out_boxes[kept, 2 + axis] = (boxes[row, axis] + half) * numbers[1 + axis]
        out_numbers[0, kept], out_numbers[1, kept] = -scores[entry], objectness[row]
        out_ids[0, kept], out_ids[1, kept] = k, row
        previous[kept], last[k] = last[k], kept
        kept += 1
    return kept
