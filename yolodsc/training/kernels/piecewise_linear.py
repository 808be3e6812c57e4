"""Activations that are a bend and a cut, with the bias, in one pass over a map in either direction.

max(v, slope * v), at most limit: 1 and infinity are linear, 0.1 leaky, 0 relu, 0 and 6 relu6. The slope at a number can be told
from the output alone, so that nothing else is kept.

Rows that are overwritten have functions of their own: LLVM makes scalar code where two arrays may be one.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit

Bending = tuple[np.float32, np.float32]
"""Slope below 0 and greatest value."""


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def bent_row(before: Array, bias: np.float32, bending: Bending, out: Array) -> None:
    """Fill (n,) with the activation of v + bias."""
    slope, limit = bending
    for i in range(len(before)):
        value = before[i] + bias
        out[i] = min(max(value, slope * value), limit)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def bend_row(row: Array, bias: np.float32, bending: Bending) -> None:
    """Overwrite (n,) with the activation of v + bias."""
    slope, limit = bending
    for i in range(len(row)):
        value = row[i] + bias
        row[i] = min(max(value, slope * value), limit)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def unbent(gradient: np.float32, out: np.float32, bending: Bending) -> np.float32:
    """The gradient before the activation, of one number that the activation made ``out``."""
    slope, limit = bending
    rise = np.float32(1) if out > np.float32(0) else slope
    return gradient * (rise if out < limit else np.float32(0))


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def unbent_row(gradient: Array, out: Array, bending: Bending, before: Array) -> np.float32:
    """Fill (n,) with the gradient before the activation; returns its sum."""
    total = np.float32(0)
    for i in range(len(before)):
        value = unbent(gradient[i], out[i], bending)
        before[i] = value
        total += value
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def unbend_row(gradient: Array, out: Array, bending: Bending) -> np.float32:
    """Overwrite the gradient (n,) of the output with that before the activation; returns its sum."""
    total = np.float32(0)
    for i in range(len(gradient)):
        value = unbent(gradient[i], out[i], bending)
        gradient[i] = value
        total += value
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def unbend(gradient: Array, out: Array, slope: np.float32, limit: np.float32, bias_gradient: Array) -> None:
    """Overwrite the gradient (F, N) of the output with that before the activation, and (F,) with its sums."""
    for f in range(out.shape[0]):
        if slope == 1 and limit == np.inf:
            bias_gradient[f] = gradient[f].sum()
        else:
            bias_gradient[f] = unbend_row(gradient[f], out[f], (slope, limit))
