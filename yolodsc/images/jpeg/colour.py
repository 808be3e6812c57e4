"""Upsampling and colour conversion: planes to an image."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from yolodsc.images.jpeg.simd import STEP, converted, doubled_samples, doubled_sums, interleaved, quartered, summed, widened

Bytes = NDArray[np.uint8]
Sums = NDArray[np.int16]


@nb.njit(forceinline=True)
def _doubled(s: Bytes, near: int, far: int, width: int, down: int, sums: Sums, out: int) -> None:  # pragma: no cover
    """Write a row of twice as many samples. Its inputs start at ``sums[1]``, with the first and the last one repeated."""
    for i in range(0, width, STEP):
        if down == 2:
            summed(s, near + i, far + i, sums, 1 + i)
        else:
            widened(s, near + i, sums, 1 + i)
    sums[0], sums[width + 1] = sums[1], sums[width]
    for i in range(0, width, STEP):
        if down == 2:
            doubled_sums(sums, 1 + i, s, out + 2 * i)
        else:
            doubled_samples(sums, 1 + i, s, out + 2 * i)
    if down == 1 and width > 1:  # stb_image weighs the last two samples the other way round here
        s[out + 2 * width - 2] = (3 * sums[width - 1] + sums[width] + 2) >> 2


@nb.njit(forceinline=True)
def _stretched(s: Bytes, near: int, far: int, width: int, across: int, down: int, sums: Sums, out: int) -> int:  # pragma: no cover
    """Return the offset of one upsampled row of a plane of ``width`` samples, from the rows at ``near`` and ``far``."""
    if across == 1 and down != 2:
        return near
    if across == 1:
        for i in range(0, width, STEP):
            summed(s, near + i, far + i, sums, i)
            quartered(sums, i, s, out + i)
    elif across == 2 and down <= 2:
        _doubled(s, near, far, width, down, sums, out)
    else:
        for i in range(width * across):
            s[out + i] = s[near + i // across]
    return out


def joined(
    s: Bytes, layout: NDArray[np.int64], scratch: int, sums: Sums, state: NDArray[np.int64], rgb: int, out: Bytes
) -> int:  # pragma: no cover
    """Convert three planes, one after another in ``s``, to ``state[3, 1]`` rows of ``state[3, 0]`` RGB pixels.

    ``layout`` (3, 5) holds for each plane its offset, row length, height, and upsampling factors across and down. ``s`` holds three
    rows from ``scratch``, each as long as ``sums``: 64 more than the width. ``out`` has 64 bytes more than the pixels need. The
    first three rows of ``state`` (4, 4) are scratch.
    """
    width, height = state[3, 0], state[3, 1]
    for c in range(3):
        state[c, 0], state[c, 1], state[c, 2] = layout[c, 4] >> 1, 0, 0  # row within the stretch; the plane's rows around it
    for y in range(height):
        for c in range(3):
            across, down = layout[c, 3], layout[c, 4]
            below = state[c, 0] >= (down >> 1)
            near, far = (state[c, 2], state[c, 1]) if below else (state[c, 1], state[c, 2])
            near, far = layout[c, 0] + near * layout[c, 1], layout[c, 0] + far * layout[c, 1]
            component_width = (width + across - 1) // across
            state[c, 3] = _stretched(s, near, far, component_width, across, down, sums, scratch + c * len(sums))
            state[c, 0] += 1
            if state[c, 0] >= down:
                state[c, 0] = 0
                state[c, 1] = state[c, 2]
                state[c, 2] = min(state[c, 2] + 1, layout[c, 2] - 1)
        start = 3 * width * y
        for x in range(0, width, STEP):
            if rgb:
                interleaved(s, state[0, 3] + x, state[1, 3] + x, state[2, 3] + x, out, start + 3 * x)
            else:
                converted(s, state[0, 3] + x, state[1, 3] + x, state[2, 3] + x, out, start + 3 * x)
    return 1
