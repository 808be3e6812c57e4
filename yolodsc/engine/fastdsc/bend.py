"""Bias and activation in one pass over a map, after a matrix product."""

import numpy as np

from yolodsc.jit import njit
from yolodsc.shape import Array


@njit(cache=True, nogil=True, error_model="numpy")
def bend(out: Array, bias: Array, slope: np.float32, limit: np.float32) -> None:
    """Overwrite (F, N) with max(v + bias, slope * (v + bias)), at most ``limit``; the parameters are those of `depthwise`."""
    for f in range(out.shape[0]):
        row, b = out[f], bias[f]
        for x in range(row.shape[0]):
            value = row[x] + b
            row[x] = min(max(value, slope * value), limit)
