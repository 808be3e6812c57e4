"""The detection loss of ``[region]`` (``region_layer.c: forward_region_layer``): YOLOv2's half squared errors and softmax.

``rescore`` takes the overlap itself as the objectness to reach, and holds it constant. Left aside: the pull towards anchors during
the first 12,800 images, and ``classfix``.
"""

from dataclasses import dataclass

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import iou
from yolodsc.training.loss.grid import Grid, log_softmax, logistic
from yolodsc.training.loss.truths import Ints, TargetBoxes, best_overlaps, shape_overlaps


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


def region_loss(grid: Grid, logits: Array, truths: TargetBoxes) -> tuple[float, Array]:
    """Loss of the head, a mean over the images, and its gradient by the logits (N, C, H, W)."""
    options = RegionOptions.of(grid)
    entries = grid.entries(logits)  # (N, A, 5 + classes, H, W)
    boxes = grid.boxes(entries)
    gradient = np.zeros_like(entries)
    overlap = best_overlaps(boxes.reshape(len(boxes), -1, 4), truths)[0].reshape(boxes.shape[:-1])
    cells, truth = _responsible(grid, boxes, truths, options)
    value = _objectness(entries, gradient, overlap, cells, iou(boxes[cells], truths.boxes_xywh[truth]), options)
    value += _classes(entries, gradient, cells, truths.class_id[truth], options.class_scale)
    value += _boxes(grid, entries, gradient, cells, truths.boxes_xywh[truth], options.coord_scale)
    gradient /= len(logits)
    return value / len(logits), gradient.reshape(logits.shape)


Cells = tuple[Ints, Ints, Ints, Ints]


def _responsible(grid: Grid, boxes: Array, truths: TargetBoxes, options: RegionOptions) -> tuple[Cells, Ints]:
    """Of each object's cell the anchor (or with ``bias_match=0`` the predicted box) of the best shape; a later object wins."""
    column = (truths.boxes_xywh[:, 0] * grid.width).astype(np.int64).clip(0, grid.width - 1)
    row = (truths.boxes_xywh[:, 1] * grid.height).astype(np.int64).clip(0, grid.height - 1)
    sizes = truths.boxes_xywh[:, 2:]
    if options.bias_match:
        anchor = shape_overlaps(sizes, grid.anchors).argmax(axis=1)
    else:
        there = boxes[truths.image, :, row, column, 2:]  # (K, A, 2)
        shared = np.minimum(sizes[:, None], there).prod(axis=2)
        anchor = (shared / (sizes.prod(axis=1)[:, None] + there.prod(axis=2) - shared)).argmax(axis=1)
    every = np.stack([truths.image, anchor, row, column])
    # the last of equal cells: the first of the reversed
    _, first = np.unique(every[:, ::-1], axis=1, return_index=True)
    kept = np.sort(len(truths) - 1 - first)
    n, a, y, x = every[:, kept]
    return (n, a, y, x), kept


def _objectness(entries: Array, gradient: Array, overlap: Array, cells: Cells, own: Array, options: RegionOptions) -> float:
    score = logistic(entries[:, :, 4])
    weight = np.where(overlap > options.thresh, np.float32(0), np.float32(options.noobject_scale))
    weight[cells] = options.object_scale
    target = np.zeros_like(score)
    target[cells] = own if options.rescore else 1
    gradient[:, :, 4] = weight * (score - target) * score * (1 - score)
    return float((0.5 * weight * (score - target).astype(np.float64) ** 2).sum())


def _classes(entries: Array, gradient: Array, cells: Cells, class_id: Ints, scale: float) -> float:
    n, a, y, x = cells
    logarithms = log_softmax(entries[n, a, 5:, y, x].astype(np.float64), axis=1)  # (R, classes)
    rows = np.arange(len(class_id))
    slope = np.exp(logarithms)
    slope[rows, class_id] -= 1
    gradient[n, a, 5:, y, x] = scale * slope
    return float(-scale * logarithms[rows, class_id].sum())


def _boxes(grid: Grid, entries: Array, gradient: Array, cells: Cells, wanted: Array, scale: float) -> float:
    n, a, y, x = cells
    raw = entries[n, a, :4, y, x].astype(np.float64)
    offset = logistic(raw[:, :2])
    apart = offset - (wanted[:, :2] * [grid.width, grid.height] - np.stack([x, y], axis=1))
    apart_log = raw[:, 2:] - np.log(wanted[:, 2:] / grid.anchors[a])
    gradient[n, a, :2, y, x] = scale * apart * offset * (1 - offset)
    gradient[n, a, 2:4, y, x] = scale * apart_log
    return float(0.5 * scale * ((apart**2).sum() + (apart_log**2).sum()))
