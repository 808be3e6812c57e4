"""The kernel of the error breakdown: match each image as TIDE does, and name what is wrong with every detection."""

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.tables import Doubles, Flags
from yolodsc.jit import njit

RIGHT, CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, BACKGROUND = 1, 2, 3, 4, 5, 6


@njit(forceinline=True)
def _shared_area(a: Doubles, b: Doubles) -> float:  # pragma: no cover
    """Area that two boxes (4,) have in common; 0 where they do not overlap."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0.0 and height > 0.0 else 0.0


@njit(forceinline=True)
def _area(box: Doubles) -> float:  # pragma: no cover
    return (box[2] - box[0]) * (box[3] - box[1])


@njit(forceinline=True)
def _best_object(
    box: Doubles, class_id: int, objects: Doubles, object_class: Ints, used: Flags, overlap: Doubles
) -> tuple[float, int]:  # pragma: no cover
    """Overlap and index of the best unused object of the class, (0, -1) if there is none; fills ``overlap``."""
    best, match = 0.0, -1
    area = _area(box)
    for j in range(len(objects)):
        shared = _shared_area(box, objects[j])
        iou = shared / (area + _area(objects[j]) - shared) if shared > 0.0 else 0.0
        overlap[j] = iou
        if object_class[j] == class_id and not used[j] and iou > best:
            best, match = iou, j
    return best, match


@njit(forceinline=True)
def _is_ignored(box: Doubles, class_id: int, regions: Doubles, region_class: Ints, foreground: float) -> bool:  # pragma: no cover
    """Whether enough of a detection lies in a region of its class that is to be ignored."""
    for r in range(len(regions)):
        shared = _shared_area(box, regions[r]) if region_class[r] == class_id else 0.0
        if shared > 0.0 and shared > foreground * _area(box):
            return True
    return False


@njit(forceinline=True)
def _error(
    class_id: int, object_class: Ints, used: Flags, overlap: Doubles, foreground: float, background: float
) -> tuple[int, int]:  # pragma: no cover
    """Kind of a detection that is not right, and the object it points at (-1: none)."""
    same, other, taken, overall = 0.0, 0.0, 0.0, 0.0
    same_at, other_at = 0, 0
    for j in range(len(object_class)):
        iou = overlap[j]
        overall = max(overall, iou)
        if object_class[j] != class_id:
            if iou > other:
                other, other_at = iou, j
            continue
        if iou > same:
            same, same_at = iou, j
        if used[j]:
            taken = max(taken, iou)
    if len(object_class) == 0:
        return BACKGROUND, -1
    if background <= same <= foreground:
        return LOCALISATION, same_at
    if other >= foreground:
        return CLASSIFICATION, other_at
    if taken >= foreground:
        return DUPLICATE, -1
    return (BACKGROUND if overall <= background else BOTH), -1


@njit(cache=True, nogil=True)
def error_kinds(
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
        low, start, members = bounds[p], first[p], slice(first[p], last[p])
        parts = objects[members], object_class[members], used[members]
        skipped = slice(ignored_first[p], ignored_last[p])
        for i in range(low, bounds[p + 1]):
            best, match = _best_object(boxes[i], class_id[i], *parts, overlap[i - low])
            if match >= 0 and best >= foreground:
                kinds[i], at[i] = RIGHT, start + match
                used[start + match] = True
            else:
                ignored[i] = _is_ignored(boxes[i], class_id[i], regions[skipped], region_class[skipped], foreground)
        for i in range(low, bounds[p + 1]):
            if kinds[i] == 0:
                kinds[i], match = _error(class_id[i], parts[1], parts[2], overlap[i - low], foreground, background)
                at[i] = start + match if match >= 0 else -1
    return kinds, ignored, at, used
