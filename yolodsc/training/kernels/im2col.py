"""Convolution as matrix products on columns (``im2col.c: im2col_cpu_ext``, ``col2im.c``), a few rows of the output at a time.

Rows are numbered over all images: row r is row r % OH of image r // OH. The number of rows at a time keeps columns and products in
the cache. The columns of a whole image would take nine times the memory of the input for 3x3, and twice the time.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.arguments import (
    ActivationParams,
    ConvolutionGeometry,
    ConvolutionGradients,
    ConvolutionOperands,
    plain_arguments,
)
from yolodsc.training.kernels.batchnorm import add_moments, output_gradient
from yolodsc.training.kernels.piecewise_linear import activation_forward


@njit(cache=True, nogil=True, error_model="numpy")
def _inside(start: int, stride: int, side: int, count: int) -> tuple[int, int]:
    """First and past-the-last i < count for which start + i * stride lies in 0..side - 1."""
    first = 0 if start >= 0 else (-start + stride - 1) // stride
    last = 0 if side <= start else (side - 1 - start) // stride + 1
    return min(first, count), max(min(last, count), min(first, count))


@njit(cache=True, nogil=True, error_model="numpy")
def _gather_tap(x: Array, geometry: ConvolutionGeometry, tap: int, rows: tuple[int, int], columns: Array) -> None:
    """Fill (R, OW) from (n, H, W): what one tap reads, 0 outside; ``rows``: the first output row, and how many an image has."""
    size, stride_y, stride, padding, dilation = geometry
    top, left = tap // size * dilation - padding, tap % size * dilation - padding
    first, last = _inside(left, stride, x.shape[2], columns.shape[1])
    image, line = divmod(rows[0], rows[1])
    for r in range(len(columns)):
        row, y = columns[r], line * stride_y + top
        if 0 <= y < x.shape[1]:
            for j in range(first):
                row[j] = 0
            for j in range(last, len(row)):
                row[j] = 0
            pixels, target = x[image, y, first * stride + left :], row[first:]
            if stride == 1:
                for j in range(last - first):
                    target[j] = pixels[j]
            elif stride == 2:  # LLVM writes vector code only for a constant stride
                for j in range(last - first):
                    target[j] = pixels[2 * j]
            else:
                for j in range(last - first):
                    target[j] = pixels[j * stride]
        else:
            for j in range(len(row)):
                row[j] = 0
        image, line = (image, line + 1) if line + 1 < rows[1] else (image + 1, 0)


@njit(cache=True, nogil=True, error_model="numpy")
def _scatter_tap(columns: Array, geometry: ConvolutionGeometry, tap: int, rows: tuple[int, int], x: Array) -> None:
    """The transpose of `_gather_tap`: add (R, OW) to (n, H, W)."""
    size, stride_y, stride, padding, dilation = geometry
    top, left = tap // size * dilation - padding, tap % size * dilation - padding
    first, last = _inside(left, stride, x.shape[2], columns.shape[1])
    image, line = divmod(rows[0], rows[1])
    for r in range(len(columns)):
        y = line * stride_y + top
        if 0 <= y < x.shape[1]:
            source, pixels = columns[r, first:], x[image, y, first * stride + left :]
            if stride == 1:
                for j in range(last - first):
                    pixels[j] += source[j]
            else:
                for j in range(last - first):
                    pixels[j * stride] += source[j]
        image, line = (image, line + 1) if line + 1 < rows[1] else (image + 1, 0)


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(x: Array, geometry: ConvolutionGeometry, first_row: int, out_height: int, columns: Array) -> None:
    """Fill (C, K, K, R, OW) from (C, n, H, W): what each tap reads, 0 outside the feature map."""
    size = geometry[0]
    for c in range(x.shape[0]):
        for tap in range(size * size):
            _gather_tap(x[c], geometry, tap, (first_row, out_height), columns[c, tap // size, tap % size])


@njit(cache=True, nogil=True, error_model="numpy")
def _scatter(columns: Array, geometry: ConvolutionGeometry, first_row: int, out_height: int, x: Array) -> None:
    """The transpose of `_gather`: add (C, K, K, R, OW) to (C, n, H, W)."""
    size = geometry[0]
    for c in range(x.shape[0]):
        for tap in range(size * size):
            _scatter_tap(columns[c, tap // size, tap % size], geometry, tap, (first_row, out_height), x[c])


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def forward(operands: ConvolutionOperands, geometry: ConvolutionGeometry, rows: int, memory: Array, out: Array) -> None:
    """Compute convolution, bias and activation.

    Parameters
    ----------
    operands
        With weights (G, F / G, C / G * K * K).
    rows
        Rows of the output at a time.
    memory : ((C * K * K + F / G) * rows * OW,)
    out : (F, n, OH, OW)
    """
    operands = ConvolutionOperands(*operands)
    geometry = ConvolutionGeometry(*geometry)
    x, weights, bias, activation = operands.x, operands.weights, operands.bias, ActivationParams(operands.slope, operands.limit)
    groups, filters, taps = weights.shape
    size, out_width, total = geometry.size, out.shape[3], out.shape[1] * out.shape[2]
    out_rows = out.reshape(len(out), -1)
    for first in range(0, total, rows):
        n = min(rows, total - first)
        width = n * out_width
        columns = memory[: groups * taps * width]
        product = memory[groups * taps * width :][: filters * width].reshape(filters, width)
        _gather(x, geometry, first, out.shape[2], columns.reshape(len(x), size, size, n, out_width))
        for g in range(groups):
            np.dot(weights[g], columns.reshape(groups, taps, width)[g], product)
            for k in range(filters):
                f = g * filters + k
                activation_forward(product[k], bias[f], activation, out_rows[f, first * out_width :])
                if len(operands.moments):
                    add_moments(out_rows[f], first * out_width, width, first == 0, operands.moments[f])


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def backward(
    operands: ConvolutionOperands,
    gradients: ConvolutionGradients,
    geometry: ConvolutionGeometry,
    rows: int,
    memory: Array,
    out: Array,
) -> None:
    """Compute the gradients of weights (G, F / G, taps) and bias, and of the input where it is needed."""
    operands = ConvolutionOperands(*operands)
    gradients = ConvolutionGradients(*gradients)
    geometry = ConvolutionGeometry(*geometry)
    x, weights = operands.x, operands.weights
    groups, filters, taps = weights.shape
    size, out_width, total = geometry.size, out.shape[3], out.shape[1] * out.shape[2]
    out_rows, gradient = out.reshape(len(out), -1), gradients.out.reshape(len(out), -1)
    part = np.empty_like(weights[0])
    gradients.weights[:] = 0
    gradients.bias[:] = 0
    activation = ActivationParams(operands.slope, operands.limit)
    if not gradients.accumulate:
        gradients.x[:] = 0
    for first in range(0, total, rows):
        n, start = min(rows, total - first), first * out_width
        width = n * out_width
        columns = memory[: groups * taps * width]
        grouped = columns.reshape(groups, taps, width)
        before = memory[groups * taps * width :][: filters * width].reshape(filters, width)
        _gather(x, geometry, first, out.shape[2], columns.reshape(len(x), size, size, n, out_width))
        for g in range(groups):
            for k in range(filters):
                f = g * filters + k
                arrays, position = (gradient[f], out_rows[f], before[k]), (start, 0)
                gradients.bias[f] += output_gradient(gradients, f, arrays, (position, position, (0, 0)), (1, width), activation)
            np.dot(before, grouped[g].T, part)
            gradients.weights[g] += part
            if gradients.x.size > 0:
                np.dot(weights[g].T, before, grouped[g])
        if gradients.x.size > 0:
            _scatter(columns.reshape(len(x), size, size, n, out_width), geometry, first, out.shape[2], gradients.x)
