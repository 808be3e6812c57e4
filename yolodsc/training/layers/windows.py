"""Windows of a pool: their largest cell, and the way back to it."""

import numpy as np
from numba import njit

from yolodsc.shape import Array


@njit(cache=True, nogil=True, error_model="numpy")
def largest(x: Array, size: int, strides: tuple[int, int], margin: int, out: Array) -> None:
    """Fill (C, n, OH, OW) from (C, n, H, W); cells outside don't take part."""
    channels, pictures, height, width = x.shape
    for c in range(channels):
        for i in range(pictures):
            for y in range(out.shape[2]):
                top = y * strides[0] - margin
                rows = range(max(top, 0), min(top + size, height))
                for j in range(out.shape[3]):
                    left = j * strides[1] - margin
                    best = np.finfo(np.float32).min
                    for v in rows:
                        for u in range(max(left, 0), min(left + size, width)):
                            best = max(best, x[c, i, v, u])
                    out[c, i, y, j] = best


@njit(cache=True, nogil=True, error_model="numpy")
def give_back(gradient: Array, x: Array, out: Array, size: int, strides: tuple[int, int], margin: int, target: Array) -> None:
    """Add each gradient (C, n, OH, OW) to the first cell of its window that holds the largest value."""
    channels, pictures, height, width = x.shape
    for c in range(channels):
        for i in range(pictures):
            for y in range(out.shape[2]):
                top = max(y * strides[0] - margin, 0)
                bottom = min(y * strides[0] - margin + size, height)
                for j in range(out.shape[3]):
                    left = max(j * strides[1] - margin, 0)
                    right = min(j * strides[1] - margin + size, width)
                    u, v = left, top
                    while v < bottom and x[c, i, v, u] != out[c, i, y, j]:
                        u += 1
                        if u >= right:
                            u, v = left, v + 1
                    if v < bottom and u < right:
                        target[c, i, v, u] += gradient[c, i, y, j]
