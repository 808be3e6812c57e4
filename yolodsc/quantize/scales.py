"""Scales of all tensors of bytes."""

from collections.abc import Mapping, Sequence

import numpy as np

from yolodsc.arrays import Array
from yolodsc.decompose import Matrix
from yolodsc.network import ConvolutionalLayer, Network, folded
from yolodsc.precision import TensorScale, byte_tensors, sources
from yolodsc.quantize.calibration import TensorSample
from yolodsc.quantize.ranges import best_scale


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
        weights = [_spread(importance[i], value) for i, value in zip(members, values, strict=True)]
        scale = best_scale(np.concatenate([v.ravel() for v in values]), np.concatenate(weights))
        scales |= dict.fromkeys(members, scale)
    return scales


def _spread(importance: Matrix, values: Array) -> Matrix:
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
