"""Tensors rounded to the levels of their bytes, forward and backward."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.precision import MAX_LEVEL, TensorScale


def round_tensor(x: Array, scale: TensorScale, out: Array) -> None:
    """Fill ``out`` with the real values of the bytes of ``x``; both are contiguous, of one shape."""
    _round(x.reshape(-1), out.reshape(-1), *_numbers(scale))


def round_backward(gradient: Array, x: Array, scale: TensorScale) -> float:
    """Overwrite the gradient of the rounded tensor with that of ``x``; return the derivative by the logarithm of the scale.

    Rounding passes gradients on unchanged inside the range and stops them outside (Bengio et al. 2013). The derivative of a
    rounded value by the scale is the rounding error in levels inside, the level itself outside (Esser et al. 2020, eq. 3).
    """
    return float(scale.scale) * _round_backward(gradient.reshape(-1), x.reshape(-1), *_numbers(scale))


def _numbers(scale: TensorScale) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """1 / scale, scale, and the lowest and highest level relative to the zero point."""
    zero = np.float32(scale.zero_point)
    return scale.inverse, np.float32(scale.scale), -zero, np.float32(MAX_LEVEL) - zero


@njit(cache=True, nogil=True, error_model="numpy")
def _round(x: Array, out: Array, inverse: np.float32, scale: np.float32, low: np.float32, high: np.float32) -> None:
    for i in range(len(x)):
        out[i] = min(max(np.rint(x[i] * inverse), low), high) * scale


@njit(cache=True, nogil=True, error_model="numpy")
def _round_backward(gradient: Array, x: Array, inverse: np.float32, scale: np.float32, low: np.float32, high: np.float32) -> float:
    total = 0.0
    for i in range(len(x)):
        levels = x[i] * inverse
        nearest = np.rint(levels)
        if nearest < low:
            total += gradient[i] * low
            gradient[i] = 0
        elif nearest > high:
            total += gradient[i] * high
            gradient[i] = 0
        else:
            total += gradient[i] * (nearest - levels)
    return total
