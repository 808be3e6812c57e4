"""The detection loss of ``[yolo]`` (AlexeyAB's ``yolo_layer.c: process_batch``), with its gradient.

Darknet computes deltas instead of a loss. These are the losses with those gradients: binary cross entropy of objectness, of classes
and of offsets, and half squared errors of log sizes. The target of a centre in a neighbouring cell, which no logistic reaches, is
the border of the cell.

If the key ``iou_loss`` is not mse, the loss of the boxes is `iou_loss`. Its deltas are Darknet's (``delta_yolo_box``): the
derivative with respect to the centre is used as that with respect to its logits, and the derivative with respect to the size is
multiplied by the exponential alone. The ``iou_normalizer`` of published cfg files balances these deltas with those of objectness
and classes. The chain rule gives a 50th of them for centres and a third for sizes, so that labels would hardly train boxes.

Not supported: ``max_delta``, ``focal_loss``, ``objectness_smooth``, ``counters_per_class``, ``badlabels``, and the mean of deltas
over the anchors of an object under ``iou_thresh`` (``averages_yolo_deltas``).
"""

from dataclasses import dataclass, fields

import numpy as np

from yolodsc.arrays import Array
from yolodsc.training.loss.grid import LARGEST_LOG, Doubles, Grid, cross_entropy, logistic
from yolodsc.training.loss.iou_loss import KINDS, Kind, iou_loss
from yolodsc.training.loss.targets import Ints, TargetBoxes, best_overlaps, shape_overlaps

ANY_CLASS = 0.25
"""A box without a class score above this is background, whatever its overlap with an object (``compare_yolo_class``)."""


