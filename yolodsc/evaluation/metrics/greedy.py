"""Compiled: COCO's matching, in which each detection takes the best object that is not taken yet."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.overlap import coco_iou
from yolodsc.evaluation.metrics.tables import Doubles, Flags

WRONG, RIGHT, IGNORED = 0, 1, 2
MAX_IOU = 1 - 1e-10


@nb.njit(forceinline=True)
def _overlaps(
    boxes: Doubles, low: int, high: int, objects: Doubles, start: int, count: int, crowd: Flags, overlap: Doubles, largest: Doubles
) -> None:  # pragma: no cover
    """Write the overlaps of the detections of a group with its objects, and the largest one of each detection."""
    for i in range(low, high):
        x1, y1, x2, y2 = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3]
        area = (x2 - x1) * (y2 - y1)
        largest[i - low] = 0.0
        for j in range(count):
            iou = coco_iou(x1, y1, x2, y2, area, objects, start + j, crowd[start + j])
            overlap[i - low, j] = iou
            largest[i - low] = max(largest[i - low], iou)


def greedy_outcomes(
    boxes: Doubles, bounds: Ints, first: Ints, last: Ints, objects: Doubles, crowd: Flags, ignored: Flags, outside: Flags,
    thresholds: Doubles, overlap: Doubles, largest: Doubles, taken: Flags, outcomes: NDArray[np.uint8],
) -> int:  # pragma: no cover  # fmt: skip
    """Write the outcome of every detection for every area range and overlap.

    pycocotools ``cocoeval.py: evaluateImg`` and ``maskApi.c: bbIou``: among equal overlaps the last object wins, ordinary
    objects come before ignored ones, a crowd may be taken any number of times, its overlap is relative to the detection
    alone.

    Parameters
    ----------
    boxes : (N, 4)
        Detections by group (class and image), best first.
    bounds : (G + 1,)
        Where each group begins among the detections.
    first, last : (G,)
        Which of the ``objects`` (M, 4) belong to each group.
    crowd : (M,)
    ignored : (A, M)
        Objects that each area range does not ask for.
    outside : (A, N)
        Detections whose area is outside of the range.
    thresholds : (T,)
    overlap : (largest number of detections of a group, of objects), largest, taken
        Scratch, as long as the axes of ``overlap``.
    outcomes : (A, T, N)
        Zeros.
    """
    for group in range(first.shape[0]):
        start, count, low = first[group], last[group] - first[group], bounds[group]
        _overlaps(boxes, low, bounds[group + 1], objects, start, count, crowd, overlap, largest)
        for a in range(ignored.shape[0]):
            for t in range(thresholds.shape[0]):
                for j in range(count):
                    taken[j] = False
                for i in range(low, bounds[group + 1]):
                    best = min(thresholds[t], MAX_IOU)
                    match = -1
                    for ignored_pass in range(2 if largest[i - low] >= best else 0):
                        for j in range(count):
                            if ignored[a, start + j] != (ignored_pass == 1) or (taken[j] and not crowd[start + j]):
                                continue
                            if overlap[i - low, j] >= best:
                                best = overlap[i - low, j]
                                match = j
                        if match >= 0:
                            break
                    if match >= 0:
                        taken[match] = True
                        outcomes[a, t, i] = IGNORED if ignored[a, start + match] else RIGHT
                    elif outside[a, i]:
                        outcomes[a, t, i] = IGNORED
    return 1
