"""Max pooling over space, forward and backward."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.arguments import PoolingWindow, plain_arguments

Flattened = tuple[Array, Array, Array, Array]
"""Gradient of the output, input, output, and gradient of the input, (n,) each."""


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
    """Fill (C, n, H / 2, W / 2) from (C, n, H, W): windows of 2x2 without overlap, seven times as fast as `forward`."""
    width = out.shape[3]
    rows, pooled = x.reshape(-1, x.shape[3]), out.reshape(-1, width)
    one, two = np.uint64(1), np.uint64(2)
    for r in range(len(pooled)):
        a, b, row = rows[2 * r], rows[2 * r + 1], pooled[r]
        for j in range(np.uint64(width)):
            k = two * j
            row[j] = max(a[k], a[k + one], b[k], b[k + one])


@njit(cache=True, nogil=True, error_model="numpy")
def _distribute(arrays: Flattened, windows: np.uint64, pixels: np.uint64, width: np.uint64, count: int, accumulate: bool) -> None:
    """Give the gradients of ``count`` adjacent windows to the first maximum of each.

    The first window is number ``windows``; its upper left pixel is number ``pixels``, and rows have ``width`` pixels.
    """
    gradient, x, out, target = arrays
    one, two, zero = np.uint64(1), np.uint64(2), np.float32(0)
    for i in range(np.uint64(count)):
        a = pixels + two * i
        b = a + width
        value, g = out[windows + i], gradient[windows + i]
        is_first = x[a] == value
        is_second = (x[a + one] == value) & (not is_first)
        above = is_first | is_second
        is_third = (x[b] == value) & (not above)
        is_fourth = not (above | is_third)
        target[a] = (target[a] if accumulate else zero) + (g if is_first else zero)
        target[a + one] = (target[a + one] if accumulate else zero) + (g if is_second else zero)
        target[b] = (target[b] if accumulate else zero) + (g if is_third else zero)
        target[b + one] = (target[b + one] if accumulate else zero) + (g if is_fourth else zero)


@njit(cache=True, nogil=True, error_model="numpy")
def backward_2x2(gradient: Array, x: Array, out: Array, target: Array, accumulate: bool) -> None:
    """Store or add the gradients (C, n, H / 2, W / 2) of `forward_2x2`; every pixel is written.

    LLVM writes vector code without a scalar remainder for a constant number of windows, which narrow feature maps need.
    """
    width, pitch = out.shape[3], np.uint64(x.shape[3])
    arrays = gradient.reshape(-1), x.reshape(-1), out.reshape(-1), target.reshape(-1)
    two, eight, sixteen = np.uint64(2), np.uint64(8), np.uint64(16)
    window, pixel = np.uint64(0), np.uint64(0)
    for _ in range(out.size // width):
        rest = width
        while rest >= 16:
            _distribute(arrays, window, pixel, pitch, 16, accumulate)
            window, pixel, rest = window + sixteen, pixel + two * sixteen, rest - 16
        if rest >= 8:
            _distribute(arrays, window, pixel, pitch, 8, accumulate)
            window, pixel, rest = window + eight, pixel + two * eight, rest - 8
        _distribute(arrays, window, pixel, pitch, rest, accumulate)
        window, pixel = window + np.uint64(rest), pixel + two * np.uint64(rest) + pitch
