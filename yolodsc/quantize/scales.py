"""Scales of all tensors of bytes, by least squared error: what is clipped against what is rounded."""

from collections.abc import Mapping, Sequence

import numpy as np

from yolodsc.arrays import Array
from yolodsc.decompose import Matrix
from yolodsc.network import ConvolutionalLayer, Network, folded
from yolodsc.precision import MAX_LEVEL, TensorScale, byte_tensors, scale_of_range, sources
from yolodsc.quantize.calibration import TensorSample

BINS = 2048
_SHARES = np.concatenate([np.linspace(0.2, 0.6, 9), np.linspace(0.62, 1.0, 20)])


def tensor_scales(network: Network, int8: Sequence[int], samples: Mapping[int, TensorSample]) -> dict[int, TensorScale]:
    """One scale for each group of tensors, by the squared error at the outputs of the layers that read them.

    The error of a channel counts as much as the squared weights that read it. Zeros have no error.
    """
    energies = {index: _energies(network, index) for index in int8}
    importance = {i: np.zeros(len(sample.values)) for i, sample in samples.items()}
    for index, energy in energies.items():
        importance[sources(network, index)[0]] += energy / max(float(energy.sum()), 1e-30)
    scales: dict[int, TensorScale] = {}
    for group in byte_tensors(network, int8):
        members = sorted(group)
        values = [samples[i].values for i in members]
        weights = [_by_value(importance[i], value) for i, value in zip(members, values, strict=True)]
        scale = best_scale(np.concatenate([v.ravel() for v in values]), np.concatenate(weights))
        scales |= dict.fromkeys(members, scale)
    return scales


def _by_value(importance: Matrix, values: Array) -> Matrix:
    """Importance of every value (C, n), flattened; channels count equally where no layer reads the tensor itself."""
    each = importance if importance.any() else np.full(len(importance), 1 / len(importance))
    return (each[:, None] * (values != 0)).ravel()


def _energies(network: Network, index: int) -> Matrix:
    """Sum of squared weights by input channel, (C,)."""
    layer = network.layers[index]
    assert isinstance(layer, ConvolutionalLayer)
    kernel, _ = folded(layer, network.weights[index])
    grouped = np.square(kernel, dtype=np.float64).reshape(layer.groups, -1, kernel.shape[1], layer.size**2)
    return grouped.sum(axis=(1, 3)).reshape(-1)


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
