"""``[local]``: a convolution with separate weights at every location (``local_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights, padded_size
from yolodsc.network.layers.activation import named_activation
from yolodsc.network.reference.activations import activate


class LocalLayer(Layer, kw_only=True):
    """A locally connected layer with a bias for every output.

    ``pad`` is a flag in the output's size and a number of pixels in the sampling: only size 3 with pad 1, or no pad, is consistent.
    """

    type: ClassVar[str] = "local"

    filters: int
    size: int
    stride: int
    pad: int
    activation: str

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_local``."""
        size = section.integer("size", 1, minimum=1)
        stride = section.integer("stride", 1, minimum=1)
        pad = section.integer("pad", 0, minimum=0)
        filters = section.integer("filters", 1, minimum=1)
        _, height, width = preceding.input
        taken = 1 if pad else size
        shape = Shape(filters, (height - taken) // stride + 1, (width - taken) // stride + 1)
        return cls(
            **preceding.fields(section, shape),
            filters=filters,
            size=size,
            stride=stride,
            pad=pad,
            activation=named_activation(section, "logistic"),
        )

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Biases (C, H, W) flat, then one (filters, C K K) matrix per location."""
        locations = self.shape.height * self.shape.width
        return {
            "biases": (self.shape.size,),
            "weights": (locations, self.filters, self.inputs[0].channels * self.size**2),
        }

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_local_layer``; values outside the input are 0."""
        (x,) = inputs
        extent_y = (self.shape.height - 1) * self.stride + self.size
        extent_x = (self.shape.width - 1) * self.stride + self.size
        below, right = (max(extent - side - self.pad, 0) for extent, side in zip((extent_y, extent_x), x.shape[1:], strict=True))
        padded = np.pad(x, ((0, 0), (self.pad, below), (self.pad, right)))
        seen = sliding_window_view(padded, (self.size, self.size), axis=(1, 2))  # (C, .., .., K, K)
        seen = seen[:, :: self.stride, :: self.stride][:, : self.shape.height, : self.shape.width]
        columns = seen.transpose(1, 2, 0, 3, 4).reshape(self.shape.height * self.shape.width, -1, 1)
        out = (weights["weights"] @ columns)[..., 0].T.reshape(self.shape)
        return activate(out + weights["biases"].reshape(self.shape), self.activation)

    def working(self) -> int:
        """The padded input, or the matrix of windows."""
        strides = (self.stride, self.stride)
        columns = self.inputs[0].channels * self.size**2 * self.shape.height * self.shape.width
        return max(padded_size(self.inputs[0], self.shape, padding=self.pad, strides=strides, extent=self.size), columns)

    def multiply_adds(self) -> int:
        """One per weight."""
        return self.shape.size * self.inputs[0].channels * self.size**2

    def bflops(self) -> float:
        """Darknet counts none for this type."""
        return 0.0
