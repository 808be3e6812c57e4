"""`fold_separable`: depthwise and pointwise pairs merged into regular convolutions (He et al. 2019, section 4.3)."""

from collections.abc import Iterator
from typing import TypeGuard

import numpy as np

from yolodsc.darknet import Section
from yolodsc.errors import ConversionError
from yolodsc.network import ConvolutionalLayer, Layer, Network, Weights, folded_exactly, geometry_options, renumbered

Pair = tuple[ConvolutionalLayer, ConvolutionalLayer]


def fold_separable(network: Network) -> Network:
    """Merge each depthwise and pointwise pair into one convolution, and renumber references to layers.

    The depthwise layer's batch normalization is folded into the kernel; the pointwise layer keeps its own. A pair is merged if the
    depthwise layer is linear and only the pointwise layer reads it, and if neither is ``xnor``, blurred, shared or without stored
    arrays.

    Raises
    ------
    ConversionError
        There is no such pair.
    """
    pairs = {pointwise.index: (depthwise, pointwise) for depthwise, pointwise in _pairs(network)}
    if not pairs:
        expected = "a depthwise convolution with activation=linear and a pointwise one after it"
        raise ConversionError(f"{network.cfg.file}: nothing to fold; expected {expected}")
    removed = {depthwise.index for depthwise, _ in pairs.values()}
    numbers = _numbers(len(network.layers), removed)
    sections: list[Section] = [network.cfg.net]
    arrays: list[Weights] = []
    for layer, weights in zip(network.layers, network.weights, strict=True):
        if layer.index in pairs:
            depthwise, pointwise = pairs[layer.index]
            sections.append(_section(depthwise, pointwise))
            arrays.append(_arrays(depthwise, network.weights[depthwise.index], weights))
        elif layer.index not in removed:
            sections.append(renumbered(layer.section, layer.index, numbers))
            arrays.append(weights)
    return network.with_sections(sections, arrays)


def _pairs(network: Network) -> Iterator[Pair]:
    readers: dict[int, int] = {}
    shared: set[int] = set()
    for layer in network.layers:
        for source in layer.sources:
            readers[source] = readers.get(source, 0) + 1
        if isinstance(layer, ConvolutionalLayer) and layer.share_index is not None:
            shared |= {layer.index, layer.share_index}
    for first, second in zip(network.layers, network.layers[1:], strict=False):
        if not (_plain(first, shared) and _plain(second, shared)):
            continue
        depthwise, pointwise = first, second
        linear = depthwise.activation == "linear" and readers[depthwise.index] == 1
        if depthwise.depthwise and linear and pointwise.pointwise:
            yield depthwise, pointwise


def _plain(layer: Layer, shared: set[int]) -> TypeGuard[ConvolutionalLayer]:
    """Whether a layer is a linear convolution with unshared, stored arrays."""
    if not isinstance(layer, ConvolutionalLayer) or layer.index in shared:
        return False
    return layer.ordinary and layer.stored() == tuple(layer.weight_shapes())


def _section(depthwise: ConvolutionalLayer, pointwise: ConvolutionalLayer) -> Section:
    """The pointwise section with the depthwise layer's geometry."""
    return pointwise.section.replaced(size=depthwise.size, groups=None, **geometry_options(depthwise))


def _arrays(depthwise: ConvolutionalLayer, inner: Weights, outer: Weights) -> Weights:
    """Arrays of the regular convolution; the depthwise bias is added to the bias, or subtracted from the mean."""
    kernel, bias = (array.astype(np.float64) for array in folded_exactly(depthwise, inner))  # (C m, 1, K, K), (C m,)
    size = depthwise.size
    matrix = outer["weights"][:, :, 0, 0].astype(np.float64)  # (F, C m)
    terms = matrix[:, :, None, None] * kernel[:, 0]  # (F, C m, K, K)
    channels = depthwise.inputs[0].channels
    dense = terms.reshape(len(matrix), channels, -1, size, size).sum(axis=2)
    added = matrix @ bias  # (F,)
    moved = {"rolling_mean": outer["rolling_mean"] - added} if "rolling_mean" in outer else {"biases": outer["biases"] + added}
    return {name: np.asarray(array, np.float32) for name, array in {**outer, **moved, "weights": dense}.items()}


def _numbers(count: int, removed: set[int]) -> list[int]:
    """New index of every layer; a removed layer has the index of the layer after it."""
    kept = np.array([index not in removed for index in range(count)])
    return [int(number) for number in np.cumsum(kept) - kept]
