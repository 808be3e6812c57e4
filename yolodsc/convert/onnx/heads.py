"""Heads: ``[yolo] [Gaussian_yolo] [region] [detection]`` with the outputs of the engine."""

from collections.abc import Sequence

import numpy as np

from yolodsc.arrays import Shape
from yolodsc.convert.onnx.arithmetic import tree_softmax
from yolodsc.convert.onnx.graph import Graph
from yolodsc.network import AnchorHead, DetectionLayer, GaussianYoloLayer, RegionLayer, Weights, YoloLayer


def entries(graph: Graph, x: str, shape: Shape, *, anchors: int) -> str:
    """The output of a head (N, A E, H, W) as (N, A, E, H W)."""
    return graph.reshape(x, anchors, shape.channels // anchors, shape.height * shape.width)


def part(graph: Graph, x: str, start: int, stop: int) -> str:
    """Entries ``start`` to ``stop`` of (N, A, E, H W)."""
    return graph.slice(x, [start], [stop], [2])


def yolo(graph: Graph, layer: YoloLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Logistic of all entries but the sizes; x and y are scaled by ``scale_x_y``."""
    if layer.new_coords and layer.scale_x_y == 1:
        return inputs[0]
    raw = entries(graph, inputs[0], layer.shape, anchors=len(layer.anchors))
    parts = [part(graph, raw, *bounds) for bounds in ((0, 2), (2, 4), (4, 5 + layer.classes))]
    if not layer.new_coords:
        parts[0], parts[2] = graph.add("Sigmoid", parts[0]), graph.add("Sigmoid", parts[2])
    parts[0] = _stretched(graph, layer, parts[0])
    return graph.reshape(graph.add("Concat", *parts, axis=2), *layer.shape)


def gaussian_yolo(graph: Graph, layer: GaussianYoloLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Logistic of all entries but the means of the sizes; x and y are scaled by ``scale_x_y``."""
    raw = entries(graph, inputs[0], layer.shape, anchors=len(layer.anchors))
    parts = [part(graph, raw, i, i + 1) for i in range(8)] + [part(graph, raw, 8, 9 + layer.classes)]
    parts = [x if i in (4, 6) else graph.add("Sigmoid", x) for i, x in enumerate(parts)]
    parts = [_stretched(graph, layer, x) if i in (0, 2) else x for i, x in enumerate(parts)]
    return graph.reshape(graph.add("Concat", *parts, axis=2), *layer.shape)


def region(graph: Graph, layer: RegionLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Logistic of the objectness, softmax of the classes; all other entries are unchanged."""
    raw = entries(graph, inputs[0], layer.shape, anchors=len(layer.anchors))
    first, stop = layer.objectness + 1, layer.objectness + 1 + layer.classes
    boxes, objectness, scores = (part(graph, raw, *b) for b in ((0, first - 1), (first - 1, first), (first, stop)))
    if not layer.background:
        objectness = graph.add("Sigmoid", objectness)
    rest = [objectness, scores]
    if layer.tree:
        rest[1] = tree_softmax(graph, scores, layer.tree, axis=2)
    elif layer.softmax and layer.background:
        rest = [graph.add("Softmax", part(graph, raw, first - 1, stop), axis=2)]
    elif layer.softmax:
        rest[1] = graph.add("Softmax", scores, axis=2)
    elif layer.profile.region_scores == "logistic":
        rest[1] = graph.add("Sigmoid", scores)
    count = layer.coords + 1 + layer.classes
    if stop < count:
        rest.append(part(graph, raw, stop, count))
    return graph.reshape(graph.add("Concat", boxes, *rest, axis=2), *layer.shape)


def detection(graph: Graph, layer: DetectionLayer, inputs: Sequence[str], weights: Weights) -> str:
    """The input; with ``softmax`` the softmax over the classes of each cell."""
    if not layer.softmax:
        return inputs[0]
    flat, scores = graph.reshape(inputs[0], layer.shape.size), layer.side**2 * layer.classes
    cells = graph.reshape(graph.slice(flat, [0], [scores], [1]), layer.side**2, layer.classes)
    shares = graph.reshape(graph.add("Softmax", cells, axis=2), scores)
    rest = graph.slice(flat, [scores], [layer.shape.size], [1])
    return graph.reshape(graph.add("Concat", shares, rest, axis=1), *layer.shape)


def _stretched(graph: Graph, layer: AnchorHead, offsets: str) -> str:
    """Cell offsets scaled by ``scale_x_y`` about their middle."""
    if layer.scale_x_y == 1:
        return offsets
    scaled = graph.add("Mul", offsets, graph.number(layer.scale_x_y))
    return graph.add("Sub", scaled, graph.number(float(np.float32((layer.scale_x_y - 1) / 2))))
