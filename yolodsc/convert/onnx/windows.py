"""Darknet's windows in ONNX: padding before and after, and windows that are cropped from the result."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yolodsc.arrays import Shape
from yolodsc.convert.onnx.graph import Graph

LOWEST = float(np.finfo(np.float32).min)
"""The maximum of no values, in Darknet and here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowGeometry:
    """The windows of a convolution or a pool.

    Attributes
    ----------
    input_shape, shape
        Of the input and of the output.
    size, dilation
        Of the kernel.
    strides : (y, x)
    padding
        Pixels before the first row and column.
    """

    input_shape: Shape
    shape: Shape
    size: int
    strides: tuple[int, int]
    padding: int
    dilation: int = 1

    @property
    def extent(self) -> int:
        """Pixels that one window covers along each axis."""
        return (self.size - 1) * self.dilation + 1

    @property
    def padding_after(self) -> list[int]:
        """Pixels that the last window needs after the last row and column; never negative."""
        sides = zip(self.input_shape[1:], self.shape[1:], self.strides, strict=True)
        return [max((count - 1) * stride + self.extent - side - self.padding, 0) for side, count, stride in sides]


def convolved(graph: Graph, x: str, weights: str, biases: str, geometry: WindowGeometry, *, groups: int = 1) -> str:
    """Cross-correlation with zero padding."""
    attributes: dict[str, int | Sequence[int]] = {
        "kernel_shape": [geometry.size, geometry.size],
        "strides": geometry.strides,
        "pads": [geometry.padding, geometry.padding, *geometry.padding_after],
        "dilations": [geometry.dilation, geometry.dilation],
        "group": groups,
    }
    return _cropped(graph, graph.add("Conv", x, weights, biases, **attributes), geometry)


def pooled(graph: Graph, operation: str, x: str, geometry: WindowGeometry) -> str:
    """``MaxPool`` or ``AveragePool`` over the pixels inside the image; the maximum of none is `LOWEST`."""
    padding, after = geometry.padding, geometry.padding_after
    pads = [padding, padding, *after]
    if max(pads) >= geometry.size:  # ONNX requires that each window overlaps the image
        x = graph.pad(x, [0, 0, padding, padding], [0, 0, *after], LOWEST)
        pads = [0, 0, 0, 0]
    out = graph.add(operation, x, kernel_shape=[geometry.size, geometry.size], strides=geometry.strides, pads=pads)
    return _cropped(graph, out, geometry)


def _cropped(graph: Graph, x: str, geometry: WindowGeometry) -> str:
    """``x`` without the windows that ONNX computes and Darknet does not."""
    sides = zip(geometry.input_shape[1:], geometry.padding_after, geometry.strides, strict=True)
    counts = [(side + geometry.padding + after - geometry.extent) // stride + 1 for side, after, stride in sides]
    if counts == list(geometry.shape[1:]):
        return x
    return graph.slice(x, [0, 0], geometry.shape[1:], [2, 3])