@dataclass(frozen=True, slots=True)
class YoloOptions:
    """Keys of ``[yolo]`` that only training reads, with Darknet's defaults."""

    ignore_thresh: float
    truth_thresh: float
    iou_thresh: float
    obj_normalizer: float
    cls_normalizer: float
    iou_normalizer: float
    label_smooth: float
    kind: Kind | None
    """None selects squared errors."""

    @classmethod
    def of(cls, grid: Grid) -> "YoloOptions":
        """Read the head's section (``parser.c: parse_yolo``)."""
        s = grid.section
        kind = s.choice("iou_loss", "mse", frozenset({"mse", *KINDS}))
        return cls(
            s.number("ignore_thresh", 0.5),
            s.number("truth_thresh", 1.0),
            s.number("iou_thresh", 1.0),
            s.number("obj_normalizer", 1.0),
            s.number("cls_normalizer", 1.0),
            s.number("iou_normalizer", 0.75),
            s.number("label_smooth_eps", 0.0),
            next((k for k in KINDS if k == kind), None),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Cells that predict objects: image, anchor, row, column, and the row of the object among the targets; (R,) each."""

    image: Ints
    anchor: Ints
    row: Ints
    column: Ints
    target: Ints

    @property
    def cells(self) -> tuple[Ints, Ints, Ints, Ints]:
        """The index of the cells in arrays (N, A, H, W)."""
        return self.image, self.anchor, self.row, self.column


def yolo_loss(grid: Grid, logits: Array, targets: TargetBoxes) -> tuple[float, Array]:
    """Return the loss of one head, a mean over the images, and its gradient with respect to the logits (N, C, H, W)."""
    options = YoloOptions.of(grid)
    entries = grid.entries(logits)  # (N, A, 5 + classes, H, W)
    gradient = np.zeros_like(entries)
    boxes = grid.boxes(entries)
    ignored, overlapping = _overlapping_boxes(grid, entries, boxes, targets, options)
    assignment = _joined(_assigned(grid, targets, options), overlapping)
    images = len(logits)
    value = _objectness(entries, gradient, assignment, ignored, options.obj_normalizer / images)
    value += _classes(entries, gradient, assignment, targets, options, options.cls_normalizer / images)
    value += _boxes(grid, entries, gradient, assignment, targets, options, options.iou_normalizer / images)
    return value, gradient.reshape(logits.shape)


def _overlapping_boxes(
    grid: Grid, entries: Array, boxes: Array, targets: TargetBoxes, options: YoloOptions
) -> tuple[np.ndarray, Assignment]:
    """Return the boxes that do not count as background (N, A, H, W), and those that overlap an object enough to predict it."""
    flat = boxes.reshape(len(boxes), -1, 4)
    overlap, target = best_overlaps(flat, targets)
    best, which = overlap.reshape(boxes.shape[:-1]), target.reshape(boxes.shape[:-1])
    ignored = np.zeros(best.shape, bool)
    n, a, y, x = np.nonzero(best > options.ignore_thresh)
    ignored[n, a, y, x] = (logistic(entries[n, a, 5:, y, x]) > ANY_CLASS).any(axis=1)
    n, a, y, x = np.nonzero(best > options.truth_thresh)
    return ignored, Assignment(n, a, y, x, which[n, a, y, x])


def _assigned(grid: Grid, targets: TargetBoxes, options: YoloOptions) -> Assignment:
    """Assign each object to the anchor of the best shape among all heads, and to those of this head above ``iou_thresh``."""
    column = (targets.boxes_xywh[:, 0] * grid.width).astype(np.int64).clip(0, grid.width - 1)
    row = (targets.boxes_xywh[:, 1] * grid.height).astype(np.int64).clip(0, grid.height - 1)
    overlap = shape_overlaps(targets.boxes_xywh[:, 2:], grid.every_anchor)  # (K, B)
    best = overlap.argmax(axis=1)
    numbers = np.array(grid.numbers)
    chosen = (best[:, None] == numbers) | ((overlap[:, numbers] > options.iou_thresh) & (options.iou_thresh < 1))
    target, anchor = np.nonzero(chosen)
    return Assignment(targets.image[target], anchor, row[target], column[target], target)


def _joined(a: Assignment, b: Assignment) -> Assignment:
    return Assignment(*(np.concatenate([getattr(part, f.name) for part in (a, b)]) for f in fields(Assignment)))


def _objectness(entries: Array, gradient: Array, assignment: Assignment, ignored: np.ndarray, scale: float) -> float:
    target = np.zeros(ignored.shape, np.float32)
    target[assignment.cells] = 1
    weight = np.where(ignored & (target == 0), np.float32(0), np.float32(scale))
    logits = entries[:, :, 4]
    gradient[:, :, 4] = weight * (logistic(logits) - target)
    return float((weight * cross_entropy(logits, target)).sum())


def _classes(
    entries: Array, gradient: Array, assignment: Assignment, targets: TargetBoxes, options: YoloOptions, scale: float
) -> float:
    """Count each cell once, with all classes of the objects that it predicts."""
    cells, inverse = np.unique(np.stack(assignment.cells), axis=1, return_inverse=True)
    n, a, y, x = cells
    target = np.zeros((cells.shape[1], entries.shape[2] - 5), np.float32)
    target[inverse.reshape(-1), targets.class_id[assignment.target]] = 1
    target = target * (1 - options.label_smooth) + 0.5 * options.label_smooth
    logits = entries[n, a, 5:, y, x]
    gradient[n, a, 5:, y, x] = scale * (logistic(logits) - target)
    return float(scale * cross_entropy(logits, target).sum())


def _boxes(
    grid: Grid, entries: Array, gradient: Array, assignment: Assignment, targets: TargetBoxes, options: YoloOptions, scale: float
) -> float:
    n, a, y, x = assignment.cells
    raw = entries[n, a, :4, y, x].astype(np.float64)  # (R, 4)
    expected = targets.boxes_xywh[assignment.target].astype(np.float64)
    if options.kind is None:
        value, derivative = _squared(grid, raw, expected, assignment)
    else:
        value, derivative = _overlapping(grid, raw, expected, assignment, options.kind)
    # several objects may share a cell: their derivatives are added
    np.add.at(gradient.transpose(0, 1, 3, 4, 2)[..., :4], assignment.cells, (scale * derivative).astype(np.float32))
    return float(scale * value.sum())


def _squared(grid: Grid, raw: Doubles, expected: Doubles, assignment: Assignment) -> tuple[Doubles, Doubles]:
    """Return loss and derivatives of Darknet's mse, with up to twice the weight for small objects (``delta_yolo_box``)."""
    weight = 2 - expected[:, 2] * expected[:, 3]
    cells = np.stack([expected[:, 0] * grid.width - assignment.column, expected[:, 1] * grid.height - assignment.row], axis=1)
    offset = ((cells + (grid.stretch - 1) / 2) / grid.stretch).clip(0, 1)
    log_size = np.log(expected[:, 2:] / grid.anchors[assignment.anchor])
    value = weight * (cross_entropy(raw[:, :2], offset).sum(axis=1) + 0.5 * ((raw[:, 2:] - log_size) ** 2).sum(axis=1))
    derivative = np.concatenate([logistic(raw[:, :2]) - offset, raw[:, 2:] - log_size], axis=1)
    return value, derivative * weight[:, None]


def _overlapping(grid: Grid, raw: Doubles, expected: Doubles, assignment: Assignment, kind: Kind) -> tuple[Doubles, Doubles]:
    offset = logistic(raw[:, :2])
    sides = np.array([grid.width, grid.height], np.float64)
    cells = np.stack([assignment.column, assignment.row], axis=1)
    sizes = np.exp(np.minimum(raw[:, 2:], LARGEST_LOG)) * grid.anchors[assignment.anchor]
    centres = (cells + offset * grid.stretch - (grid.stretch - 1) / 2) / sides
    value, derivative = iou_loss(np.concatenate([centres, sizes], axis=1), expected, kind=kind)
    derivative[:, 2:] *= np.exp(np.minimum(raw[:, 2:], LARGEST_LOG))
    return value, derivative
