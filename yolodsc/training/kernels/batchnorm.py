"""Passes over (C, N) that batch norm with live statistics makes; sums of up to 1024 numbers in float32, of those in float64."""

import numpy as np

from yolodsc.arrays import Array, Floats
from yolodsc.jit import njit
from yolodsc.training.kernels.piecewise_linear import unbent

_RUN = 1024


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def moments(x: Array, sums: Floats, squares: Floats) -> None:
    """Fill (C,) with the sums of (C, N) and those of squared distances from their own mean, in one pass.

    Distances are taken from the mean of the first run, which is near enough for nothing to be lost.
    """
    count = x.shape[1]
    for c in range(len(x)):
        head, pivot = x[c, :_RUN], np.float32(0)
        for i in range(len(head)):
            pivot += head[i]
        pivot /= np.float32(len(head))
        first = second = np.float64(0)
        for start in range(0, count, _RUN):
            run, once, twice = x[c, start : start + _RUN], np.float32(0), np.float32(0)
            for i in range(len(run)):
                distance = run[i] - pivot
                once += distance
                twice += distance * distance
            first += once
            second += twice
        sums[c] = first + count * np.float64(pivot)
        squares[c] = max(second - first * first / count, 0.0)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def normalise(x: Array, mean: Array, factor: Array, bias: Array, bending: tuple[np.float32, np.float32], out: Array) -> None:
    """Fill (C, N) with (x - mean) * factor + bias, bent and cut."""
    slope, limit = bending
    for c in range(len(x)):
        source, place, m, f, b = x[c], out[c], mean[c], factor[c], bias[c]
        for i in range(len(source)):
            value = (source[i] - m) * f + b
            place[i] = min(max(value, slope * value), limit)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def slopes(
    gradient: Array,
    x: Array,
    mean: Array,
    factor: Array,
    bias: Array,
    bending: tuple[np.float32, np.float32],
    bias_sums: Floats,
    product_sums: Floats,
) -> None:
    """Sums over (C, N) of the gradient before bend and cut, and of its products with x - mean."""
    for c in range(len(x)):
        m, f, b = mean[c], factor[c], bias[c]
        first = second = np.float64(0)
        for start in range(0, x.shape[1], _RUN):
            g, v = gradient[c, start : start + _RUN], x[c, start:]
            once = twice = np.float32(0)
            for i in range(len(g)):
                distance = v[i] - m
                value = unbent(g[i], distance * f + b, bending)
                once += value
                twice += value * distance
            first += once
            second += twice
        bias_sums[c], product_sums[c] = first, second


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def denormalise(
    gradient: Array,
    x: Array,
    mean: Array,
    factor: Array,
    bias: Array,
    bending: tuple[np.float32, np.float32],
    plain: Array,
    product: Array,
) -> None:
    """Overwrite the gradient (C, N) of the output with that of x.

    factor * (g - plain - (x - mean) * product), g the gradient before bend and cut.
    """
    for c in range(len(x)):
        g, v, m, f, b, p, q = gradient[c], x[c], mean[c], factor[c], bias[c], plain[c], product[c]
        for i in range(len(g)):
            distance = v[i] - m
            value = unbent(g[i], distance * f + b, bending)
            g[i] = f * (value - p - distance * q)
