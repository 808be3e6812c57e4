"""The kernel of the error breakdown: match each image as TIDE does, and name what is wrong with every detection."""

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.tables import Doubles, Flags
from yolodsc.jit import njit

RIGHT, CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, BACKGROUND = 1, 2, 3, 4, 5, 6


@njit(cache=True, nogil=True)
def error_kinds(  # noqa: PLR0912, PLR0915 one kernel, one function
    boxes: Doubles,
    class_id: Ints,
    bounds: Ints,
    first: Ints,
    last: Ints,
    objects: Doubles,
    object_class: Ints,
    ignored_first: Ints,
    ignored_last: Ints,
    regions: Doubles,
    region_class: Ints,
    foreground: float,
    background: float,
) -> tuple[NDArray[np.uint8], Flags, Ints, Flags]:  # pragma: no cover
    """Kind of each detection (N,), whether it is ignored (N,), the object it points at (N,; -1: none), and which were found (M,).

    tidecv ``quantify.py: TIDEExample, TIDERun._eval_image``. Detections come by image (``bounds``), best first; objects
    ``first[p]:last[p]`` and regions to be ignored ``ignored_first[p]:ignored_last[p]`` are those of the same image.
    """
    n = boxes.shape[0]
    kinds = np.zeros(n, np.uint8)
    at = np.full(n, -1, np.int64)
    ignored = np.zeros(n, np.bool_)
    used = np.zeros(objects.shape[0], np.bool_)
    longest, max_objects = 0, 0
    for p in range(first.shape[0]):
        longest = max(longest, bounds[p + 1] - bounds[p])
        max_objects = max(max_objects, last[p] - first[p])
    overlap = np.zeros((longest, max_objects))
    for p in range(first.shape[0]):
        low, start, stop = bounds[p], first[p], last[p]
        for i in range(low, bounds[p + 1]):
            area = (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1])
            best, match = 0.0, -1
            for j in range(start, stop):
                width = min(boxes[i, 2], objects[j, 2]) - max(boxes[i, 0], objects[j, 0])
                height = min(boxes[i, 3], objects[j, 3]) - max(boxes[i, 1], objects[j, 1])
                iou = 0.0
                if width > 0.0 and height > 0.0:
                    other = (objects[j, 2] - objects[j, 0]) * (objects[j, 3] - objects[j, 1])
                    iou = width * height / (area + other - width * height)
                overlap[i - low, j - start] = iou
                if object_class[j] == class_id[i] and not used[j] and iou > best:
                    best, match = iou, j
            if match >= 0 and best >= foreground:
                kinds[i] = RIGHT
                used[match] = True
                at[i] = match
                continue
            for r in range(ignored_first[p], ignored_last[p]):
                width = min(boxes[i, 2], regions[r, 2]) - max(boxes[i, 0], regions[r, 0])
                height = min(boxes[i, 3], regions[r, 3]) - max(boxes[i, 1], regions[r, 1])
                inside = region_class[r] == class_id[i] and width > 0.0 and height > 0.0
                if inside and width * height > foreground * area:
                    ignored[i] = True
        for i in range(low, bounds[p + 1]):
            if kinds[i] != 0:
                continue
            same, other_class, taken, overall = 0.0, 0.0, 0.0, 0.0
            same_at, other_at = start, start
            for j in range(start, stop):
                iou = overlap[i - low, j - start]
                overall = max(overall, iou)
                if object_class[j] == class_id[i]:
                    if iou > same:
                        same, same_at = iou, j
                    if used[j]:
                        taken = max(taken, iou)
                elif iou > other_class:
                    other_class, other_at = iou, j
            if start == stop:
                kinds[i] = BACKGROUND
            elif background <= same <= foreground:
                kinds[i], at[i] = LOCALISATION, same_at
            elif other_class >= foreground:
                kinds[i], at[i] = CLASSIFICATION, other_at
            elif taken >= foreground:
                kinds[i] = DUPLICATE
            elif overall <= background:
                kinds[i] = BACKGROUND
            else:
                kinds[i] = BOTH
    return kinds, ignored, at, used
