"""1 - IoU and its kin as losses of boxes: GIoU, DIoU, CIoU, with gradients.

Rezatofighi et al. 2019 (GIoU), Zheng et al. 2020 (DIoU, CIoU). CIoU's trade-off factor is differentiated like everything else, so
that the gradient is the loss's own; the paper and Darknet hold it constant.
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
    """A value (K,) with its derivatives (K, 4) by centre and size of the predicted box."""

    value: Doubles
    slope: Doubles

    def __add__(self, other: "Dual") -> "Dual":
        return Dual(self.value + other.value, self.slope + other.slope)

    def __sub__(self, other: "Dual") -> "Dual":
        return Dual(self.value - other.value, self.slope - other.slope)

    def __mul__(self, other: "Dual") -> "Dual":
        return Dual(self.value * other.value, self.slope * other.value[:, None] + other.slope * self.value[:, None])

    def __truediv__(self, other: "Dual") -> "Dual":
        below = np.maximum(other.value, _TINY)
        ratio = self.value / below
        return Dual(ratio, (self.slope - other.slope * ratio[:, None]) / below[:, None])


def overlap_loss(boxes_xywh: Doubles, truths_xywh: Doubles, *, kind: Kind) -> tuple[Doubles, Doubles]:
    """Loss (K,) of pairs of boxes (K, 4), and its gradient (K, 4) by the first of each pair."""
    box, truth = _box(boxes_xywh), truths_xywh
    left, right = _edges(box, truth, 0)
    upper, lower = _edges(box, truth, 1)
    intersection = _positive(_smaller(right) - _larger(left)) * _positive(_smaller(lower) - _larger(upper))
    union = box[2] * box[3] + _constant(truth[:, 2] * truth[:, 3]) - intersection
    loss = _constant(np.ones(len(truth))) - intersection / union
    width, height = _larger(right) - _smaller(left), _larger(lower) - _smaller(upper)
    if kind == "giou":
        loss = loss + _constant(np.ones(len(truth))) - union / (width * height)
    if kind in {"diou", "ciou"}:
        apart_x, apart_y = box[0] - _constant(truth[:, 0]), box[1] - _constant(truth[:, 1])
        distance = (apart_x * apart_x + apart_y * apart_y) / (width * width + height * height)
        if kind == "ciou":
            aspect = _aspect(box, truth)
            loss = loss + aspect * aspect / (loss + aspect)
        loss = loss + distance
    return loss.value, loss.slope


def _aspect(box: list[Dual], truth: Doubles) -> Dual:
    """CIoU's v: squared difference of the angles of the two diagonals, 1 for a right angle."""
    w, h = box[2].value, box[3].value
    apart = np.arctan2(w, h) - np.arctan2(truth[:, 2], truth[:, 3])
    slope = np.zeros((len(w), 4))
    square = np.maximum(w * w + h * h, _TINY)
    slope[:, 2], slope[:, 3] = h / square, -w / square
    angle = Dual(apart * (2 / np.pi), slope * (2 / np.pi))
    return angle * angle


def _box(boxes: Doubles) -> list[Dual]:
    """x, y, w, h, each with a unit slope by itself."""
    return [Dual(boxes[:, c], np.tile(np.eye(4)[c], (len(boxes), 1))) for c in range(4)]


def _edges(box: list[Dual], truth: Doubles, axis: int) -> tuple[tuple[Dual, Dual], tuple[Dual, Dual]]:
    """Low edges of box and truth along an axis, and high edges."""
    half = Dual(box[axis + 2].value / 2, box[axis + 2].slope / 2)
    half_truth = truth[:, axis + 2] / 2
    low = (box[axis] - half, _constant(truth[:, axis] - half_truth))
    high = (box[axis] + half, _constant(truth[:, axis] + half_truth))
    return low, high


def _constant(value: Doubles) -> Dual:
    return Dual(value, np.zeros((len(value), 4)))


def _larger(pair: tuple[Dual, Dual]) -> Dual:
    return _chosen(pair, pair[0].value > pair[1].value)


def _smaller(pair: tuple[Dual, Dual]) -> Dual:
    return _chosen(pair, pair[0].value < pair[1].value)


def _chosen(pair: tuple[Dual, Dual], first: np.ndarray) -> Dual:
    value = np.where(first, pair[0].value, pair[1].value)
    return Dual(value, np.where(first[:, None], pair[0].slope, pair[1].slope))


def _positive(x: Dual) -> Dual:
    there = x.value > 0
    return Dual(np.where(there, x.value, 0.0), np.where(there[:, None], x.slope, 0.0))
