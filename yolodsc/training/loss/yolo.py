"""The detection loss of ``[yolo]`` (AlexeyAB's ``yolo_layer.c: process_batch``), as a function with a true gradient.

Darknet writes down deltas, not a loss. These are the losses whose gradients the deltas are: binary cross entropy of objectness, of
classes, and of offsets; half squared errors of log sizes. With ``iou_loss`` other than mse the boxes' loss is `overlap_loss`.
Darknet passes its slope by the box on as the slope by the logit; here it goes through the logistic and the exponential. A centre
in a neighbouring cell, which no logistic reaches, is drawn to the border.
Left aside: ``max_delta``, ``focal_loss``, ``objectness_smooth``, ``counters_per_class``, ``badlabels``, and the mean of
slopes over the anchors of an object under ``iou_thresh`` (``averages_yolo_deltas``).
"""

from dataclasses import dataclass, fields

import numpy as np

from yolodsc.arrays import Array
from yolodsc.training.loss.grid import LARGEST_LOG, Doubles, Grid, cross_entropy, logistic
from yolodsc.training.loss.overlap import KINDS, Kind, overlap_loss
from yolodsc.training.loss.truths import Ints, TargetBoxes, best_overlaps, shape_overlaps

ANY_CLASS = 0.25
"""A box of which no class score exceeds this is background, however near to an object (``compare_yolo_class``)."""


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
    """None: squared errors."""

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
class Assigned:
    """Cells that answer for objects: image, anchor, row, column, and the object's row among the truths; (R,) each."""

    image: Ints
    anchor: Ints
    row: Ints
    column: Ints
    truth: Ints

    @property
    def cells(self) -> tuple[Ints, Ints, Ints, Ints]:
        """The index of the cells in arrays (N, A, H, W)."""
        return self.image, self.anchor, self.row, self.column


def yolo_loss(grid: Grid, logits: Array, truths: TargetBoxes) -> tuple[float, Array]:
    """Loss of one head, a mean over the images, and its gradient by the logits (N, C, H, W)."""
    options = YoloOptions.of(grid)
    entries = grid.entries(logits)  # (N, A, 5 + classes, H, W)
    gradient = np.zeros_like(entries)
    boxes = grid.boxes(entries)
    ignored, near = _near(grid, entries, boxes, truths, options)
    found = _joined(_responsible(grid, truths, options), near)
    images = len(logits)
    value = _objectness(entries, gradient, found, ignored, options.obj_normalizer / images)
    value += _classes(entries, gradient, found, truths, options, options.cls_normalizer / images)
    value += _boxes(grid, entries, gradient, found, truths, options, options.iou_normalizer / images)
    return value, gradient.reshape(logits.shape)


def _near(grid: Grid, entries: Array, boxes: Array, truths: TargetBoxes, options: YoloOptions) -> tuple[np.ndarray, Assigned]:
    """Boxes too good to be called background (N, A, H, W), and those so good that they answer for their object."""
    flat = boxes.reshape(len(boxes), -1, 4)
    overlap, truth = best_overlaps(flat, truths)
    best, which = overlap.reshape(boxes.shape[:-1]), truth.reshape(boxes.shape[:-1])
    ignored = np.zeros(best.shape, bool)
    n, a, y, x = np.nonzero(best > options.ignore_thresh)
    ignored[n, a, y, x] = (logistic(entries[n, a, 5:, y, x]) > ANY_CLASS).any(axis=1)
    n, a, y, x = np.nonzero(best > options.truth_thresh)
    return ignored, Assigned(n, a, y, x, which[n, a, y, x])


def _responsible(grid: Grid, truths: TargetBoxes, options: YoloOptions) -> Assigned:
    """The anchor of the best shape among all heads', and every other one of this head that passes ``iou_thresh``."""
    column = (truths.boxes_xywh[:, 0] * grid.width).astype(np.int64).clip(0, grid.width - 1)
    row = (truths.boxes_xywh[:, 1] * grid.height).astype(np.int64).clip(0, grid.height - 1)
    overlap = shape_overlaps(truths.boxes_xywh[:, 2:], grid.every_anchor)  # (K, B)
    best = overlap.argmax(axis=1)
    numbers = np.array(grid.numbers)
    chosen = (best[:, None] == numbers) | ((overlap[:, numbers] > options.iou_thresh) & (options.iou_thresh < 1))
    truth, anchor = np.nonzero(chosen)
    return Assigned(truths.image[truth], anchor, row[truth], column[truth], truth)


