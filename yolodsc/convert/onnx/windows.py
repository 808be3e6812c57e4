"""Darknet's windows in the words of ONNX: cells before, cells behind, and what is cut off the result."""

from collections.abc import Sequence

import numpy as np

from yolodsc.arrays import Shape
from yolodsc.convert.onnx.graph import Graph

LOWEST = float(np.finfo(np.float32).min)
"""What a maximum over nothing is, in Darknet and here."""


def behind(input_shape: Shape, shape: Shape, *, extent: int, strides: tuple[int, int], padding: int) -> list[int]:
    """Cells that the last window needs behind the map, for height and width; never negative.

    ``extent`` is how many cells a window spans, ``padding`` where the first one begins before the map.
    """
    sides = zip(input_shape[1:], shape[1:], strides, strict=True)
    return [max((count - 1) * stride + extent - side - padding, 0) for side, count, stride in sides]


def cut(graph: Graph, x: str, input_shape: Shape, shape: Shape, *, extent: int, strides: tuple[int, int], padding: int) -> str:
    """``x`` without the windows that ONNX fits in and Darknet does not."""
    after = behind(input_shape, shape, extent=extent, strides=strides, padding=padding)
    sides = zip(input_shape[1:], after, strides, strict=True)
    made = [(side + padding + more - extent) // stride + 1 for side, more, stride in sides]
    if made == list(shape[1:]):
        return x
    return graph.slice(x, [0, 0], shape[1:], [2, 3])


def convolved(
    graph: Graph,
    x: str,
    weights: str,
    biases: str,
    *,
    input_shape: Shape,
    shape: Shape,
    size: int,
    strides: tuple[int, int],
    padding: int,
    groups: int = 1,
    dilation: int = 1,
) -> str:
    """Cross-correlation of ``x``, a ``input_shape``, to ``shape``; ``padding`` zeros stand before it."""
    extent = (size - 1) * dilation + 1
    after = behind(input_shape, shape, extent=extent, strides=strides, padding=padding)
    attributes: dict[str, int | Sequence[int]] = {
        "kernel_shape": [size, size],
        "strides": strides,
        "pads": [padding, padding, *after],
        "dilations": [dilation, dilation],
        "group": groups,
    }
    out = graph.add("Conv", x, weights, biases, **attributes)
    return cut(graph, out, input_shape, shape, extent=extent, strides=strides, padding=padding)


def pooled(
    graph: Graph, operation: str, x: str, *, input_shape: Shape, shape: Shape, size: int, strides: tuple[int, int], padding: int
) -> str:
    """``MaxPool`` or ``AveragePool`` over the cells inside the map; a maximum over none is `LOWEST`."""
    after = behind(input_shape, shape, extent=size, strides=strides, padding=padding)
    pads = [padding, padding, *after]
    if max(pads) >= size:  # ONNX wants each window to touch the map
        x = graph.pad(x, [0, 0, padding, padding], [0, 0, *after], LOWEST)
        pads = [0, 0, 0, 0]
    out = graph.add(operation, x, kernel_shape=[size, size], strides=strides, pads=pads)
    return cut(graph, out, input_shape, shape, extent=size, strides=strides, padding=padding)
