"""Boxes in both formats, their overlaps, and Darknet's kinds of non-maximum suppression.

``boxes_xywh`` are centre based, ``boxes_xyxy`` corner based; relative to the image unless said otherwise.
"""

from typing import Literal

import numpy as np
from msgspec.structs import replace

from yolodsc.arrays import Array
from yolodsc.values import Value

NmsKind = Literal["default", "greedynms", "diounms", "cornersnms"]
"""``[yolo] nms_kind``: plain IoU, DIoU with the fixed exponent 0.6, DIoU with ``beta_nms``; cornersnms is plain IoU too."""

GREEDY_EXPONENT = 0.6
"""The exponent of ``greedynms``, whatever ``beta_nms`` says (``box.c: box_diou``)."""


_BLOCK = 32
"""Number of boxes whose overlaps are computed at once."""

_MANY = 1000
"""Number of boxes of one class at which compiled suppression is used; NumPy needs 20 ms for fewer, less than loading Numba."""


class Candidates(Value, eq=False):
    """Boxes decoded from one image, before suppression: Darknet's array of ``detection``.

    Attributes
    ----------
    boxes_xywh : (N, 4) float32
        Centre and size, relative (0..1), not clipped.
    objectness : (N,) float32
    probabilities : (N, K) float32
        Per class; 0 where at or under the threshold.
    """

    boxes_xywh: Array
    objectness: Array
    probabilities: Array

    def __len__(self) -> int:
        return len(self.objectness)


def concatenated(parts: list[Candidates]) -> Candidates:
    """The candidates of several heads in the order of the heads; all have the same classes."""
    return Candidates(
        np.concatenate([part.boxes_xywh for part in parts]),
        np.concatenate([part.objectness for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
    )


def drop_nonfinite(candidates: Candidates, *, width: int, height: int) -> Candidates:
    """The candidates whose scores are finite, and whose boxes are finite in pixels of an image of ``width`` x ``height``.

    Networks whose outputs overflow produce boxes of infinite size. File formats cannot express them, and they give NaN in
    suppression. Darknet keeps them.
    """
    pixels = np.array([width, height, width, height], np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        boxes = to_xywh(to_xyxy(candidates.boxes_xywh) * pixels)  # finite only where corners, sides and twice the centre are
    scores = np.isfinite(candidates.objectness) & np.isfinite(candidates.probabilities).all(axis=1)
    kept = np.isfinite(boxes).all(axis=1) & scores
    if kept.all():
        return candidates
    return Candidates(candidates.boxes_xywh[kept], candidates.objectness[kept], candidates.probabilities[kept])


def to_xyxy(boxes_xywh: Array) -> Array:
    """Corners (left, top, right, bottom) of (N, 4) boxes given by centre and size."""
    centres, half = boxes_xywh[:, :2], boxes_xywh[:, 2:] / 2
    return np.concatenate([centres - half, centres + half], axis=1)


def to_xywh(boxes_xyxy: Array) -> Array:
    """Centre and size of (N, 4) boxes given by corners."""
    first, last = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    return np.concatenate([(first + last) / 2, last - first], axis=1)


def iou(box: Array, others: Array) -> Array:
    """Intersection over union of centre-based boxes whose leading axes broadcast; 0 where one is empty (``box.c: box_iou``)."""
    low, high = np.maximum(_low(box), _low(others)), np.minimum(_high(box), _high(others))
    sides = np.maximum(high - low, 0)
    intersection = sides[..., 0] * sides[..., 1]
    union = box[..., 2] * box[..., 3] + others[..., 2] * others[..., 3] - intersection
    out: Array = np.divide(intersection, union, out=np.zeros_like(union), where=(intersection != 0) & (union != 0))
    return out


def diou(box: Array, others: Array, *, exponent: float) -> Array:
    """IoU less (d² / c²) ** exponent: centre distance over the diagonal of the enclosing box (``box.c: box_diounms``)."""
    sides = np.maximum(_high(box), _high(others)) - np.minimum(_low(box), _low(others))
    diagonal = sides[..., 0] ** 2 + sides[..., 1] ** 2
    offset_xy = others[..., :2] - box[..., :2]
    distance = offset_xy[..., 0] ** 2 + offset_xy[..., 1] ** 2
    penalty = np.divide(distance, diagonal, out=np.zeros_like(diagonal), where=diagonal != 0)
    overlap: Array = iou(box, others) - (penalty.astype(np.float64) ** exponent).astype(np.float32)  # C's pow is double
    return overlap


def nms(candidates: Candidates, *, kind: NmsKind, thresh: float, beta: float = GREEDY_EXPONENT) -> Candidates:
    """Non-maximum suppression, class by class: probabilities of boxes that overlap a better one become 0.

    Equal probabilities keep their order. Units matter for the DIoU kinds, which uneven scaling changes: Darknet's ``test`` and
    ``map`` work on relative boxes. Source: ``box.c: do_nms_sort, diounms_sort``.

    Parameters
    ----------
    thresh
        Boxes with a larger overlap (strictly) with a better box are suppressed.
    beta
        Exponent of ``diounms``.
    """
    probabilities = np.where(candidates.objectness[:, None] == 0, np.float32(0), candidates.probabilities)
    with np.errstate(invalid="ignore", over="ignore"):
        for column in probabilities.T:  # (N,), a view
            rows = np.flatnonzero(column)
            rows = rows[np.argsort(-column[rows], kind="stable")]
            suppressed = _suppressed if len(rows) < _MANY else _suppressed_compiled
            column[suppressed(candidates.boxes_xywh, rows, kind=kind, thresh=thresh, beta=beta)] = 0
    return replace(candidates, probabilities=probabilities)


def _suppressed(boxes: Array, rows: np.ndarray, *, kind: NmsKind, thresh: float, beta: float) -> np.ndarray:
    """The rows, sorted best first, that overlap a better row that is kept.

    The best remaining rows are compared with all remaining rows, one block at a time, which takes few large NumPy calls.
    """
    removed = [rows[:0]]
    while len(rows):
        count = min(_BLOCK, len(rows))
        over = _overlap(boxes[rows[:count], None], boxes[rows], kind=kind, beta=beta) > thresh  # (count, rows)
        alive = np.ones(len(rows), bool)
        for rank in range(count):
            if alive[rank]:
                alive[rank + 1 :] &= ~over[rank, rank + 1 :]
        removed.append(rows[~alive])
        rows = rows[count:][alive[count:]]
    return np.concatenate(removed)


def _suppressed_compiled(boxes: Array, rows: np.ndarray, *, kind: NmsKind, thresh: float, beta: float) -> np.ndarray:
    """The same, compiled."""
    from yolodsc.network.suppression import kept

    ranked = boxes[rows]
    return rows[~kept(ranked, _low(ranked), _high(ranked), thresh=thresh, exponent=nms_exponent(kind, beta))]


def _overlap(box: Array, others: Array, *, kind: NmsKind, beta: float) -> Array:
    exponent = nms_exponent(kind, beta)
    return iou(box, others) if exponent is None else diou(box, others, exponent=exponent)


def nms_exponent(kind: NmsKind, beta: float) -> float | None:
    """The exponent of the distance in the overlap; None if it is not used. Numbers of a cfg have single precision."""
    return {"greedynms": GREEDY_EXPONENT, "diounms": float(np.float32(beta))}.get(kind)


def _low(boxes: Array) -> Array:
    return (boxes[..., :2] - boxes[..., 2:] / 2).astype(np.float32, copy=False)


def _high(boxes: Array) -> Array:
    return (boxes[..., :2] + boxes[..., 2:] / 2).astype(np.float32, copy=False)
