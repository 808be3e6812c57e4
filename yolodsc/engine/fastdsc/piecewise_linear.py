"""Bias and piecewise-linear activation in one pass over a feature map, after a matrix product."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit

LOWEST = np.finfo(np.float32).min
"""Lower bound of what a slope of 0 multiplies: 0 times -infinity is NaN."""


@njit(cache=True, nogil=True, error_model="numpy")
def add_bias_and_activate(out: Array, bias: Array, slope: np.float32, limit: np.float32) -> None:
    """Overwrite (F, N) with max(v + bias, slope * (v + bias)), at most ``limit``; the parameters are those of `depthwise`."""
    floor = np.float32(-np.inf) if slope else LOWEST
    for f in range(out.shape[0]):
        row, b = out[f], bias[f]
        for x in range(row.shape[0]):
            value = row[x] + b
            low = floor if value < floor else value
            row[x] = min(max(value, slope * low), limit)
