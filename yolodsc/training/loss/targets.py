"""Target boxes of a batch, and the overlap of predicted boxes with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.network import iou
from yolodsc.training.loss.grid import Doubles

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class TargetBoxes:
    """The labelled objects of a batch, in the order of its images.

    Attributes
    ----------
    image, class_id : (K,) int64
    boxes_xywh : (K, 4) float32
        Relative to the image.
    """

    image: Ints
    class_id: Ints
    boxes_xywh: Array

    @classmethod
    def joined(cls, labels: Sequence[Array]) -> Self:
        """Return the target boxes of labels (M, 5), one array an image: class, centre, size."""
        rows = np.concatenate([*labels, np.zeros((0, 5), np.float32)])
        image = np.repeat(np.arange(len(labels)), [len(objects) for objects in labels])
        return cls(image, rows[:, 0].astype(np.int64), np.ascontiguousarray(rows[:, 1:], np.float32))

    def __len__(self) -> int:
        return len(self.image)


def best_overlaps(boxes: Array, targets: TargetBoxes) -> tuple[Array, Ints]:
    """Return for boxes (N, P, 4) the largest IoU with a target of the image, and the row of that target or -1: (N, P) each."""
    best = np.zeros(boxes.shape[:2], np.float32)
    rows = np.full(boxes.shape[:2], -1, np.int64)
    for k, (n, target) in enumerate(zip(targets.image, targets.boxes_xywh, strict=True)):
        overlap = iou(target, boxes[n])  # (P,)
        better = overlap > best[n]
        best[n][better] = overlap[better]
        rows[n][better] = k
    return best, rows


def shape_overlaps(sizes: Array, anchors: Doubles) -> Doubles:
    """Return the IoU (K, A) of sizes (K, 2) with anchors (A, 2), both centred on one point."""
    shared = np.minimum(sizes[:, None], anchors).prod(axis=2)
    out: Doubles = shared / (sizes.prod(axis=1)[:, None] + anchors.prod(axis=1) - shared)
    return out
