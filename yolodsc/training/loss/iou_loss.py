"""IoU, GIoU, DIoU and CIoU losses of boxes, with gradients.

Sources: Rezatofighi et al. 2019 (GIoU), Zheng et al. 2020 (DIoU, CIoU). The trade-off factor of CIoU is differentiated too, so the
gradient is that of the loss; the paper and Darknet hold the factor constant.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from yolodsc.training.loss.grid import Doubles

Kind = Literal["iou", "giou", "diou", "ciou"]
KINDS: tuple[Kind, ...] = ("iou", "giou", "diou", "ciou")
_TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Dual:
    """A value (K,) with its derivatives (K, 4) with respect to centre and size of the predicted box."""

    value: Doubles
    derivative: Doubles

    def __add__(self, other: "Dual") -> "Dual":
        return Dual(self.value + other.value, self.derivative + other.derivative)

    def __sub__(self, other: "Dual") -> "Dual":
        return Dual(self.value - other.value, self.derivative - other.derivative)

    def __mul__(self, other: "Dual") -> "Dual":
        return Dual(self.value * other.value, self.derivative * other.value[:, None] + other.derivative * self.value[:, None])

    def __truediv__(self, other: "Dual") -> "Dual":
        below = np.maximum(other.value, _TINY)
        ratio = self.value / below
        return Dual(ratio, (self.derivative - other.derivative * ratio[:, None]) / below[:, None])


def iou_loss(boxes_xywh: Doubles, targets_xywh: Doubles, *, kind: Kind) -> tuple[Doubles, Doubles]:
    """Return the loss (K,) of pairs of boxes (K, 4), and its gradient (K, 4) with respect to the first box of each pair."""
    box, target = _box(boxes_xywh), targets_xywh
    left, right = _edges(box, target, 0)
    upper, lower = _edges(box, target, 1)
    intersection = _positive(_minimum(right) - _maximum(left)) * _positive(_minimum(lower) - _maximum(upper))
    union = box[2] * box[3] + _constant(target[:, 2] * target[:, 3]) - intersection
    loss = _constant(np.ones(len(target))) - intersection / union
    width, height = _maximum(right) - _minimum(left), _maximum(lower) - _minimum(upper)
    if kind == "giou":
        loss = loss + _constant(np.ones(len(target))) - union / (width * height)
    if kind in {"diou", "ciou"}:
        difference_x, difference_y = box[0] - _constant(target[:, 0]), box[1] - _constant(target[:, 1])
        distance = (difference_x * difference_x + difference_y * difference_y) / (width * width + height * height)
        if kind == "ciou":
            aspect = _aspect(box, target)
            loss = loss + aspect * aspect / (loss + aspect)
        loss = loss + distance
    return loss.value, loss.derivative


def _aspect(box: list[Dual], target: Doubles) -> Dual:
    """Return v of CIoU: the squared difference of the angles of both diagonals, 1 for a right angle."""
    w, h = box[2].value, box[3].value
    difference = np.arctan2(w, h) - np.arctan2(target[:, 2], target[:, 3])
    derivative = np.zeros((len(w), 4))
    square = np.maximum(w * w + h * h, _TINY)
    derivative[:, 2], derivative[:, 3] = h / square, -w / square
    angle = Dual(difference * (2 / np.pi), derivative * (2 / np.pi))
    return angle * angle


def _box(boxes: Doubles) -> list[Dual]:
    """Return x, y, w and h, each with a derivative of 1 with respect to itself."""
    return [Dual(boxes[:, c], np.tile(np.eye(4)[c], (len(boxes), 1))) for c in range(4)]


def _edges(box: list[Dual], target: Doubles, axis: int) -> tuple[tuple[Dual, Dual], tuple[Dual, Dual]]:
    """Return the low edges of box and target along an axis, and the high edges."""
    half = Dual(box[axis + 2].value / 2, box[axis + 2].derivative / 2)
    half_target = target[:, axis + 2] / 2
    low = (box[axis] - half, _constant(target[:, axis] - half_target))
    high = (box[axis] + half, _constant(target[:, axis] + half_target))
    return low, high


def _constant(value: Doubles) -> Dual:
    return Dual(value, np.zeros((len(value), 4)))


def _maximum(pair: tuple[Dual, Dual]) -> Dual:
    return _where(pair, pair[0].value > pair[1].value)


def _minimum(pair: tuple[Dual, Dual]) -> Dual:
    return _where(pair, pair[0].value < pair[1].value)


def _where(pair: tuple[Dual, Dual], first: np.ndarray) -> Dual:
    value = np.where(first, pair[0].value, pair[1].value)
    return Dual(value, np.where(first[:, None], pair[0].derivative, pair[1].derivative))


def _positive(x: Dual) -> Dual:
    positive = x.value > 0
    return Dual(np.where(positive, x.value, 0.0), np.where(positive[:, None], x.derivative, 0.0))
