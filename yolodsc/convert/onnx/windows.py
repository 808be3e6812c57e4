"""Darknet's windows in the words of ONNX: cells before, cells behind, and what is cut off the result."""

from collections.abc import Sequence

import numpy as np

from yolodsc.arrays import Shape
from yolodsc.convert.onnx.graph import Graph

LOWEST = float(np.finfo(np.float32).min)
"""What a maximum over nothing is, in Darknet and here."""


def behind(map_: Shape, shape: Shape, *, reach: int, strides: tuple[int, int], margin: int) -> list[int]:
    """Cells that the last window needs behind the map, for height and width; never negative.

    ``reach`` is how many cells a window spans, ``margin`` where the first one begins before the map.
    """
    sides = zip(map_[1:], shape[1:], strides, strict=True)
    return [max((count - 1) * stride + reach - side - margin, 0) for side, count, stride in sides]


def cut(graph: Graph, x: str, map_: Shape, shape: Shape, *, reach: int, strides: tuple[int, int], margin: int) -> str:
    """``x`` without the windows that ONNX fits in and Darknet does not."""
    after = behind(map_, shape, reach=reach, strides=strides, margin=margin)
    sides = zip(map_[1:], after, strides, strict=True)
    made = [(side + margin + more - reach) // stride + 1 for side, more, stride in sides]
    if made == list(shape[1:]):
        return x
    return graph.slice(x, [0, 0], shape[1:], [2, 3])


def convolved(
    graph: Graph,
    x: str,
    weights: str,
    biases: str,
    *,
    map_: Shape,
    shape: Shape,
    size: int,
    strides: tuple[int, int],
    margin: int,
    groups: int = 1,
    dilation: int = 1,
) -> str:
    """Cross-correlation of ``x``, a ``map_``, to ``shape``; ``margin`` zeros stand before it."""
    reach = (size - 1) * dilation + 1
    after = behind(map_, shape, reach=reach, strides=strides, margin=margin)
    attributes: dict[str, int | Sequence[int]] = {
        "kernel_shape": [size, size],
        "strides": strides,
        "pads": [margin, margin, *after],
        "dilations": [dilation, dilation],
        "group": groups,
    }
    out = graph.add("Conv", x, weights, biases, **attributes)
    return cut(graph, out, map_, shape, reach=reach, strides=strides, margin=margin)


def pooled(
    graph: Graph, operation: str, x: str, *, map_: Shape, shape: Shape, size: int, strides: tuple[int, int], margin: int
) -> str:
    """``MaxPool`` or ``AveragePool`` over the cells inside the map; a maximum over none is `LOWEST`."""
    after = behind(map_, shape, reach=size, strides=strides, margin=margin)
    pads = [margin, margin, *after]
    if max(pads) >= size:  # ONNX wants each window to touch the map
        x = graph.pad(x, [0, 0, margin, margin], [0, 0, *after], LOWEST)
        pads = [0, 0, 0, 0]
    out = graph.add(operation, x, kernel_shape=[size, size], strides=strides, pads=pads)
    return cut(graph, out, map_, shape, reach=size, strides=strides, margin=margin)
