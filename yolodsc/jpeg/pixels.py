"""Quantised coefficients to samples: stb_image's integer inverse cosine transform (``stbi__idct_block``)."""

import numpy as np
from numpy.typing import NDArray

from yolodsc.jit.numba_cache import njit

_K = np.array([0.5411961, -1.847759065, 0.765366865, 1.175875602, 0.298631336, 2.053119869, 3.072711026, 1.501321110,
               -0.899976223, -2.562915447, -1.961570560, -0.390180644])  # fmt: skip
A, B, C, D, K0, K1, K2, K3, P1, P2, P3, P4 = (int(value * 4096 + 0.5) for value in _K)  # C's cast: towards zero
"""The constants of the transform in units of 1/4096."""


@njit(cache=True, nogil=True)
def _transformed(
    s0: int, s1: int, s2: int, s3: int, s4: int, s5: int, s6: int, s7: int
) -> tuple[int, int, int, int, int, int, int, int]:  # pragma: no cover
    """Even and odd half of eight numbers: sums of the two, and differences, are the result from both ends."""
    p1 = (s2 + s6) * A
    t2, t3 = p1 + s6 * B, p1 + s2 * C
    t0, t1 = (s0 + s4) << 12, (s0 - s4) << 12
    x0, x3, x1, x2 = t0 + t3, t0 - t3, t1 + t2, t1 - t2
    p3, p4, p1, p2 = s7 + s3, s5 + s1, s7 + s1, s5 + s3
    p5 = (p3 + p4) * D
    p1, p2, p3, p4 = p5 + p1 * P1, p5 + p2 * P2, p3 * P3, p4 * P4
    return x0, x1, x2, x3, s1 * K3 + p1 + p4, s3 * K2 + p2 + p3, s5 * K1 + p2 + p4, s7 * K0 + p1 + p3


@njit(cache=True, nogil=True)
def _byte(value: int) -> int:  # pragma: no cover
    return min(max(value >> 17, 0), 255)


@njit(cache=True, nogil=True)
def planes(
    coefficients: NDArray[np.int16], tables: NDArray[np.int64], layout: NDArray[np.int64]
) -> NDArray[np.uint8]:  # pragma: no cover
    """Samples of all planes, one after another, in rows of whole blocks.

    Shapes: coefficients (blocks, 64); of each plane, tables (n, 64) and layout (n, 3): its first block, blocks across and down.
    """
    total = 0
    for c in range(len(layout)):
        total += layout[c, 1] * layout[c, 2]
    out = np.empty(64 * total, np.uint8)
    v = np.empty((8, 8), np.int64)
    for c in range(len(layout)):
        first, across, down = layout[c]
        stride = 8 * across
        table = tables[c]
        for block in range(across * down):
            own = coefficients[first + block]
            corner = 64 * (first - layout[0, 0]) + (block // across) * 8 * stride + (block % across) * 8
            busy = False
            for k in range(1, 64):
                busy |= own[k] != 0
            if not busy:
                level = _byte(np.int64(own[0]) * table[0] * 4 * 4096 + 65536 + (128 << 17))
                for y in range(8):
                    for x in range(8):
                        out[corner + y * stride + x] = level
                continue
            for i in range(8):
                x0, x1, x2, x3, t3, t2, t1, t0 = _transformed(
                    own[i] * table[i],
                    own[i + 8] * table[i + 8],
                    own[i + 16] * table[i + 16],
                    own[i + 24] * table[i + 24],
                    own[i + 32] * table[i + 32],
                    own[i + 40] * table[i + 40],
                    own[i + 48] * table[i + 48],
                    own[i + 56] * table[i + 56],
                )
                x0, x1, x2, x3 = x0 + 512, x1 + 512, x2 + 512, x3 + 512
                v[0, i], v[7, i] = (x0 + t3) >> 10, (x0 - t3) >> 10
                v[1, i], v[6, i] = (x1 + t2) >> 10, (x1 - t2) >> 10
                v[2, i], v[5, i] = (x2 + t1) >> 10, (x2 - t1) >> 10
                v[3, i], v[4, i] = (x3 + t0) >> 10, (x3 - t0) >> 10
            for i in range(8):
                x0, x1, x2, x3, t3, t2, t1, t0 = _transformed(
                    v[i, 0], v[i, 1], v[i, 2], v[i, 3], v[i, 4], v[i, 5], v[i, 6], v[i, 7]
                )
                half = 65536 + (128 << 17)  # rounding, and samples are centred on 128
                x0, x1, x2, x3 = x0 + half, x1 + half, x2 + half, x3 + half
                at = corner + i * stride
                out[at], out[at + 7] = _byte(x0 + t3), _byte(x0 - t3)
                out[at + 1], out[at + 6] = _byte(x1 + t2), _byte(x1 - t2)
                out[at + 2], out[at + 5] = _byte(x2 + t1), _byte(x2 - t1)
                out[at + 3], out[at + 4] = _byte(x3 + t0), _byte(x3 - t0)
    return out
