"""Planes to images: stb_image's upsampling (``stbi__resample_row_*``) and colours (``stbi__YCbCr_to_RGB_row``)."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Sums = NDArray[np.int16]
_R, _G_CR, _G_CB, _B = (np.int32(value * 4096 + 0.5) for value in (1.402, 0.71414, 0.34414, 1.772))
"""Weights of Cr in red and green, of Cb in green and blue, in units of 2**-12.

stb_image counts in units of 2**-20, of which all terms are multiples of 2**8, and in green that of Cb of 2**16: the floor of
each weighted difference in units of 2**-4 leaves the same quotient.
"""


@nb.njit(forceinline=True)
def _i16(value: int) -> np.int16:  # pragma: no cover
    return np.int16(value)


@nb.njit(forceinline=True)
def _blend(near: int, far: int, half: int, shift: int) -> np.uint8:  # pragma: no cover
    """Three parts of one number and one of another, rounded."""
    return np.uint8(_i16(_i16(_i16(near * 3) + far) + half) >> shift)


@nb.njit(forceinline=True)
def _both(s: Bytes, near: int, far: int, width: int, sums: Sums, out: int) -> None:  # pragma: no cover
    """Twice as many samples in both directions."""
    for i in range(width):
        sums[0, i] = _i16(_i16(s[near + i] * 3) + s[far + i])
    s[out] = (sums[0, 0] + 2) >> 2
    for i in range(width - 1):
        left, right = sums[0, i], sums[0, i + 1]
        s[out + 2 * i + 1] = _blend(left, right, 8, 4)
        s[out + 2 * i + 2] = _blend(right, left, 8, 4)
    s[out + 2 * width - 1] = (sums[0, width - 1] + 2) >> 2


@nb.njit(forceinline=True)
def _across(s: Bytes, near: int, width: int, out: int) -> None:  # pragma: no cover
    """Twice as many samples in a row."""
    last = near + width - 1
    s[out] = s[near]
    for i in range(width - 1):
        left, right = s[near + i], s[near + i + 1]
        s[out + 2 * i + 1] = _blend(left, right, 2, 2)
        s[out + 2 * i + 2] = _blend(right, left, 2, 2)
    if width > 1:  # stb_image weighs the last two samples the other way round here
        s[out + 2 * width - 2] = _blend(s[last - 1], s[last], 2, 2)
    s[out + 2 * width - 1] = s[last]


@nb.njit(forceinline=True)
def _stretched(
    s: Bytes, near: int, far: int, width: int, across: int, down: int, sums: Sums, out: int
) -> int:  # pragma: no cover
    """One row of a plane of ``width`` samples, from the rows that begin at ``near`` and ``far``: where it begins."""
    if across == 1 and down != 2:
        return near
    if across == 1:
        for i in range(width):
            s[out + i] = _blend(s[near + i], s[far + i], 2, 2)
    elif across == 2 and down == 1:
        _across(s, near, width, out)
    elif across == 2 and down == 2:
        _both(s, near, far, width, sums, out)
    else:
        for i in range(width):
            for k in range(across):
                s[out + i * across + k] = s[near + i]
    return out


@nb.njit(forceinline=True)
def _byte(value: int) -> np.uint8:  # pragma: no cover
    return np.uint8(min(max(np.int32(value), np.int32(0)), np.int32(255)))


@nb.njit(forceinline=True)
def _share(difference: np.int32, weight: np.int32) -> np.int32:  # pragma: no cover
    return np.int32(np.int32(difference * weight) >> 8)


@nb.njit(forceinline=True)
def _row(s: Bytes, luma: int, blue: int, red: int, width: int, out: NDArray[np.uint8], y: int) -> None:  # pragma: no cover
    """The colours of a row."""
    for x in range(width):
        level = np.int32(np.int32(np.int32(s[luma + x]) << 4) + np.int32(8))
        cb, cr = np.int32(np.int32(s[blue + x]) - 128), np.int32(np.int32(s[red + x]) - 128)
        out[y, x, 0] = _byte(np.int32(level + _share(cr, _R)) >> 4)
        out[y, x, 1] = _byte(np.int32(np.int32(level + _share(cr, -_G_CR)) + _share(cb, -_G_CB)) >> 4)
        out[y, x, 2] = _byte(np.int32(level + _share(cb, _B)) >> 4)


def joined(s: Bytes, layout: NDArray[np.int64], scratch: int, sums: Sums, state: NDArray[np.int64], rgb: int, out: Bytes) -> int:  # pragma: no cover
    """Three planes, one after another in ``s``, as ``out`` (H, W, 3) RGB.

    ``layout`` (3, 5): of each plane where it begins, length of its rows, its height, and how often it is stretched across and down.
    ``s`` has room for three rows from ``scratch``, each ``sums.shape[1]`` >= W + 8 long; sums (1, ...) and state (3, 4) are scratch.
    """
    height, width = out.shape[0], out.shape[1]
    for c in range(3):
        state[c, 0], state[c, 1], state[c, 2] = layout[c, 4] >> 1, 0, 0  # row within the stretch; the plane's rows around it
    for y in range(height):
        for c in range(3):
            across, down = layout[c, 3], layout[c, 4]
            below = state[c, 0] >= (down >> 1)
            near, far = (state[c, 2], state[c, 1]) if below else (state[c, 1], state[c, 2])
            near, far = layout[c, 0] + near * layout[c, 1], layout[c, 0] + far * layout[c, 1]
            own_width = (width + across - 1) // across
            state[c, 3] = _stretched(s, near, far, own_width, across, down, sums, scratch + c * sums.shape[1])
            state[c, 0] += 1
            if state[c, 0] >= down:
                state[c, 0] = 0
                state[c, 1] = state[c, 2]
                state[c, 2] = min(state[c, 2] + 1, layout[c, 2] - 1)
        if rgb:
            for x in range(width):
                out[y, x, 0], out[y, x, 1], out[y, x, 2] = s[state[0, 3] + x], s[state[1, 3] + x], s[state[2, 3] + x]
        else:
            _row(s, state[0, 3], state[1, 3], state[2, 3], width, out, y)
    return 1
