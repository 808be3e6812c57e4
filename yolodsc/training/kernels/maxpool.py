"""Windows of a pool: their largest cell, and the way back to it."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit


@njit(cache=True, nogil=True, error_model="numpy")
def largest(x: Array, size: int, strides: tuple[int, int], margin: int, out: Array) -> None:
    """Fill (C, n, OH, OW) from (C, n, H, W); cells outside don't take part."""
    channels, images, height, width = x.shape
    for c in range(channels):
        for i in range(images):
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
    channels, images, height, width = x.shape
    for c in range(channels):
        for i in range(images):
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


@njit(cache=True, nogil=True, error_model="numpy")
def largest_of_four(x: Array, out: Array) -> None:
    """Fill (C, n, H / 2, W / 2) from (C, n, H, W): windows of 2x2 that do not overlap, seven times as fast as in general."""
    channels, images, height, width = out.shape
    one, two = np.uint64(1), np.uint64(2)
    for c in range(channels):
        for i in range(images):
            for y in range(height):
                a, b, row = x[c, i, 2 * y], x[c, i, 2 * y + 1], out[c, i, y]
                for j in range(np.uint64(width)):
                    k = two * j
                    row[j] = max(a[k], a[k + one], b[k], b[k + one])


@njit(cache=True, nogil=True, error_model="numpy")
def give_back_to_four(gradient: Array, x: Array, out: Array, target: Array, add: bool) -> None:
    """Store or add the gradients (C, n, H / 2, W / 2) of `largest_of_four`; all cells are written."""
    channels, images, height, width = out.shape
    one, two, zero = np.uint64(1), np.uint64(2), np.float32(0)
    for c in range(channels):
        for i in range(images):
            for y in range(height):
                a, b, row, g = x[c, i, 2 * y], x[c, i, 2 * y + 1], out[c, i, y], gradient[c, i, y]
                above, below = target[c, i, 2 * y], target[c, i, 2 * y + 1]
                for j in range(np.uint64(width)):
                    k = two * j
                    first = a[k] == row[j]
                    second = (a[k + one] == row[j]) & (not first)
                    above[k] = (above[k] if add else zero) + (g[j] if first else zero)
                    above[k + one] = (above[k + one] if add else zero) + (g[j] if second else zero)
                for j in range(np.uint64(width)):
                    k = two * j
                    found = (a[k] == row[j]) | (a[k + one] == row[j])
                    third = (b[k] == row[j]) & (not found)
                    fourth = not (found | third)
                    below[k] = (below[k] if add else zero) + (g[j] if third else zero)
                    below[k + one] = (below[k + one] if add else zero) + (g[j] if fourth else zero)
