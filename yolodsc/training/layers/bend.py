"""Activations that are a bend and a cut, with the bias, in one pass over a map in either direction.

max(v, slope * v), at most limit: 1 and infinity are linear, 0.1 leaky, 0 relu, 0 and 6 relu6. The slope at a number can be told
from the output alone, so that nothing else is kept.
"""

import numpy as np
from numba import njit

from yolodsc.shape import Array


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def bend(out: Array, bias: Array, slope: np.float32, limit: np.float32) -> None:
    """Overwrite (F, N) with the activation of v + bias (F,)."""
    for f in range(out.shape[0]):
        row, b = out[f], bias[f]
        for i in range(row.shape[0]):
            value = row[i] + b
            row[i] = min(max(value, slope * value), limit)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def unbent(gradient: Array, out: Array, bending: tuple[np.float32, np.float32], before: Array) -> np.float32:
    """Fill the gradient (n,) before bend and cut, which may be the place of the one after; returns its sum."""
    one, zero = np.float32(1), np.float32(0)
    slope, limit = bending
    total = zero
    for i in range(len(before)):
        rise = one if out[i] > zero else slope
        value = gradient[i] * (rise if out[i] < limit else zero)
        before[i] = value
        total += value
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def unbend(gradient: Array, out: Array, slope: np.float32, limit: np.float32, bias_gradient: Array) -> None:
    """Overwrite the gradient (F, N) of the output with that before the activation, and (F,) with its sums."""
    one, zero = np.float32(1), np.float32(0)
    for f in range(out.shape[0]):
        g, y = gradient[f], out[f]
        total = zero
        if slope == one and limit == np.inf:
            for i in range(g.shape[0]):
                total += g[i]
        else:
            total = unbent(g, y, (slope, limit), g)
        bias_gradient[f] = total
