"""Random weights under which a deep network neither amplifies nor loses its signal."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import numpy as np

from yolodsc.arrays import Array
from yolodsc.errors import CfgError
from yolodsc.network import ConvolutionalLayer, Network

MAX_SIDE = 128
"""Side of the images on which the variances are measured."""


def random_weights(network: Network, image: Array, *, seed: int) -> Network:
    """The network with random weights, scaled so that each convolution has outputs of unit variance.

    Without the scaling, rounding errors grow from layer to layer in deep networks, and the outputs of two correct engines differ by
    tens of percent. Source: Mishkin and Matas 2016, "All you need is a good init" (LSUV), with the weights of He 2015 eq. 10.

    Parameters
    ----------
    image : (C, H, W)
        On which the variances are measured, at most `MAX_SIDE` pixels a side where the network can be resized.
    """
    rng = np.random.default_rng(seed)
    drawn = [{name: _random(rng, name, array) for name, array in arrays.items()} for arrays in network.weights]
    small = _resized(network.with_weights(drawn))
    outputs: list[Array] = []
    for layer in small.layers:
        inputs = [image[:, : layer.inputs[0].height, : layer.inputs[0].width] if s < 0 else outputs[s] for s in layer.sources]
        arrays = small.weights[layer.index]
        if isinstance(layer, ConvolutionalLayer) and layer.weight_shapes() and not layer.xnor:
            linear = replace(layer, activation="linear").forward(inputs, arrays)
            arrays = drawn[layer.index] = _divided(arrays, float(linear.std()))
        elif layer.weight_shapes() == {} and isinstance(layer, ConvolutionalLayer) and layer.share_index is not None:
            arrays = drawn[layer.share_index]
        outputs.append(layer.forward(inputs, arrays).astype(np.float32, copy=False))
    return network.with_weights(drawn)


def _divided(arrays: Mapping[str, Array], deviation: float) -> dict[str, Array]:
    """The arrays of a layer whose outputs are divided by their standard deviation."""
    if not 1e-20 < deviation < 1e20:
        return dict(arrays)
    scaled = {"biases", "scales" if "scales" in arrays else "weights"}
    return {name: (array / np.float32(deviation)) if name in scaled else array for name, array in arrays.items()}


def _resized(network: Network) -> Network:
    """The network for small images, if its weights do not depend on their size."""
    _, height, width = network.input_shape
    if max(height, width) <= MAX_SIDE:
        return network
    try:
        return network.resized(MAX_SIDE, MAX_SIDE)
    except CfgError:
        return network


def _random(rng: np.random.Generator, name: str, array: Array) -> Array:
    """Variances and scales near 1, small biases, weights as in He 2015 eq. 10."""
    if name == "rolling_variance":
        return rng.uniform(0.5, 1.5, array.shape).astype(np.float32)
    if name == "scales":
        return rng.uniform(0.8, 1.2, array.shape).astype(np.float32)
    deviation = 0.1 if array.ndim < 2 else (2 / prod(array.shape[1:])) ** 0.5
    return (deviation * rng.standard_normal(array.shape)).astype(np.float32)
