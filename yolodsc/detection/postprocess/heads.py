"""Heads whose boxes are decoded by kernels: where the numbers of a box are, and which boxes need no activation."""

from math import inf, log

import numpy as np

from yolodsc.arrays import Array, Ints, Shape
from yolodsc.network import GaussianYoloLayer, Head, Network, RegionLayer, YoloLayer, logistic
from yolodsc.values import Value

_SLACK = 1e-3
"""Share of the threshold by which a logit must miss it before the box is left out: a thousand times the error of any logistic."""

_SMALLEST = 1e-30
"""Thresholds below it select by the sign of the objectness's exponent only, so all boxes are decoded."""


class HeadLayout(Value, eq=False):
    """One head, as the kernels see it.

    Attributes
    ----------
    head
        The head.
    entries
        Numbers of a box.
    objectness
        Entry of the objectness.
    linear
        Whether the objectness needs no logistic.
    table : (8,) int64
        ``head`` of `boxes.boxed`.
    sizes : (anchors + 2, 2) float32
        ``sizes`` of `boxes.boxed`.
    """

    head: Head
    entries: int
    objectness: int
    linear: bool
    table: Ints
    sizes: Array

    @property
    def boxes(self) -> int:
        """Number of boxes, before any threshold."""
        return (len(self.sizes) - 2) * self.head.shape.height * self.head.shape.width

    def limit(self, thresh: float) -> np.float32:
        """The number that the raw objectness exceeds wherever the activated one exceeds ``thresh``."""
        if self.linear:
            return np.float32(thresh)
        share = thresh * (1 - _SLACK)
        logit = log(share / (1 - share)) - _SLACK if share > _SMALLEST else -inf
        return np.nextafter(np.float32(logit), np.float32(-inf))

    def factors(self, active: Array, out: Array) -> None:
        """Write what the sizes of anchors are multiplied by, (2, N), from activated boxes (entries, N)."""
        if isinstance(self.head, GaussianYoloLayer):
            np.exp(active[4:7:2], out=out)
        elif self.linear:
            np.multiply(4, active[2:4] ** 2, out=out)
        else:
            np.exp(active[2:4], out=out)

    def finish(self, active: Array) -> None:
        """Apply the activations that `Head.decode` applies."""
        if isinstance(self.head, RegionLayer):
            active[:2] = logistic(active[:2])


def layouts(network: Network) -> tuple[HeadLayout, ...]:
    """The layouts of all heads; empty if one of them has boxes that no kernel decodes."""
    found = [_layout(head, network.input_shape) for head in network.heads]
    return tuple(layout for layout in found if layout is not None) if None not in found else ()


def _layout(head: Head, input_shape: Shape) -> HeadLayout | None:
    match head:
        case YoloLayer():
            return _described(head, _anchor_sizes(head, input_shape), x=0, y=1, objectness=4, linear=head.new_coords)
        case GaussianYoloLayer():
            sizes = _anchor_sizes(head, input_shape)
            return _described(head, sizes, x=0, y=2, objectness=8, deviations=True, offset=head.point_offset)
        case RegionLayer() if _plain(head):
            divisor = np.array([head.shape[:0:-1]], np.float32)  # (width, height) of the grid
            return _described(head, np.array(head.anchors, np.float32), x=0, y=1, objectness=4, divisor=divisor)
    return None


def _plain(head: RegionLayer) -> bool:
    """Whether the objectness of a ``[region]`` alone selects boxes, from the entries that every profile reads."""
    activated = head.softmax or head.profile.region_scores == "logistic"
    usual = head.coords == 4 and not head.tree and not head.map and not head.background and head.classfix != -1
    return usual and activated and head.shape.height * head.shape.width > 1  # NumPy sums one cell's scores in another order


def _anchor_sizes(head: YoloLayer | GaussianYoloLayer, input_shape: Shape) -> Array:
    return head.anchor_sizes(np.arange(len(head.anchors)), input_shape)


def _described(
    head: Head,
    sizes: Array,
    *,
    x: int,
    y: int,
    objectness: int,
    linear: bool = False,
    deviations: bool = False,
    offset: float = 0.0,
    divisor: Array | None = None,
) -> HeadLayout:
    _, height, width = head.shape
    table = np.array([width, height, objectness + 1, deviations, head.letterboxed, x, y, objectness], np.int64)
    divisors = np.ones((1, 2), np.float32) if divisor is None else divisor
    rows = np.concatenate([sizes, divisors, np.array([[offset, 0]], np.float32)])
    return HeadLayout(head, objectness + 1 + head.classes, objectness, linear, table, np.ascontiguousarray(rows, np.float32))
