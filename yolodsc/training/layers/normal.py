"""Passes over (C, N) that batch norm with live statistics makes; sums of up to 1024 numbers in float32, of those in float64."""

import numpy as np
from numba import njit

from yolodsc.shape import Array, Floats

_RUN = 1024


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def total(x: Array, sums: Floats) -> None:
    """Fill (C,) with the sums of (C, N)."""
    for c in range(len(x)):
        sums[c] = 0
        for start in range(0, x.shape[1], _RUN):
            part = np.float32(0)
            for value in x[c, start : start + _RUN]:
                part += value
            sums[c] += part


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def squares(x: Array, mean: Array, sums: Floats) -> None:
    """Fill (C,) with the sums of squared distances of (C, N) from the mean (C,)."""
    for c in range(len(x)):
        sums[c] = 0
        for start in range(0, x.shape[1], _RUN):
            part = np.float32(0)
            for value in x[c, start : start + _RUN]:
                part += (value - mean[c]) * (value - mean[c])
            sums[c] += part


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
def unbend(
    gradient: Array,
    out: Array,
    x: Array,
    mean: Array,
    inverse: Array,
    bending: tuple[np.float32, np.float32],
    bias_sums: Floats,
    scale_sums: Floats,
) -> None:
    """Overwrite the gradient (C, N) with that before bend and cut; its sums and those of its products with the normal numbers."""
    one, zero = np.float32(1), np.float32(0)
    slope, limit = bending
    for c in range(len(x)):
        bias_sums[c] = scale_sums[c] = 0
        for start in range(0, x.shape[1], _RUN):
            g, y, v = gradient[c, start : start + _RUN], out[c, start:], x[c, start:]
            plain = product = zero
            for i in range(len(g)):
                value = g[i] * ((one if y[i] > zero else slope) if y[i] < limit else zero)
                g[i] = value
                plain += value
                product += value * (v[i] - mean[c])
            bias_sums[c] += plain
            scale_sums[c] += product * inverse[c]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def denormalise(gradient: Array, x: Array, mean: Array, factor: Array, plain: Array, product: Array) -> None:
    """Overwrite the gradient g (C, N) of the normal numbers with that of x: factor * (g - plain - (x - mean) * product)."""
    for c in range(len(x)):
        g, v, m, f, p, q = gradient[c], x[c], mean[c], factor[c], plain[c], product[c]
        for i in range(len(g)):
            g[i] = f * (g[i] - p - (v[i] - m) * q)
