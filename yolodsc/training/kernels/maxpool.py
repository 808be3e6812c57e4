"""Max pooling over space, forward and backward."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.arguments import PoolingWindow, plain_arguments
from yolodsc.training.kernels.vectors.pooling import pool_row, pool_row_backward


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def forward(x: Array, window: PoolingWindow, out: Array) -> None:
    """Fill (C, n, OH, OW) from (C, n, H, W); pixels outside the feature map do not count."""
    size, stride_y, stride_x, padding = window
    (height, width), (out_height, out_width) = x.shape[2:], out.shape[2:]
    planes, rows = x.reshape(-1, height, width), out.reshape(-1, out_width)
    for r in range(len(rows)):
        pixels, top = planes[r // out_height], r % out_height * stride_y - padding
        lines = range(max(top, 0), min(top + size, height))
        for j in range(out_width):
            left = j * stride_x - padding
            best = np.finfo(np.float32).min
            for v in lines:
                for u in range(max(left, 0), min(left + size, width)):
                    best = max(best, pixels[v, u])
            rows[r, j] = best


@njit(cache=True, nogil=True, error_model="numpy")
def _first(x: Array, rows: tuple[int, int], columns: tuple[int, int], value: np.float32) -> tuple[int, int]:
    """Return row and column of the first pixel in a part of (H, W) that equals ``value``; beyond the last row without one."""
    v, u = rows[0], columns[0]
    while v < rows[1] and x[v, u] != value:
        u += 1
        if u >= columns[1]:
            u, v = columns[0], v + 1
    return v, u


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def backward(gradient: Array, x: Array, out: Array, window: PoolingWindow, target: Array) -> None:
    """Add each gradient (C, n, OH, OW) to the first pixel of its window that holds the maximum."""
    window = PoolingWindow(*window)
    height, width = x.shape[2:]
    planes, targets = x.reshape(-1, height, width), target.reshape(-1, height, width)
    pooled = out.reshape(-1, out.shape[2], out.shape[3])
    gradients = gradient.reshape(-1, out.shape[2], out.shape[3])
    for p in range(len(planes)):
        for i in range(out.shape[2]):
            top = max(i * window.stride_y - window.padding, 0)
            bottom = min(i * window.stride_y - window.padding + window.size, height)
            for j in range(out.shape[3]):
                left = max(j * window.stride_x - window.padding, 0)
                right = min(j * window.stride_x - window.padding + window.size, width)
                v, u = _first(planes[p], (top, bottom), (left, right), pooled[p, i, j])
                if v < bottom and u < right:
                    targets[p, v, u] += gradients[p, i, j]


@njit(cache=True, nogil=True, error_model="numpy")
def forward_2x2(x: Array, out: Array) -> None:
    """Fill (C, n, H / 2, W / 2) from (C, n, H, W): windows of 2x2 without overlap."""
    width, arrays = out.shape[3], (x.reshape(-1), out.reshape(-1))
    for r in range(out.size // width):
        pool_row(arrays, (4 * r * width, r * width), width, False)


@njit(cache=True, nogil=True, error_model="numpy")
def backward_2x2(gradient: Array, x: Array, out: Array, target: Array, accumulate: bool) -> None:
    """Store or add the gradients (C, n, H / 2, W / 2) of `forward_2x2`; every pixel is written."""
    width, arrays = out.shape[3], (gradient.reshape(-1), x.reshape(-1), out.reshape(-1), target.reshape(-1))
    for r in range(out.size // width):
        windows, pixels = r * width, 4 * r * width
        pool_row_backward(arrays, (windows, pixels, windows, pixels), width, accumulate)
