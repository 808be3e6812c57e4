"""Passes over (C, N) for batch norm with live statistics; sums of up to 1024 elements in float32, sums of those in float64."""

import numpy as np

from yolodsc.arrays import Array, Floats
from yolodsc.jit import njit
from yolodsc.training.kernels.arguments import ActivationParams, Normalization, plain_arguments
from yolodsc.training.kernels.piecewise_linear import BLOCK, activated, input_gradient
from yolodsc.training.kernels.reductions import dot, row_sum


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def sum_moments(x: Array, sums: Floats, squares: Floats) -> None:
    """Fill (C,) with the sums of (C, N) and of its squared distances from the mean, in one pass.

    Distances are taken from the mean of the first block, which is near enough to the mean for no precision to be lost.
    """
    count, distances = x.shape[1], np.empty(BLOCK, np.float32)
    for c in range(len(x)):
        head = x[c, :BLOCK]
        pivot = row_sum(head) / np.float32(len(head))
        first = second = np.float64(0)
        for start in range(0, count, BLOCK):
            part = x[c, start : start + BLOCK]
            distance = distances[: len(part)]
            for i in range(len(part)):
                distance[i] = part[i] - pivot
            first += row_sum(distance)
            second += dot(distance, distance)
        sums[c] = first + count * np.float64(pivot)
        squares[c] = max(second - first * first / count, 0.0)


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
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def sum_gradients(gradient: Array, x: Array, normalization: Normalization, bias_sums: Floats, product_sums: Floats) -> None:
    """Fill (C,) with the sums over (C, N) of the gradient of the activation's input, and of its products with x - mean."""
    normalization = Normalization(*normalization)
    distances, values = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for c in range(len(x)):
        m, f, b = normalization.mean[c], normalization.factor[c], normalization.bias[c]
        first = second = np.float64(0)
        for start in range(0, x.shape[1], BLOCK):
            g, v = gradient[c, start : start + BLOCK], x[c, start:]
            distance, value = distances[: len(g)], values[: len(g)]
            for i in range(len(g)):
                distance[i] = v[i] - m
                value[i] = input_gradient(g[i], distance[i] * f + b, ActivationParams(normalization.slope, normalization.limit))
            first += row_sum(value)
            second += dot(value, distance)
        bias_sums[c], product_sums[c] = first, second


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def normalise_backward(gradient: Array, x: Array, normalization: Normalization, means: Array, products: Array) -> None:
    """Overwrite the gradient (C, N) of the output with that of x.

    The result is ``factor * (g - means - (x - mean) * products)``, where g is the gradient of the activation's input.
    """
    normalization = Normalization(*normalization)
    for c in range(len(x)):
        g, v, p, q = gradient[c], x[c], means[c], products[c]
        m, f, b = normalization.mean[c], normalization.factor[c], normalization.bias[c]
        for i in range(len(g)):
            distance = v[i] - m
            value = input_gradient(g[i], distance * f + b, ActivationParams(normalization.slope, normalization.limit))
            g[i] = f * (value - p - distance * q)
