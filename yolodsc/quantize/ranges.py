"""Ranges of tensors by least squared error: what is clipped against what is rounded."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.decompose import Matrix
from yolodsc.precision import MAX_LEVEL, TensorScale, scale_of_range

BINS = 2048
_SHARES = np.concatenate([np.linspace(0.2, 0.6, 9), np.linspace(0.62, 1.0, 20)])


def best_scale(values: Array, importance: Matrix) -> TensorScale:
    """Scale of a tensor with the least weighted squared error of its values.

    Parameters
    ----------
    values : (N,)
        A sample of the tensor.
    importance : (N,)
        Weight of the squared error of each.
    """
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    counts, edges = np.histogram(values, BINS, (low, max(high, low + 1e-6)), weights=importance)
    centres = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    occupied = counts > 0
    counts, centres = counts[occupied], centres[occupied]
    candidates = [(a * low, b * high) for b in _SHARES for a in (_SHARES[::3] if low < -0.02 * high else (1.0, b))]
    scales = [scale_of_range(a, b) for a, b in candidates]
    inverse, zero = np.array([1 / s.scale for s in scales])[:, None], np.array([s.zero_point for s in scales])[:, None]
    errors = np.empty(len(scales))
    for begin in range(0, len(scales), 32):
        part = slice(begin, begin + 32)
        levels = centres * inverse[part]
        inside = np.clip(levels, -zero[part], MAX_LEVEL - zero[part])
        # a bin is wider than a level or not: inside the range the error is that of uniform values within a level
        square = (np.square(levels - inside) + 1 / 12) / np.square(inverse[part])
        errors[part] = square @ counts
    return scales[int(errors.argmin())]
