"""Max and average over windows, ``padding`` being the total of both sides as in Darknet's pools."""

from collections.abc import Callable

import numpy as np

from yolodsc.arrays import Array

Reduce = Callable[[Array, int], Array]
"""Reduces (C, H, W) along an axis."""


def maxpool(x: Array, *, size: int, stride_y: int, stride_x: int, padding: int) -> Array:
    """Largest value of each window; pixels outside the input are ignored (``maxpool_layer.c: forward_maxpool_layer``)."""
    largest: Reduce = lambda part, axis: part.max(axis=axis)  # noqa: E731
    rows = _windows(x, axis=1, size=size, stride=stride_y, padding=padding, reduce=largest)
    return _windows(rows, axis=2, size=size, stride=stride_x, padding=padding, reduce=largest)


def local_avgpool(x: Array, *, size: int, stride_y: int, stride_x: int, padding: int) -> Array:
    """Mean of the pixels of each window inside the input (``forward_local_avgpool_layer``)."""
    mean: Reduce = lambda part, axis: part.mean(axis=axis)  # noqa: E731
    rows = _windows(x, axis=1, size=size, stride=stride_y, padding=padding, reduce=mean)
    return _windows(rows, axis=2, size=size, stride=stride_x, padding=padding, reduce=mean)


def _windows(x: Array, *, axis: int, size: int, stride: int, padding: int, reduce: Reduce) -> Array:
    """Reduce every window along one axis; windows are products of intervals, so that the axes are reduced in turn."""
    side = x.shape[axis]
    starts = [i * stride - padding // 2 for i in range(pooled(side, size=size, stride=stride, padding=padding))]
    parts = [x.take(range(max(start, 0), min(start + size, side)), axis=axis) for start in starts]
    return np.stack([_reduced(part, axis, reduce) for part in parts], axis=axis)


def _reduced(part: Array, axis: int, reduce: Reduce) -> Array:
    """A window wholly outside the input gives the lowest float, Darknet's initial maximum."""
    if part.shape[axis] == 0:
        shape = part.shape[:axis] + part.shape[axis + 1 :]
        return np.full(shape, np.finfo(np.float32).min, np.float32)
    return reduce(part, axis)


def pooled(side: int, *, size: int, stride: int, padding: int) -> int:
    """Number of output pixels along one axis."""
    return (side + padding - size) // stride + 1


def maxpool_depth(x: Array, *, out_channels: int) -> Array:
    """Largest over channels g, g + out_channels, g + 2 out_channels, … of each pixel."""
    return np.stack([x[g::out_channels].max(axis=0) for g in range(out_channels)])
