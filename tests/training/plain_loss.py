"""Detection losses cell by cell, in plain loops: the oracle of the vectorised ones.

What Darknet writes into ``delta``, with the sign turned: (N, A, 5 + classes, H, W), a mean over the images.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.training.loss.grid import Grid

Box = tuple[float, float, float, float]


def yolo_gradients(grid: Grid, logits: Array, labels: list[Array]) -> Array:
    """``yolo_layer.c: process_batch`` with ``iou_loss=mse`` and without ``scale_x_y``."""
    key = grid.section.number
    ignore, certain, also = key("ignore_thresh", 0.5), key("truth_thresh", 1.0), key("iou_thresh", 1.0)
    obj, cls, box = key("obj_normalizer", 1.0), key("cls_normalizer", 1.0), key("iou_normalizer", 0.75)
    smooth = key("label_smooth_eps", 0.0)
    entries = grid.entries(logits).astype(np.float64)
    out = np.zeros_like(entries)
    answered: dict[tuple[int, int, int, int], set[int]] = {}

    def answer(n: int, a: int, y: int, x: int, label: Array) -> None:
        raw, gradient = entries[n, a, :, y, x], out[n, a, :, y, x]
        weight = box * (2 - label[3] * label[4])
        centre = np.clip([label[1] * grid.width - x, label[2] * grid.height - y], 0, 1)  # Darknet does not cut
        gradient[0] += weight * (_logistic(raw[0]) - centre[0])
        gradient[1] += weight * (_logistic(raw[1]) - centre[1])
        gradient[2] += weight * (raw[2] - np.log(label[3] / grid.anchors[a][0]))
        gradient[3] += weight * (raw[3] - np.log(label[4] / grid.anchors[a][1]))
        gradient[4] = obj * (_logistic(raw[4]) - 1)
        known = answered.setdefault((n, a, y, x), set())
        known.add(int(label[0]))
        for c in range(grid.classes):
            expected = (1.0 if c in known else 0.0) * (1 - smooth) + 0.5 * smooth
            gradient[5 + c] = cls * (_logistic(raw[5 + c]) - expected)

    for n, objects in enumerate(labels):
        for a, y, x in np.ndindex(len(grid.anchors), grid.height, grid.width):
            raw = entries[n, a, :, y, x]
            overlaps = [_iou(_box(grid, raw, a, y, x), tuple(label[1:])) for label in objects]
            best = max(overlaps, default=0.0)
            named = any(_logistic(score) > 0.25 for score in raw[5:])
            out[n, a, 4, y, x] = 0 if best > ignore and named else obj * _logistic(raw[4])
            if best > certain:
                answer(n, a, y, x, objects[int(np.argmax(overlaps))])
        for label in objects:
            shapes = [_iou((0, 0, w, h), (0, 0, label[3], label[4])) for w, h in grid.every_anchor]
            x, y = int(label[1] * grid.width), int(label[2] * grid.height)
            for a, number in enumerate(grid.numbers):
                if number == int(np.argmax(shapes)) or (also < 1 and shapes[number] > also):
                    answer(n, a, y, x, label)
    return out / len(labels)


def region_gradients(grid: Grid, logits: Array, labels: list[Array]) -> Array:
    """``region_layer.c: forward_region_layer``."""
    key = grid.section.number
    thresh, absent, present = key("thresh", 0.5), key("noobject_scale", 1.0), key("object_scale", 1.0)
    coord, kind = key("coord_scale", 1.0), key("class_scale", 1.0)
    entries = grid.entries(logits).astype(np.float64)
    out = np.zeros_like(entries)
    for n, objects in enumerate(labels):
        for a, y, x in np.ndindex(len(grid.anchors), grid.height, grid.width):
            raw = entries[n, a, :, y, x]
            near = max((_iou(_box(grid, raw, a, y, x), tuple(label[1:])) for label in objects), default=0.0)
            score = _logistic(raw[4])
            out[n, a, 4, y, x] = 0 if near > thresh else absent * score * score * (1 - score)
        for label in objects:
            x, y = int(label[1] * grid.width), int(label[2] * grid.height)
            sizes = [
                grid.anchors[a] if grid.section.flag("bias_match") else _box(grid, entries[n, a, :, y, x], a, y, x)[2:]
                for a in range(len(grid.anchors))
            ]
            a = int(np.argmax([_iou((0, 0, w, h), (0, 0, label[3], label[4])) for w, h in sizes]))
            raw, gradient = entries[n, a, :, y, x], out[n, a, :, y, x]
            px, py, score = (_logistic(raw[i]) for i in (0, 1, 4))
            gradient[0] = coord * (px - (label[1] * grid.width - x)) * px * (1 - px)
            gradient[1] = coord * (py - (label[2] * grid.height - y)) * py * (1 - py)
            gradient[2:4] = coord * (raw[2:4] - np.log(label[3:] / grid.anchors[a]))
            reached = _iou(_box(grid, raw, a, y, x), tuple(label[1:])) if grid.section.flag("rescore") else 1.0
            gradient[4] = present * (score - reached) * score * (1 - score)
            shares = np.exp(raw[5:]) / np.exp(raw[5:]).sum()
            gradient[5:] = kind * (shares - np.eye(grid.classes)[int(label[0])])
    return out / len(labels)


def _logistic(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def _box(grid: Grid, raw: Array, a: int, y: int, x: int) -> Box:
    w, h = np.exp(raw[2:4]) * grid.anchors[a]
    return ((_logistic(raw[0]) + x) / grid.width, (_logistic(raw[1]) + y) / grid.height, float(w), float(h))


def _iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    sides = [min(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2) - max(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2) for i in (0, 1)]
    shared = max(sides[0], 0) * max(sides[1], 0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)
