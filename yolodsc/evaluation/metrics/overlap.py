"""Compiled: for every detection the object it overlaps most; COCO's overlap, and which detections reach it."""

import numba as nb

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.tables import Doubles, Flags


@nb.njit(forceinline=True)
def _best_at(
    boxes: Doubles, i: int, first: int, last: int, objects: Doubles, offset: float
) -> tuple[float, int]:  # pragma: no cover
    x1, y1, x2, y2 = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3]
    area = (x2 - x1 + offset) * (y2 - y1 + offset)
    best, index = 0.0, -1
    for j in range(first, last):
        width = min(x2, objects[j, 2]) - max(x1, objects[j, 0]) + offset
        height = min(y2, objects[j, 3]) - max(y1, objects[j, 1]) + offset
        if width <= 0.0 or height <= 0.0:
            continue
        shared = width * height
        other = (objects[j, 2] - objects[j, 0] + offset) * (objects[j, 3] - objects[j, 1] + offset)
        union = area + other - shared
        iou = shared / union if union > 0.0 else 0.0
        if iou > best:
            best, index = iou, j
    return best, index


def best_overlap(
    boxes: Doubles, first: Ints, last: Ints, objects: Doubles, offset: Doubles, overlap: Doubles, index: Ints
) -> int:  # pragma: no cover
    """Write the greatest IoU of each box with ``objects[first:last]``, and which object it is.

    Shapes: boxes (N, 4), first and last (N,), objects (M, 4), offset (1,), overlap and index (N,).
    """
    for i in range(boxes.shape[0]):
        overlap[i], index[i] = _best_at(boxes, i, first[i], last[i], objects, offset[0])
    return 1


@nb.njit(forceinline=True)
def coco_iou(
    x1: float, y1: float, x2: float, y2: float, area: float, objects: Doubles, o: int, crowd: bool
) -> float:  # pragma: no cover
    """IoU with row ``o`` of ``objects`` (M, 4), relative to the detection alone if that is a crowd (``maskApi.c: bbIou``)."""
    width = min(x2, objects[o, 2]) - max(x1, objects[o, 0])
    height = min(y2, objects[o, 3]) - max(y1, objects[o, 1])
    if width <= 0.0 or height <= 0.0:
        return 0.0
    union = area
    if not crowd:
        union = area + (objects[o, 2] - objects[o, 0]) * (objects[o, 3] - objects[o, 1]) - width * height
    return width * height / union


def reaching(
    boxes: Doubles, rows: Ints, first: Ints, last: Ints, objects: Doubles, crowd: Flags, threshold: Doubles, found: Flags
) -> int:  # pragma: no cover
    """Write which of the detections ``rows`` (n,) overlap one of ``objects[first:last]`` by the threshold.

    Shapes: boxes (N, 4), first and last (n,), objects (M, 4), crowd (M,), threshold (1,), found (n,).
    """
    for i in range(len(rows)):
        row = rows[i]
        x1, y1, x2, y2 = boxes[row, 0], boxes[row, 1], boxes[row, 2], boxes[row, 3]
        area = (x2 - x1) * (y2 - y1)
        found[i] = False
        for o in range(first[i], last[i]):
            if coco_iou(x1, y1, x2, y2, area, objects, o, crowd[o]) >= threshold[0]:
                found[i] = True
                break
    return 1
