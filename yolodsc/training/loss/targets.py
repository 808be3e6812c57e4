"""Objects of a batch, and the overlap of every predicted box with them."""

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
    """All objects of a batch, in the order of its images.

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
        """Out of one array (M, 5) an image: class, centre, size."""
        rows = np.concatenate([*labels, np.zeros((0, 5), np.float32)])
        image = np.repeat(np.arange(len(labels)), [len(own) for own in labels])
        return cls(image, rows[:, 0].astype(np.int64), np.ascontiguousarray(rows[:, 1:], np.float32))

    def __len__(self) -> int:
        return len(self.image)


def best_overlaps(boxes: Array, truths: TargetBoxes) -> tuple[Array, Ints]:
    """For every box (N, P, 4) the best IoU with a truth of its image, and that truth's row (-1: none): (N, P) each."""
    best = np.zeros(boxes.shape[:2], np.float32)
    which = np.full(boxes.shape[:2], -1, np.int64)
    for k, (n, truth) in enumerate(zip(truths.image, truths.boxes_xywh, strict=True)):
        overlap = iou(truth, boxes[n])  # (P,)
        better = overlap > best[n]
        best[n][better] = overlap[better]
        which[n][better] = k
    return best, which


def shape_overlaps(sizes: Array, anchors: Doubles) -> Doubles:
    """IoU of sizes (K, 2) with anchors (A, 2) when both are centred on one point: (K, A)."""
    shared = np.minimum(sizes[:, None], anchors).prod(axis=2)
    out: Doubles = shared / (sizes.prod(axis=1)[:, None] + anchors.prod(axis=1) - shared)
    return out
