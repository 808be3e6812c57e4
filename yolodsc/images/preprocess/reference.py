"""Preprocessing in NumPy: the reference of the kernels, used until compiling them is worthwhile."""

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array

_GREY = np.array([77, 150, 29], np.uint32)
"""stb_image's weights of red, green and blue, over 256."""


def planar(image: NDArray[np.uint8]) -> Array:
    """Convert (H, W, C) bytes to (C, H, W) in 0..1."""
    out: Array = image.transpose(2, 0, 1).astype(np.float32, order="C")
    out /= np.float32(255)  # the same 256 numbers as divided in double and rounded, as Darknet does
    return out


def grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert RGB (H, W, 3) to grey (H, W, 1) with the weights of stb_image."""
    out: NDArray[np.uint8] = ((image @ _GREY) >> 8).astype(np.uint8)[..., None]
    return out


def resized(image: NDArray[np.uint8], *, width: int, height: int) -> Array:
    """Return the bytes (H, W, C), converted and resized by `resize`."""
    if image.shape[:2] == (height, width):
        return planar(image)
    rows, _, _, _ = _rows(image.shape[0], height)  # the others need not become floats
    return _interpolated(planar(image[rows]), source_height=image.shape[0], width=width, height=height)


def resize(x: Array, *, width: int, height: int) -> Array:
    """Resize (C, H, W) bilinearly as Darknet does, bit for bit: corners aligned, rows first, no smoothing.

    If rounding puts the source of the last row just above the last input row, Darknet omits the second term, so that the row is
    almost black. This function does the same. Source: ``image.c: resize_image``.
    """
    if x.shape[1:] == (height, width):
        return x.copy()
    rows, _, _, _ = _rows(x.shape[1], height)
    return _interpolated(x[:, rows], source_height=x.shape[1], width=width, height=height)


def _rows(source: int, height: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Array]:
    """Return the input rows that a resize reads, the upper and lower one of each output row, and the weight of the lower one."""
    top, weight = _sampled(source, height)
    below = np.minimum(top + 1, source - 1)
    rows, inverse = np.unique(np.concatenate([top, below]), return_inverse=True)
    return rows, inverse[:height], inverse[height:], weight


def _interpolated(used: Array, *, source_height: int, width: int, height: int) -> Array:
    """Resize an image of which only the rows that are read are given, (C, rows, W)."""
    _, upper, lower, weight = _rows(source_height, height)
    left, shift = _sampled(used.shape[2], width)
    part = used.take(left, axis=2)
    part *= 1 - shift
    right = used.take(np.minimum(left + 1, used.shape[2] - 1), axis=2)
    right *= shift
    part += right
    part[:, :, -1] = used[:, :, -1]
    out: Array = part.take(upper, axis=1)
    out *= (1 - weight)[:, None]
    if source_height > 1:
        below = part.take(lower[:-1], axis=1)
        below *= weight[:-1, None]
        out[:, :-1] += below
    return out


def _sampled(side: int, target: int) -> tuple[NDArray[np.int64], Array]:
    """Return source index and fraction of every target position, in single precision."""
    scale = np.float32(side - 1) / np.float32(target - 1) if target > 1 else np.float32(0)
    position = np.arange(target, dtype=np.float32) * scale
    index = position.astype(np.int64)
    return index, position - index.astype(np.float32)
