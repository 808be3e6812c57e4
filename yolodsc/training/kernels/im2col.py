"""Convolution as matrix products on columns (``im2col.c: im2col_cpu_ext``, ``col2im.c``), a few rows of the output at a time.

The rows of all images count on: row r is row r % OH of image r // OH. So many are taken that columns and products stay in the
cache; the columns of a whole image would be nine times the input for 3x3, and twice as slow.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.piecewise_linear import bent_row, unbent_row

Geometry = tuple[int, int, int, int, int]
"""size, stride_y, stride_x, margin, dilation."""


@njit(cache=True, nogil=True, error_model="numpy")
def _inside(start: int, stride: int, side: int, count: int) -> tuple[int, int]:
    """First and past-the-last i < count for which start + i * stride lies in 0..side - 1."""
    first = 0 if start >= 0 else (-start + stride - 1) // stride
    last = 0 if side <= start else (side - 1 - start) // stride + 1
    return min(first, count), max(min(last, count), min(first, count))


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(x: Array, geometry: Geometry, first_row: int, out_height: int, columns: Array) -> None:
    """Fill (C, K, K, R, OW) from (C, n, H, W): what each tap sees, 0 outside the map."""
    size, stride_y, stride_x, margin, dilation = geometry
    height, width = x.shape[2:]
    rows, out_width = columns.shape[3:]
    for c in range(x.shape[0]):
        for ky in range(size):
            for kx in range(size):
                left = kx * dilation - margin
                first, last = _inside(left, stride_x, width, out_width)
                i, line = divmod(first_row, out_height)
                for r in range(rows):
                    row, image, y = columns[c, ky, kx, r], i, line * stride_y + ky * dilation - margin
                    i, line = (i, line + 1) if line + 1 < out_height else (i + 1, 0)
                    if y < 0 or y >= height:
                        for j in range(out_width):
                            row[j] = 0
                        continue
                    for j in range(first):
                        row[j] = 0
                    for j in range(last, out_width):
                        row[j] = 0
                    source, place = x[c, image, y, first * stride_x + left :], row[first:]
                    if stride_x == 1:
                        for j in range(last - first):
                            place[j] = source[j]
                    else:
                        for j in range(last - first):
                            place[j] = source[j * stride_x]


@njit(cache=True, nogil=True, error_model="numpy")
def _scatter(columns: Array, geometry: Geometry, first_row: int, out_height: int, x: Array) -> None:
    """The transpose: add (C, K, K, R, OW) to where they came from in (C, n, H, W)."""
    size, stride_y, stride_x, margin, dilation = geometry
    height, width = x.shape[2:]
    rows, out_width = columns.shape[3:]
    for c in range(x.shape[0]):
        for ky in range(size):
            for kx in range(size):
                left = kx * dilation - margin
                first, last = _inside(left, stride_x, width, out_width)
                i, line = divmod(first_row, out_height)
                for r in range(rows):
                    image, y = i, line * stride_y + ky * dilation - margin
                    i, line = (i, line + 1) if line + 1 < out_height else (i + 1, 0)
                    if y < 0 or y >= height:
                        continue
                    source, place = columns[c, ky, kx, r, first:], x[c, image, y, first * stride_x + left :]
                    if stride_x == 1:
                        for j in range(last - first):
                            place[j] += source[j]
                    else:
                        for j in range(last - first):
                            place[j * stride_x] += source[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def forward(
    x: Array,
    matrices: Array,
    bias: Array,
    bending: tuple[np.float32, np.float32],
    geometry: Geometry,
    rows: int,
    memory: Array,
    out: Array,
) -> None:
    """Convolve, add the bias, bend and cut.

    Parameters
    ----------
    x : (C, n, H, W)
    matrices : (G, F / G, C / G * K * K)
    bending
        Slope below 0 and greatest value of the activation.
    rows
        Of the output, at a time.
    memory : ((C * K * K + F) * rows * OW,)
    out : (F, n, OH, OW)
    """
    groups, filters, taps = matrices.shape
    size, out_width, total = geometry[0], out.shape[3], out.shape[1] * out.shape[2]
    after = out.reshape(len(out), -1)
    for first in range(0, total, rows):
        n = min(rows, total - first)
        width = n * out_width
        columns = memory[: groups * taps * width]
        product = memory[groups * taps * width :][: filters * width].reshape(filters, width)
        _gather(x, geometry, first, out.shape[2], columns.reshape(len(x), size, size, n, out_width))
        for g in range(groups):
            np.dot(matrices[g], columns.reshape(groups, taps, width)[g], product)
            for k in range(filters):
                f = g * filters + k
                bent_row(product[k], bias[f], bending, after[f, first * out_width :])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def backward(
    x: Array,
    out: Array,
    gradient: Array,
    matrices: Array,
    bending: tuple[np.float32, np.float32],
    geometry: Geometry,
    rows: int,
    memory: Array,
    target: Array,
    add: bool,
    matrix_gradients: Array,
    bias_gradient: Array,
) -> None:
    """Gradients of kernels (G, F / G, taps), bias (F,) and, where ``target`` (C, n, H, W) is not empty, of the input."""
    groups, filters, taps = matrices.shape
    size, out_width, total = geometry[0], out.shape[3], out.shape[1] * out.shape[2]
    after, slopes = out.reshape(len(out), -1), gradient.reshape(len(out), -1)
    part = np.empty_like(matrices[0])
    matrix_gradients[:] = 0
    bias_gradient[:] = 0
    if not add:
        target[:] = 0
    for first in range(0, total, rows):
        n = min(rows, total - first)
        width = n * out_width
        columns = memory[: groups * taps * width]
        grouped, before = (
            columns.reshape(groups, taps, width),
            memory[groups * taps * width :][: filters * width].reshape(filters, width),
        )
        _gather(x, geometry, first, out.shape[2], columns.reshape(len(x), size, size, n, out_width))
        for g in range(groups):
            for k in range(filters):
                f, start = g * filters + k, first * out_width
                bias_gradient[f] += unbent_row(slopes[f, start:], after[f, start:], bending, before[k])
            np.dot(before, grouped[g].T, part)
            matrix_gradients[g] += part
            if target.size > 0:
                np.dot(matrices[g].T, before, grouped[g])
        if target.size > 0:
            _scatter(columns.reshape(len(x), size, size, n, out_width), geometry, first, out.shape[2], target)
