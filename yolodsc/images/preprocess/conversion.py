"""Pixels to planar float32, without resizing."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from yolodsc.images.preprocess.simd import HIGH, LOW, STEP, exchanged, parted, shared

_HIGH, _LOW = np.float32(HIGH), np.float32(LOW)


@nb.njit(forceinline=True)
def share(byte: np.uint8) -> np.float32:  # pragma: no cover
    """Return a byte divided by 255 (see `yolodsc.images.preprocess.simd`)."""
    number = np.float32(byte)
    return number * _HIGH + number * _LOW


def planar(
    pixels: NDArray[np.uint8], channels: int, width: int, height: int, out: NDArray[np.float32], first: int, row: int, stride: int
) -> int:  # pragma: no cover
    """Write pixels (height, width, channels) to ``out`` from ``first`` on, rows ``row`` and channels ``stride`` floats apart."""
    for y in range(height):
        source, to = y * width * channels, first + y * row
        if width < STEP:
            for x in range(width):
                for c in range(channels):
                    out[to + c * stride + x] = share(pixels[source + x * channels + c])
            continue
        for step in range(0, width, STEP):
            x = min(step, width - STEP)  # the last step goes over pixels of the one before, never beyond the row
            if channels == 3:
                parted(pixels, source + 3 * x, out, to + x, stride)
            else:
                shared(pixels, source + x, out, to + x)
    return 1


def exchange(pixels: NDArray[np.uint8], out: NDArray[np.uint8]) -> int:  # pragma: no cover
    """Write pixels of three bytes with the first and third byte exchanged."""
    size, at = len(out), 0
    while at + STEP <= size:
        exchanged(pixels, at, out)
        at += STEP - 1
    while at < size:
        out[at], out[at + 1], out[at + 2] = pixels[at + 2], pixels[at + 1], pixels[at]
        at += 3
    return 1


def grey(pixels: NDArray[np.uint8], out: NDArray[np.uint8]) -> int:  # pragma: no cover
    """Convert RGB to the grey of stb_image: 77, 150 and 29 parts of 256."""
    for i in range(len(out)):
        red, green, blue = np.uint32(pixels[3 * i]), np.uint32(pixels[3 * i + 1]), np.uint32(pixels[3 * i + 2])
        out[i] = np.uint32(np.uint32(77 * red) + np.uint32(150 * green) + np.uint32(29 * blue)) >> np.uint32(8)
    return 1