def _joined(a: Assigned, b: Assigned) -> Assigned:
    return Assigned(*(np.concatenate([getattr(own, f.name) for own in (a, b)]) for f in fields(Assigned)))


def _objectness(entries: Array, gradient: Array, found: Assigned, ignored: np.ndarray, scale: float) -> float:
    target = np.zeros(ignored.shape, np.float32)
    target[found.cells] = 1
    weight = np.where(ignored & (target == 0), np.float32(0), np.float32(scale))
    logits = entries[:, :, 4]
    gradient[:, :, 4] = weight * (logistic(logits) - target)
    return float((weight * cross_entropy(logits, target)).sum())


def _classes(entries: Array, gradient: Array, found: Assigned, truths: TargetBoxes, options: YoloOptions, scale: float) -> float:
    """Each cell once, with all the classes of the objects that it answers for."""
    cells, place = np.unique(np.stack(found.cells), axis=1, return_inverse=True)
    n, a, y, x = cells
    target = np.zeros((cells.shape[1], entries.shape[2] - 5), np.float32)
    target[place.reshape(-1), truths.class_id[found.truth]] = 1
    target = target * (1 - options.label_smooth) + 0.5 * options.label_smooth
    logits = entries[n, a, 5:, y, x]
    gradient[n, a, 5:, y, x] = scale * (logistic(logits) - target)
    return float(scale * cross_entropy(logits, target).sum())


def _boxes(
    grid: Grid, entries: Array, gradient: Array, found: Assigned, truths: TargetBoxes, options: YoloOptions, scale: float
) -> float:
    n, a, y, x = found.cells
    raw = entries[n, a, :4, y, x].astype(np.float64)  # (R, 4)
    wanted = truths.boxes_xywh[found.truth].astype(np.float64)
    if options.kind is None:
        value, slope = _squared(grid, raw, wanted, found)
    else:
        value, slope = _overlapping(grid, raw, wanted, found, options.kind)
    # several objects may share a cell: their slopes add up
    np.add.at(gradient.transpose(0, 1, 3, 4, 2)[..., :4], found.cells, (scale * slope).astype(np.float32))
    return float(scale * value.sum())


def _squared(grid: Grid, raw: Doubles, wanted: Doubles, found: Assigned) -> tuple[Doubles, Doubles]:
    """Darknet's mse: small objects weigh up to twice as much (``delta_yolo_box``)."""
    weight = 2 - wanted[:, 2] * wanted[:, 3]
    cells = np.stack([wanted[:, 0] * grid.width - found.column, wanted[:, 1] * grid.height - found.row], axis=1)
    offset = ((cells + (grid.stretch - 1) / 2) / grid.stretch).clip(0, 1)
    log_size = np.log(wanted[:, 2:] / grid.anchors[found.anchor])
    value = weight * (cross_entropy(raw[:, :2], offset).sum(axis=1) + 0.5 * ((raw[:, 2:] - log_size) ** 2).sum(axis=1))
    slope = np.concatenate([logistic(raw[:, :2]) - offset, raw[:, 2:] - log_size], axis=1)
    return value, slope * weight[:, None]


def _overlapping(grid: Grid, raw: Doubles, wanted: Doubles, found: Assigned, kind: Kind) -> tuple[Doubles, Doubles]:
    offset = logistic(raw[:, :2])
    sides = np.array([grid.width, grid.height], np.float64)
    cells = np.stack([found.column, found.row], axis=1)
    sizes = np.exp(np.minimum(raw[:, 2:], LARGEST_LOG)) * grid.anchors[found.anchor]
    centres = (cells + offset * grid.stretch - (grid.stretch - 1) / 2) / sides
    value, slope = overlap_loss(np.concatenate([centres, sizes], axis=1), wanted, kind=kind)
    inner = np.concatenate([grid.stretch * offset * (1 - offset) / sides, sizes], axis=1)
    return value, slope * inner
