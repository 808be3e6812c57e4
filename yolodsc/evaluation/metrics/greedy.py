"""The kernel of COCO's matching: each detection takes the best object that is not taken yet."""

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.overlap import coco_iou
from yolodsc.evaluation.metrics.tables import Doubles, Flags
from yolodsc.jit import njit

WRONG, RIGHT, IGNORED = 0, 1, 2


@njit(cache=True, nogil=True)
def greedy_outcomes(  # noqa: PLR0912 loops in helpers, inlined or not, take three to five times as long
    boxes: Doubles,
    bounds: Ints,
    first: Ints,
    last: Ints,
    objects: Doubles,
    crowd: Flags,
    ignored: Flags,
    outside: Flags,
    thresholds: Doubles,
) -> NDArray[np.uint8]:  # pragma: no cover
    """Outcome of every detection for every area range and overlap: (A, T, N) uint8.

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
    """
    ranges, steps, n = ignored.shape[0], thresholds.shape[0], boxes.shape[0]
    outcomes = np.zeros((ranges, steps, n), np.uint8)
    max_objects = 0
    longest = 0
    for group in range(first.shape[0]):
        max_objects = max(max_objects, last[group] - first[group])
        longest = max(longest, bounds[group + 1] - bounds[group])
    overlap = np.zeros((longest, max_objects))
    largest = np.zeros(longest)  # overlap of each detection of the group with any object
    taken = np.zeros(max_objects, np.bool_)
    for group in range(first.shape[0]):
        start, count = first[group], last[group] - first[group]
        for i in range(bounds[group], bounds[group + 1]):
            x1, y1, x2, y2 = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3]
            area = (x2 - x1) * (y2 - y1)
            largest[i - bounds[group]] = 0.0
            for j in range(count):
                o = start + j
                iou = coco_iou(x1, y1, x2, y2, area, objects, o, crowd[o])
                overlap[i - bounds[group], j] = iou
                largest[i - bounds[group]] = max(largest[i - bounds[group]], iou)
        for a in range(ranges):
            for t in range(steps):
                taken[:count] = False
                for i in range(bounds[group], bounds[group + 1]):
                    best = min(thresholds[t], 1 - 1e-10)
                    match = -1
                    for ignored_pass in range(2 if largest[i - bounds[group]] >= best else 0):
                        for j in range(count):
                            if ignored[a, start + j] != (ignored_pass == 1) or (taken[j] and not crowd[start + j]):
                                continue
                            if overlap[i - bounds[group], j] >= best:
                                best = overlap[i - bounds[group], j]
                                match = j
                        if match >= 0:
                            break
                    if match >= 0:
                        taken[match] = True
                        outcomes[a, t, i] = IGNORED if ignored[a, start + match] else RIGHT
                    elif outside[a, i]:
                        outcomes[a, t, i] = IGNORED
    return outcomes
