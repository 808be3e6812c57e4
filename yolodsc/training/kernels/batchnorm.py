"""Passes over (C, N) for batch norm with live statistics; sums of up to 4096 elements in float32, sums of those in float64.

Kernels of convolutions do their part in passes of their own: they sum the moments of what they store (`add_moments`), and read
gradients through batch norm (`output_gradient`).
"""

import numpy as np

from yolodsc.arrays import Array, Floats
from yolodsc.jit import njit
from yolodsc.training.kernels.arguments import ActivationParams, ConvolutionGradients, Normalization, plain_arguments
from yolodsc.training.kernels.piecewise_linear import activated
from yolodsc.training.kernels.vectors.rows import gradient_rows, normalised_gradient_rows
from yolodsc.training.kernels.vectors.sums import BLOCK, distance_sums, gradient_sums


@njit(cache=True, nogil=True, error_model="numpy")
def add_moments(x: Array, start: int, count: int, first: bool, moments: Floats) -> None:
    """Add the sums of the distances of a part of (n,) from a pivot, and of their squares.

    Parameters
    ----------
    first
        Whether the part is the first of its channel. The mean of its first 64 elements is the pivot, which is near enough to the
        mean for no precision to be lost.
    moments : (3,)
        Pivot, sum and sum of squares.
    """
    if first:
        head = min(count, 64)
        moments[0] = distance_sums((x,), start, head, (np.float32(0),))[0] / np.float32(head)
        moments[1] = moments[2] = 0
    pivot = np.float32(moments[0])
    for i in range(start, start + count, BLOCK):
        distance, square = distance_sums((x,), i, min(BLOCK, start + count - i), (pivot,))
        moments[1] += distance
        moments[2] += square


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def normalise(x: Array, normalization: Normalization, out: Array) -> None:
    """Fill (C, N) with the normalised and activated x."""
    normalization = Normalization(*normalization)
    for c in range(len(x)):
        source, target = x[c], out[c]
        m, f, b = normalization.mean[c], normalization.factor[c], normalization.bias[c]
        for i in range(len(source)):
            target[i] = activated((source[i] - m) * f + b, ActivationParams(normalization.slope, normalization.limit))


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def sum_gradients(gradient: Array, x: Array, normalization: Normalization, bias_sums: Floats, product_sums: Floats) -> None:
    """Fill (C,) with the sums over (C, N) of the gradient of the activation's input, and of its products with x - mean."""
    normalization = Normalization(*normalization)
    count, rows = x.shape[1], (gradient.reshape(-1), x.reshape(-1))
    for c in range(len(x)):
        scalars = normalization.mean[c], normalization.factor[c], normalization.bias[c], normalization.slope, normalization.limit
        bias_sums[c] = product_sums[c] = 0
        for start in range(0, count, BLOCK):
            value, product = gradient_sums(rows, c * count + start, min(BLOCK, count - start), scalars)
            bias_sums[c] += value
            product_sums[c] += product


Positions = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""Of the gradient, the output and the target: first element, and the distance of rows."""


@njit(cache=True, nogil=True, error_model="numpy")
def output_gradient(
    gradients: ConvolutionGradients,
    f: int,
    arrays: tuple[Array, Array, Array],
    positions: Positions,
    shape: tuple[int, int],
    activation: ActivationParams,
) -> np.float32:
    """Fill rows with the gradient of what a convolution computes for filter f; return its sum.

    Parameters
    ----------
    arrays
        Flattened: gradient, output and target. With live batch norm, the gradient is that of the activated output of batch norm.
    shape
        Rows and width.
    """
    if len(gradients.normalization) == 0:
        return gradient_rows(arrays, positions, shape, (activation.slope, activation.limit))
    n = gradients.normalization[f]
    return normalised_gradient_rows(arrays, positions, shape, (n[0], n[1], n[2], n[3], n[4], n[5], n[6]))
