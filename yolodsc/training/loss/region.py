"""The detection loss of ``[region]`` (``region_layer.c: forward_region_layer``): YOLOv2's half squared errors and softmax.

With ``rescore`` the target of the objectness is the overlap, held constant. Not supported: the loss that draws boxes to their
anchors during the first 12,800 images, and ``classfix``.
"""

from dataclasses import dataclass

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import iou
from yolodsc.training.loss.grid import Grid, log_softmax, logistic
from yolodsc.training.loss.targets import Ints, TargetBoxes, best_overlaps, shape_overlaps


@dataclass(frozen=True, slots=True)
class RegionOptions:
    """Keys of ``[region]`` that only training reads, with Darknet's defaults."""

    thresh: float
    coord_scale: float
    object_scale: float
    noobject_scale: float
    class_scale: float
    rescore: bool
    bias_match: bool

    @classmethod
    def of(cls, grid: Grid) -> "RegionOptions":
        """Read the head's section (``parser.c: parse_region``)."""
        s = grid.section
        coord, present, absent, kind = (s.number(f"{name}_scale", 1.0) for name in ("coord", "object", "noobject", "class"))
        return cls(s.number("thresh", 0.5), coord, present, absent, kind, s.flag("rescore"), s.flag("bias_match"))


def region_loss(grid: Grid, logits: Array, targets: TargetBoxes) -> tuple[float, Array]:
    """Return the loss of the head, a mean over the images, and its gradient with respect to the logits (N, C, H, W)."""
    options = RegionOptions.of(grid)
    entries = grid.entries(logits)  # (N, A, 5 + classes, H, W)
    boxes = grid.boxes(entries)
    gradient = np.zeros_like(entries)
    overlap = best_overlaps(boxes.reshape(len(boxes), -1, 4), targets)[0].reshape(boxes.shape[:-1])
    cells, target_row = _assigned(grid, boxes, targets, options)
    value = _objectness(entries, gradient, overlap, cells, iou(boxes[cells], targets.boxes_xywh[target_row]), options)
    value += _classes(entries, gradient, cells, targets.class_id[target_row], options.class_scale)
    value += _boxes(grid, entries, gradient, cells, targets.boxes_xywh[target_row], options.coord_scale)
    gradient /= len(logits)
    return value / len(logits), gradient.reshape(logits.shape)


Cells = tuple[Ints, Ints, Ints, Ints]


def _assigned(grid: Grid, boxes: Array, targets: TargetBoxes, options: RegionOptions) -> tuple[Cells, Ints]:
    """Assign each object to the anchor of its cell (with ``bias_match=0``: to the predicted box) of the best shape.

    If several objects are assigned to one anchor of a cell, the last one counts.
    """
    column = (targets.boxes_xywh[:, 0] * grid.width).astype(np.int64).clip(0, grid.width - 1)
    row = (targets.boxes_xywh[:, 1] * grid.height).astype(np.int64).clip(0, grid.height - 1)
    sizes = targets.boxes_xywh[:, 2:]
    if options.bias_match:
        anchor = shape_overlaps(sizes, grid.anchors).argmax(axis=1)
    else:
        predicted = boxes[targets.image, :, row, column, 2:]  # (K, A, 2)
        shared = np.minimum(sizes[:, None], predicted).prod(axis=2)
        anchor = (shared / (sizes.prod(axis=1)[:, None] + predicted.prod(axis=2) - shared)).argmax(axis=1)
    every = np.stack([targets.image, anchor, row, column])
    # np.unique returns the first of equal columns, so the order is reversed
    _, first = np.unique(every[:, ::-1], axis=1, return_index=True)
    kept = np.sort(len(targets) - 1 - first)
    n, a, y, x = every[:, kept]
    return (n, a, y, x), kept


def _objectness(entries: Array, gradient: Array, overlap: Array, cells: Cells, reached: Array, options: RegionOptions) -> float:
    score = logistic(entries[:, :, 4])
    weight = np.where(overlap > options.thresh, np.float32(0), np.float32(options.noobject_scale))
    weight[cells] = options.object_scale
    target = np.zeros_like(score)
    target[cells] = reached if options.rescore else 1
    gradient[:, :, 4] = weight * (score - target) * score * (1 - score)
    return float((0.5 * weight * (score - target).astype(np.float64) ** 2).sum())


def _classes(entries: Array, gradient: Array, cells: Cells, class_id: Ints, scale: float) -> float:
    n, a, y, x = cells
    logarithms = log_softmax(entries[n, a, 5:, y, x].astype(np.float64), axis=1)  # (R, classes)
    rows = np.arange(len(class_id))
    derivative = np.exp(logarithms)
    derivative[rows, class_id] -= 1
    gradient[n, a, 5:, y, x] = scale * derivative
    return float(-scale * logarithms[rows, class_id].sum())


def _boxes(grid: Grid, entries: Array, gradient: Array, cells: Cells, expected: Array, scale: float) -> float:
    n, a, y, x = cells
    raw = entries[n, a, :4, y, x].astype(np.float64)
    offset = logistic(raw[:, :2])
    difference = offset - (expected[:, :2] * [grid.width, grid.height] - np.stack([x, y], axis=1))
    log_difference = raw[:, 2:] - np.log(expected[:, 2:] / grid.anchors[a])
    gradient[n, a, :2, y, x] = scale * difference * offset * (1 - offset)
    gradient[n, a, 2:4, y, x] = scale * log_difference
    return float(0.5 * scale * ((difference**2).sum() + (log_difference**2).sum()))
