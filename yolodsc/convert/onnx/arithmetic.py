"""Arithmetic on feature maps: ``[shortcut] [sam] [scale_channels] [shift_channels] [activation] [normalization] [softmax]``."""

from collections.abc import Sequence

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.convert.onnx.activations import activated
from yolodsc.convert.onnx.graph import Graph
from yolodsc.network import (
    ActivationLayer,
    ClassTree,
    NormalizationLayer,
    SamLayer,
    ScaleChannelsLayer,
    ShiftChannelsLayer,
    ShortcutLayer,
    SoftmaxLayer,
    Weights,
)


def shortcut(graph: Graph, layer: ShortcutLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Sum of the sources, each cropped or padded to the layer's shape and multiplied by its factor."""
    out = None
    for x, shape, factor in zip(inputs, layer.inputs, layer.factors(weights), strict=True):
        term = _times(graph, _sampled(graph, x, shape, layer.shape), factor)
        out = term if out is None else graph.add("Add", out, term)
    return activated(graph, out or inputs[0], layer.activation)


def product(graph: Graph, layer: SamLayer | ScaleChannelsLayer, inputs: Sequence[str], weights: Weights) -> str:
    """The input times the gates or the other input."""
    gates, x = inputs
    return activated(graph, graph.add("Mul", x, gates), layer.activation)


def shifted(graph: Graph, layer: ShiftChannelsLayer, inputs: Sequence[str], weights: Weights) -> str:
    """The input plus one value for each channel."""
    return activated(graph, graph.add("Add", *inputs), layer.activation)


def activation(graph: Graph, layer: ActivationLayer, inputs: Sequence[str], weights: Weights) -> str:
    """The activation function."""
    return activated(graph, inputs[0], layer.activation)


def normalization(graph: Graph, layer: NormalizationLayer, inputs: Sequence[str], weights: Weights) -> str:
    """A 1x1 convolution of the squares, which are summed over Darknet's window of channels (with its defect at the start)."""
    (x,), channels = inputs, layer.shape.channels
    window = np.zeros((channels, channels), np.float32)
    window[0, : layer.size // 2] = layer.alpha
    for k in range(1, channels):
        leaving, entering = k - (layer.size - 1) // 2 - 1, k + layer.size // 2
        window[k] = window[k - 1]
        if leaving >= 0:
            window[k, leaving] -= np.float32(layer.alpha)
        if entering < channels:
            window[k, entering] += np.float32(layer.alpha)
    kappa = graph.constant(np.full(channels, layer.kappa, np.float32), "kappa")
    norm = graph.add("Conv", graph.add("Mul", x, x), graph.constant(window[..., None, None], "window"), kappa)
    return graph.add("Mul", x, graph.add("Pow", norm, graph.number(-layer.beta)))


def softmax(graph: Graph, layer: SoftmaxLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Within each of ``groups`` runs, or within each group of siblings of a tree."""
    x = inputs[0]
    if layer.temperature != 1:
        x = graph.add("Div", x, graph.number(layer.temperature))
    if layer.tree:
        return graph.reshape(tree_softmax(graph, graph.reshape(x, layer.shape.size), layer.tree), *layer.shape)
    runs = graph.reshape(x, layer.groups, layer.shape.size // layer.groups)
    return graph.reshape(graph.add("Softmax", runs, axis=2), *layer.shape)


def tree_softmax(graph: Graph, x: str, tree: ClassTree, *, axis: int = 1) -> str:
    """Softmax of each group of siblings along ``axis``."""
    parts = [graph.slice(x, [start], [stop], [axis]) for start, stop in tree.groups]
    return graph.add("Concat", *(graph.add("Softmax", part, axis=axis) for part in parts), axis=axis)


def _times(graph: Graph, x: str, factor: Array) -> str:
    """``x`` times a factor for all (1,) or for each channel (C,)."""
    if np.all(factor == 1):
        return x
    return graph.add("Mul", x, graph.constant(factor.reshape(1, -1, 1, 1)))


def _sampled(graph: Graph, x: str, shape: Shape, target: Shape) -> str:
    """A source resampled to ``target``, with 0 where nothing is added (`yolodsc.network.layers.shortcut`)."""
    if shape == target:
        return x
    channels, height, width = shape
    down = max(height // target.height, 1)
    up = max(target.height // height, 1)
    if down > 1:
        x = graph.slice(x, [0, 0], [height, width], [2, 3], [down, down])
        height, width = -(-height // down), -(-width // down)
    if up > 1:
        padded = graph.pad(graph.reshape(x, channels, height, 1, width, 1), [0] * 6, [0, 0, 0, up - 1, 0, up - 1])
        x, height, width = graph.reshape(padded, channels, height * up, width * up), height * up, width * up
    found = (channels, height, width)
    kept = [min(pair) for pair in zip(found, target, strict=True)]
    if kept != list(found):
        x = graph.slice(x, [0, 0, 0], kept, [1, 2, 3])
    missing = [expected - count for expected, count in zip(target, kept, strict=True)]
    return graph.pad(x, [0] * 4, [0, *missing]) if any(missing) else x
