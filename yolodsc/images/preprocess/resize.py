"""Darknet's bilinear resize (``image.c: resize_image``), from bytes to planar float32 in one pass.

Rows come first: for each source row, the pixels left and right of every target column are gathered as one word and converted to
weighted means by vector code. The last two rows of means are kept.
"""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from yolodsc.images.preprocess.conversion import share
from yolodsc.images.preprocess.simd import STEP, between_grey, between_rgb, blended, gathered, scaled

i64: Any = np.int64
"""Converts array elements to 64 bits; untyped, so that type checkers accept any use."""
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@nb.njit(forceinline=True)
def _scale(side: int, target: int) -> np.float32:  # pragma: no cover
    return np.float32(side - 1) / np.float32(target - 1) if target > 1 else np.float32(0)


@nb.njit(forceinline=True)
def _gathered(
    pixels: Bytes, start: int, channels: int, columns: int, left: Ints, inside: int, width: int, words: Ints
) -> None:  # pragma: no cover
    """Gather the pixels on both sides of each target column: byte c has channel c of the left one, byte 3 + c of the right one.

    Eight bytes from the left pixel lie within the row for the first ``inside`` columns.
    """
    for x in range(inside):
        gathered(pixels, start + left[x], words, x)
    for x in range(inside, width):
        near = left[x]
        far = near + channels if near + channels < columns * channels else near
        both = 0
        for c in range(channels):
            both |= i64(pixels[start + near + c]) << (8 * c)
            both |= i64(pixels[start + far + c]) << (24 + 8 * c)
        words[x] = both


@nb.njit(forceinline=True)
def _resampled(
    pixels: Bytes,
    source: int,
    channels: int,
    columns: int,
    width: int,
    left: Ints,
    inside: int,
    shifts: Floats,
    words: Ints,
    parts: Floats,
    flip: int,
) -> None:  # pragma: no cover
    """Write the source row at the target columns to ``parts[source & 1]``; ``flip`` as for `resized`."""
    length = len(left)
    start, part = source * columns * channels, (source & 1) * channels * length
    _gathered(pixels, start, channels, columns, left, inside, width, words)
    for x in range(0, width, STEP):
        if channels == 3:
            between_rgb(words, x, flip, shifts, parts, part + x, length)
        else:
            between_grey(words, x, flip, shifts, parts, part + x, length)
    for c in range(channels):
        given = flip - c if flip else c
        parts[source & 1, c * length + width - 1] = share(pixels[start + (columns - 1) * channels + given])


@nb.njit(forceinline=True)
def _written(
    parts: Floats, upper: int, lower: int, second: bool, weight: np.float32, width: int, out: Floats, to: int
) -> None:  # pragma: no cover
    """Write one row of a channel; the second term only if there is one."""
    length = parts.shape[1]
    if width < STEP:
        for x in range(width):
            value = parts[upper // length, upper % length + x] * (np.float32(1) - weight)
            out[to + x] = value + parts[lower // length, lower % length + x] * weight if second else value
        return
    for step in range(0, width, STEP):
        x = min(step, width - STEP)  # the last step goes over floats of the one before, never beyond the row
        if second:
            blended(parts, upper + x, lower + x, weight, out, to + x)
        else:
            scaled(parts, upper + x, weight, out, to + x)


def resized(
    pixels: Bytes,
    channels: int,
    columns: int,
    rows: int,
    width: int,
    height: int,
    left: Ints,
    shifts: Floats,
    words: Ints,
    parts: Floats,
    out: Floats,
    first: int,
    row: int,
    stride: int,
    flip: int,
) -> int:  # pragma: no cover
    """Write pixels (rows, columns, channels) as (channels, height, width) to ``out``, as `planar` does.

    ``flip`` is 0, or ``channels - 1`` to reverse the order of the channels.
    ``left``, ``shifts``, ``words`` (width + 32,) and parts (2, channels * (width + 32)) are scratch.
    """
    length = len(left)
    scale, inside = _scale(columns, width), 0
    for x in range(width):
        position = np.float32(x) * scale
        near = i64(position)
        shifts[x] = position - np.float32(near)
        left[x] = near * channels
        inside += channels == 3 and near <= columns - 3
    scale = _scale(rows, height)
    held_even, held_odd = -1, -1  # the source rows of which the two parts are
    for y in range(height):
        position = np.float32(y) * scale
        top = i64(position)
        weight = position - np.float32(top)
        second = y < height - 1 and rows > 1
        below = top + 1 if second and top + 1 < rows else top
        for source in range(top, below + 1):
            if (held_odd if source & 1 else held_even) == source:
                continue
            if source & 1:
                held_odd = source
            else:
                held_even = source
            _resampled(pixels, source, channels, columns, width, left, inside, shifts, words, parts, flip)
        for c in range(channels):
            upper = ((top & 1) * channels + c) * length
            lower = ((below & 1) * channels + c) * length
            _written(parts, upper, lower, second, weight, width, out, first + c * stride + y * row)
    return 1
