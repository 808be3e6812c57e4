"""The kernel of matching: for every detection the object it overlaps most."""

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.tables import Doubles
from yolodsc.jit import njit


@njit(cache=True, nogil=True)
def best_overlap(
    boxes: Doubles, first: Ints, last: Ints, objects: Doubles, offset: float
) -> tuple[Doubles, Ints]:  # pragma: no cover
    """Greatest IoU of each box with ``objects[first:last]``, and which object it is (the first of equals; -1: none).

    Shapes: boxes (N, 4), first and last (N,), objects (M, 4), all corners; ``offset`` is added to widths and heights.
    """
    n = boxes.shape[0]
    overlap = np.zeros(n)
    index = np.full(n, -1, np.int64)
    for i in range(n):
        if first[i] == last[i]:
            continue
        x1, y1, x2, y2 = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3]
        area = (x2 - x1 + offset) * (y2 - y1 + offset)
        best = 0.0
        for j in range(first[i], last[i]):
            width = min(x2, objects[j, 2]) - max(x1, objects[j, 0]) + offset
            height = min(y2, objects[j, 3]) - max(y1, objects[j, 1]) + offset
            if width <= 0.0 or height <= 0.0:
                continue
            shared = width * height
            other = (objects[j, 2] - objects[j, 0] + offset) * (objects[j, 3] - objects[j, 1] + offset)
            union = area + other - shared
            iou = shared / union if union > 0.0 else 0.0
            if iou > best:
                best = iou
                index[i] = j
        overlap[i] = best
    return overlap, index
