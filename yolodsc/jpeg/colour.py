"""Planes to pictures: stb_image's upsampling (``stbi__resample_row_*``) and colours (``stbi__YCbCr_to_RGB_row``)."""

import numpy as np
from numpy.typing import NDArray

from yolodsc.jit.numba_cache import njit

Bytes = NDArray[np.uint8]
_R, _G_CR, _G_CB, _B = (int(value * 4096 + 0.5) << 8 for value in (1.402, 0.71414, 0.34414, 1.772))
"""Weights of Cr in red and green, of Cb in green and blue, in units of 2**-20."""


@njit(cache=True, nogil=True)
def _stretched(samples: Bytes, near: int, far: int, width: int, across: int, down: int, out: Bytes) -> None:  # pragma: no cover
    """One row of a plane of ``width`` samples, from the rows that begin at ``near`` and ``far``, into ``out``."""
    if across == 1 and down == 1:
        for i in range(width):
            out[i] = samples[near + i]
    elif across == 1 and down == 2:
        for i in range(width):
            out[i] = (3 * int(samples[near + i]) + int(samples[far + i]) + 2) >> 2
    elif across == 2 and down == 1:
        last = near + width - 1
        out[0] = samples[near]
        for i in range(width - 1):
            left, right = int(samples[near + i]), int(samples[near + i + 1])
            out[2 * i + 1] = (3 * left + right + 2) >> 2
            out[2 * i + 2] = (3 * right + left + 2) >> 2
        if width > 1:  # stb_image weighs the last two samples the other way round here
            out[2 * width - 2] = (3 * int(samples[last - 1]) + int(samples[last]) + 2) >> 2
        out[2 * width - 1] = samples[last]
    elif across == 2 and down == 2:
        left = 3 * int(samples[near]) + int(samples[far])
        out[0] = (left + 2) >> 2
        for i in range(1, width):
            right = 3 * int(samples[near + i]) + int(samples[far + i])
            out[2 * i - 1] = (3 * left + right + 8) >> 4
            out[2 * i] = (3 * right + left + 8) >> 4
            left = right
        out[2 * width - 1] = (left + 2) >> 2
    else:
        for i in range(width):
            for k in range(across):
                out[i * across + k] = samples[near + i]


@njit(cache=True, nogil=True)
def _byte(value: int) -> int:  # pragma: no cover
    return min(max(value >> 20, 0), 255)


@njit(cache=True, nogil=True)
def joined(samples: Bytes, layout: NDArray[np.int64], width: int, height: int, rgb: bool) -> Bytes:  # pragma: no cover
    """Three planes as (H, W, 3) RGB.

    ``layout`` (3, 5): of each plane where it begins, length of its rows, its height, and how often it is stretched across and down.
    """
    out = np.empty((height, width, 3), np.uint8)
    rows = np.empty((3, width + 8), np.uint8)
    upper = np.zeros(3, np.int64)  # the rows of each plane between which the output lies
    lower = np.zeros(3, np.int64)
    step = layout[:, 4] >> 1
    for y in range(height):
        for c in range(3):
            start, stride, own_height, across, down = layout[c]
            below = step[c] >= (down >> 1)
            near, far = (lower[c], upper[c]) if below else (upper[c], lower[c])
            own_width = (width + across - 1) // across
            _stretched(samples, start + near * stride, start + far * stride, own_width, across, down, rows[c])
            step[c] += 1
            if step[c] >= down:
                step[c] = 0
                upper[c] = lower[c]
                lower[c] = min(lower[c] + 1, own_height - 1)
        if rgb:
            for x in range(width):
                out[y, x, 0], out[y, x, 1], out[y, x, 2] = rows[0, x], rows[1, x], rows[2, x]
            continue
        for x in range(width):
            luma = (int(rows[0, x]) << 20) + (1 << 19)
            cb, cr = int(rows[1, x]) - 128, int(rows[2, x]) - 128
            out[y, x, 0] = _byte(luma + cr * _R)
            out[y, x, 1] = _byte(luma - cr * _G_CR + ((-cb * _G_CB) & -65536))
            out[y, x, 2] = _byte(luma + cb * _B)
    return out
