"""Which classes are taken for which: the confusion matrix of detections and objects."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.tables import DetectionTable, Doubles, GroundTruth

CONFUSION_IOU = 0.5
"""Smallest overlap of a detection and the object that it is counted at."""


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """Objects and detections, counted in pairs.

    Attributes
    ----------
    matrix : (C + 1, C + 1) int64
        Row: class of the object, column: class of the detection. The last row counts detections without an object, the last
        column objects without a detection.
    thresh
        Score above which detections are counted.
    """

    matrix: Ints
    thresh: float

    def pairs(self) -> list[tuple[int, int, int]]:
        """Object class, detection class and count of the confusions of two classes, most frequent first."""
        inner = self.matrix[:-1, :-1].copy()
        np.fill_diagonal(inner, 0)
        rows, columns = np.nonzero(inner)
        counts = inner[rows, columns]
        order = np.argsort(-counts, kind="stable")
        return [(int(rows[i]), int(columns[i]), int(counts[i])) for i in order]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"iou": CONFUSION_IOU, "thresh": self.thresh, "matrix": self.matrix.tolist()}


def confusion(ground_truth: GroundTruth, detections: DetectionTable, *, classes: int, thresh: float) -> Confusion:
    """Pair detections above ``thresh`` with objects of any class, greatest overlap first, each at most once, as Ultralytics does.

    A detection of a difficult object or a crowd is not counted.
    """
    kept = detections[detections.score > thresh]
    kept = kept[np.argsort(kept.image, kind="stable")]
    objects = ground_truth[np.argsort(ground_truth.image, kind="stable")]
    matrix = np.zeros((classes + 1, classes + 1), np.int64)
    ignored = objects.difficult | objects.crowd
    found, used = np.full(len(kept), -1, np.int64), np.zeros(len(objects), bool)
    for image in np.unique(kept.image):
        low, high = np.searchsorted(kept.image, [image, image + 1])
        first, last = np.searchsorted(objects.image, [image, image + 1])
        for d, o in _pairs(kept.boxes_xyxy[low:high], objects.boxes_xyxy[first:last]):
            found[low + d] = first + o
            used[first + o] = True
    paired = np.flatnonzero((found >= 0) & ~ignored[found])
    np.add.at(matrix, (objects.class_id[found[paired]], kept.class_id[paired]), 1)
    matrix[classes, :-1] = np.bincount(kept.class_id[found < 0], minlength=classes)
    matrix[:-1, classes] = np.bincount(objects.class_id[~used & ~ignored], minlength=classes)
    return Confusion(matrix, thresh)


def _pairs(boxes: Doubles, objects: Doubles) -> list[tuple[int, int]]:
    """Rows of detections (N, 4) and objects (M, 4): a detection claims the object that it overlaps most, the best claim counts."""
    if not len(objects):
        return []
    overlap = pairwise_iou(boxes, objects)
    claimed, best = overlap.argmax(axis=1), overlap.max(axis=1)
    pairs: dict[int, int] = {}
    for d in np.argsort(-best, kind="stable"):
        if best[d] > CONFUSION_IOU:
            pairs.setdefault(int(claimed[d]), int(d))
    return [(d, o) for o, d in pairs.items()]


def pairwise_iou(a: Doubles, b: Doubles) -> Doubles:
    """IoU of all pairs of boxes (N, 4) and (M, 4), given by their corners: (N, M); 0 for boxes without area."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(high - low, 0.0)  # (N, M, 2)
    shared = sides[..., 0] * sides[..., 1]
    areas = [(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
