"""Initial weights of a network."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import Network


def initialize_weights(network: Network, *, seed: int) -> Network:
    """Return the network with normal weights of variance 2 / inputs (He et al. 2015), scales of 1, and biases of 0."""
    random = np.random.default_rng((seed, 2015))
    return network.with_weights([{name: _initial(random, name, array) for name, array in own.items()} for own in network.weights])


def _initial(random: np.random.Generator, name: str, array: Array) -> Array:
    if name in {"scales", "rolling_variance"}:
        return np.ones_like(array)
    if array.ndim < 2:
        return np.zeros_like(array)
    return (random.standard_normal(array.shape) * np.sqrt(2 / array[0].size)).astype(np.float32)
