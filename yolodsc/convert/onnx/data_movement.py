"""Layers that move or copy values: ``[route] [reorg] [reorg3d] [upsample] [crop] [dropout] [cost] [empty] [implicit]``."""

from collections.abc import Sequence

import numpy as np

from yolodsc.convert.onnx.graph import INPUT, Graph
from yolodsc.network import CropLayer, IdentityLayer, ImplicitLayer, Reorg3dLayer, ReorgLayer, RouteLayer, UpsampleLayer, Weights


def route(graph: Graph, layer: RouteLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Concat of the sources, or of one group of each."""
    parts = list(inputs)
    if layer.groups > 1:
        taken = [shape.channels // layer.groups for shape in layer.inputs]
        bounds = [(layer.group_id * count, (layer.group_id + 1) * count) for count in taken]
        parts = [graph.slice(x, [start], [stop], [1]) for x, (start, stop) in zip(inputs, bounds, strict=True)]
    return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)


def reorg(graph: Graph, layer: ReorgLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Darknet's passthrough, whose order differs from SpaceToDepth."""
    (x,), s = inputs, layer.stride
    channels, height, width = layer.inputs[0]
    if layer.reverse:
        blocks = graph.reshape(x, s, s, channels // s**2, height, width)
        return graph.reshape(graph.transpose(blocks, 0, 3, 4, 1, 5, 2), *layer.shape)
    blocks = graph.reshape(x, channels // s**2, height, s, width, s)
    return graph.reshape(graph.transpose(blocks, 0, 3, 5, 1, 2, 4), *layer.shape)


def reorg3d(graph: Graph, layer: Reorg3dLayer, inputs: Sequence[str], weights: Weights) -> str:
    """SpaceToDepth, whose channel order is Darknet's; with ``reverse`` Reshape and Transpose in Darknet's order."""
    (x,), s = inputs, layer.stride
    if layer.reverse:
        channels, height, width = layer.shape
        blocks = graph.reshape(x, s, s, channels // s**2, height, width)
        return graph.reshape(graph.transpose(blocks, 0, 3, 4, 1, 5, 2), *layer.shape)
    return graph.add("SpaceToDepth", x, blocksize=s)


def upsample(graph: Graph, layer: UpsampleLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Nearest-neighbour Resize; with a negative stride the sum of each block."""
    (x,), factor = inputs, layer.scale
    if layer.stride > 0:
        scales = graph.constant(np.array([1, 1, layer.stride, layer.stride], np.float32), "scales")
        options = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
        out = graph.add("Resize", x, "", scales, **options)
    else:
        sides = [-layer.stride, -layer.stride]
        out, factor = graph.add("AveragePool", x, kernel_shape=sides, strides=sides), factor * layer.stride**2
    return out if factor == 1 else graph.add("Mul", out, graph.number(factor))


def crop(graph: Graph, layer: CropLayer, inputs: Sequence[str], weights: Weights) -> str:
    """The centre, mapped to -1..1 unless ``noadjust``."""
    (_, height, width), (_, rows, columns) = layer.inputs[0], layer.shape
    top, left = (height - rows) // 2, (width - columns) // 2
    centre = graph.slice(inputs[0], [top, left], [top + rows, left + columns], [2, 3])
    if layer.noadjust:
        return centre
    return graph.add("Sub", graph.add("Mul", centre, graph.number(2)), graph.number(1))


def identity(graph: Graph, layer: IdentityLayer, inputs: Sequence[str], weights: Weights) -> str:
    """The input itself."""
    return inputs[0]


def implicit(graph: Graph, layer: ImplicitLayer, inputs: Sequence[str], weights: Weights) -> str:
    """The weights, repeated for each image of the batch."""
    images = graph.slice(graph.add("Shape", INPUT), [0], [1], [0])
    expected = graph.add("Concat", images, graph.indices([1, 1, 1]), axis=0)
    return graph.add("Expand", graph.constant(weights["weights"][None], "weights"), expected)
