"""The grid of a detection head: logits by cell and anchor."""

from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.darknet import Section
from yolodsc.network import Head, Network, RegionLayer, YoloLayer

Doubles = NDArray[np.float64]
Reals = TypeVar("Reals", Array, Doubles)

LARGEST_LOG = 12.0
"""Upper limit of the logits of sizes before the exponential: a box of 160,000 times its anchor."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The common form of ``[yolo]`` and ``[region]``, with sizes relative to the image.

    Attributes
    ----------
    index
        Index of the head in its network.
    raw
        Index of the layer whose output are the logits.
    section
        The cfg section, for the options that only training reads.
    anchors : (A, 2) float64
        Width and height relative to the network's input.
    every_anchor : (B, 2) float64
        The anchors of all heads that share the list.
    numbers : (A,)
        Indices of this head's anchors in ``every_anchor``.
    classes
        Number of classes.
    softmax
        Whether class scores are a softmax (``[region]``); otherwise each is logistic (``[yolo]``).
    stretch
        ``scale_x_y``.
    height, width
        Number of cells.
    """

    index: int
    raw: int
    section: Section
    anchors: Doubles
    every_anchor: Doubles
    numbers: tuple[int, ...]
    classes: int
    softmax: bool
    stretch: float
    height: int
    width: int

    @classmethod
    def of(cls, head: Head, network: Network) -> Self:
        """Return the grid of a head; raise `CfgError` for heads that cannot be trained."""
        if isinstance(head, YoloLayer):
            return cls._of_yolo(head, network)
        if isinstance(head, RegionLayer):
            return cls._of_region(head)
        raise head.section.error("cannot be trained; expected [yolo] or [region]")

    @classmethod
    def _of_yolo(cls, head: YoloLayer, network: Network) -> Self:
        section = head.section
        if head.new_coords:
            raise section.error("new_coords=1 cannot be trained; expected new_coords=0", key="new_coords")
        side = np.array([network.input_shape.width, network.input_shape.height], np.float64)
        pairs = np.array(section.numbers("anchors"), np.float64)
        every = pairs[: len(pairs) // 2 * 2].reshape(-1, 2) / side
        numbers = section.integers("mask") or tuple(range(len(head.anchors)))
        anchors = np.array(head.anchors, np.float64) / side
        rest = (head.classes, False, head.scale_x_y, head.shape.height, head.shape.width)
        return cls(head.index, head.sources[0], section, anchors, every if len(every) else anchors, numbers, *rest)

    @classmethod
    def _of_region(cls, head: RegionLayer) -> Self:
        if not head.softmax or head.tree or head.background or head.coords != 4:
            raise head.section.error("cannot be trained; expected softmax=1, coords=4, no tree and no background")
        anchors = np.array(head.anchors, np.float64) / np.array([head.shape.width, head.shape.height])
        rest = (head.classes, True, 1.0, head.shape.height, head.shape.width)
        return cls(head.index, head.sources[0], head.section, anchors, anchors, tuple(range(len(anchors))), *rest)

    def entries(self, logits: Array) -> Array:
        """View logits (N, C, H, W) as (N, A, 5 + classes, H, W)."""
        return logits.reshape(len(logits), len(self.anchors), 5 + self.classes, self.height, self.width)

    def boxes(self, entries: Array) -> Array:
        """Return centre-based boxes (N, A, H, W, 4) relative to the image."""
        boxes = np.empty((*entries.shape[:2], self.height, self.width, 4), np.float32)
        offsets = logistic(entries[:, :, :2]) * np.float32(self.stretch) - np.float32((self.stretch - 1) / 2)
        boxes[..., 0] = (offsets[:, :, 0] + np.arange(self.width, dtype=np.float32)) / np.float32(self.width)
        boxes[..., 1] = (offsets[:, :, 1] + np.arange(self.height, dtype=np.float32)[:, None]) / np.float32(self.height)
        sizes = np.exp(np.minimum(entries[:, :, 2:4], np.float32(LARGEST_LOG)))
        boxes[..., 2:] = sizes.transpose(0, 1, 3, 4, 2) * self.anchors.astype(np.float32)[:, None, None]
        return boxes

    def agrees(self, other: "Grid") -> bool:
        """Whether logits of both grids have the same meaning."""
        left = (self.classes, self.softmax, self.stretch, self.height, self.width, self.anchors.shape)
        right = (other.classes, other.softmax, other.stretch, other.height, other.width, other.anchors.shape)
        return left == right and np.allclose(self.anchors, other.anchors)


def grids(network: Network) -> tuple[Grid, ...]:
    """Return the grids of all heads of a network."""
    return tuple(Grid.of(head, network) for head in network.heads)


def logistic(x: Reals) -> Reals:
    """Return 1 / (1 + e^-x) without overflow, in the type of ``x``."""
    return (0.5 * (np.tanh(0.5 * x) + 1)).astype(x.dtype, copy=False)


def cross_entropy(logits: Array | Doubles, targets: Array | Doubles) -> Doubles:
    """Return the binary cross entropy of logits and targets in 0..1, less the entropy of the targets: 0 where they agree."""
    p = np.clip(targets, 1e-12, 1 - 1e-7).astype(np.float64)
    entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p))
    x = logits.astype(np.float64)
    out: Doubles = np.maximum(x, 0) - x * p + np.log1p(np.exp(-np.abs(x))) - entropy
    return out


def log_softmax(x: Reals, *, axis: int) -> Reals:
    """Return the logarithm of the softmax along an axis, in the type of ``x``."""
    shifted = x - x.max(axis=axis, keepdims=True)
    return (shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))).astype(x.dtype, copy=False)
