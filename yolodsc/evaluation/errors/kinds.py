"""Compiled: match each image as TIDE does, and name what is wrong with every detection."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.tables import Doubles, Flags

RIGHT, CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, BACKGROUND = 1, 2, 3, 4, 5, 6


@nb.njit(forceinline=True)
def _shared_area(a: Doubles, i: int, b: Doubles, j: int) -> float:  # pragma: no cover
    """Area that two rows of boxes (N, 4) have in common; 0 where they do not overlap."""
    width = min(a[i, 2], b[j, 2]) - max(a[i, 0], b[j, 0])
    height = min(a[i, 3], b[j, 3]) - max(a[i, 1], b[j, 1])
    return width * height if width > 0.0 and height > 0.0 else 0.0


@nb.njit(forceinline=True)
def _area(boxes: Doubles, i: int) -> float:  # pragma: no cover
    return (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1])


@nb.njit(forceinline=True)
def _best_object(
    boxes: Doubles,
    i: int,
    class_id: int,
    objects: Doubles,
    object_class: Ints,
    first: int,
    last: int,
    used: Flags,
    overlap: Doubles,
    row: int,
) -> tuple[float, int]:  # pragma: no cover
    """Overlap and row of the best unused object of the class, (0, -1) if there is none; fills ``overlap[row]``."""
    best, match = 0.0, -1
    area = _area(boxes, i)
    for j in range(first, last):
        shared = _shared_area(boxes, i, objects, j)
        iou = shared / (area + _area(objects, j) - shared) if shared > 0.0 else 0.0
        overlap[row, j - first] = iou
        if object_class[j] == class_id and not used[j] and iou > best:
            best, match = iou, j
    return best, match


@nb.njit(forceinline=True)
def _is_ignored(
    boxes: Doubles, i: int, class_id: int, regions: Doubles, region_class: Ints, first: int, last: int, foreground: float
) -> bool:  # pragma: no cover
    """Whether enough of a detection lies in a region of its class that is to be ignored."""
    for r in range(first, last):
        shared = _shared_area(boxes, i, regions, r) if region_class[r] == class_id else 0.0
        if shared > 0.0 and shared > foreground * _area(boxes, i):
            return True
    return False


@nb.njit(forceinline=True)
def _error(
    class_id: int, object_class: Ints, first: int, last: int, used: Flags, overlap: Doubles, row: int, limits: Doubles
) -> tuple[int, int]:  # pragma: no cover
    """Kind of a detection that is not right, and the row of the object it points at (-1: none)."""
    foreground, background = limits[0], limits[1]
    same, other, taken, overall = 0.0, 0.0, 0.0, 0.0
    same_at, other_at = first, first
    for j in range(first, last):
        iou = overlap[row, j - first]
        overall = max(overall, iou)
        if object_class[j] != class_id:
            if iou > other:
                other, other_at = iou, j
            continue
        if iou > same:
            same, same_at = iou, j
        if used[j]:
            taken = max(taken, iou)
    if first == last:
        return BACKGROUND, -1
    if background <= same <= foreground:
        return LOCALISATION, same_at
    if other >= foreground:
        return CLASSIFICATION, other_at
    if taken >= foreground:
        return DUPLICATE, -1
    return (BACKGROUND if overall <= background else BOTH), -1


def error_kinds(
    boxes: Doubles, class_id: Ints, bounds: Ints, members: Ints, objects: Doubles, object_class: Ints, regions: Doubles,
    region_class: Ints, limits: Doubles, overlap: Doubles, kinds: NDArray[np.uint8], ignored: Flags, at: Ints, used: Flags,
) -> int:  # pragma: no cover  # fmt: skip
    """Write the kind of each detection, whether it is ignored, the object it points at (-1: none), and which objects were found.

    tidecv ``quantify.py: TIDEExample, TIDERun._eval_image``.

    Parameters
    ----------
    boxes : (N, 4), class_id : (N,)
        Detections by image, best first.
    bounds : (P + 1,)
        Where each image begins among the detections.
    members : (4, P)
        First and last object, first and last ignored region of each image.
    objects : (M, 4), object_class : (M,), regions : (R, 4), region_class : (R,)
    limits
        (smallest overlap of the foreground, largest of the background).
    overlap : (largest number of detections of an image, of objects)
        Scratch.
    kinds, ignored, at : (N,), used : (M,)
        Zeros; they receive the result.
    """
    for p in range(members.shape[1]):
        low, first, last = bounds[p], members[0, p], members[1, p]
        for i in range(low, bounds[p + 1]):
            best, match = _best_object(boxes, i, class_id[i], objects, object_class, first, last, used, overlap, i - low)
            at[i] = -1
            if match >= 0 and best >= limits[0]:
                kinds[i], at[i] = RIGHT, match
                used[match] = True
            else:
                ignored[i] = _is_ignored(boxes, i, class_id[i], regions, region_class, members[2, p], members[3, p], limits[0])
        for i in range(low, bounds[p + 1]):
            if kinds[i] == 0:
                kinds[i], at[i] = _error(class_id[i], object_class, first, last, used, overlap, i - low, limits)
    return 1
