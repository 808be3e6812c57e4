"""``[upsample]``: nearest neighbour (``upsample_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights


class UpsampleLayer(Layer, kw_only=True):
    """Every pixel becomes ``stride`` x ``stride`` pixels times ``scale``; a negative stride sums such blocks instead."""

    type: ClassVar[str] = "upsample"

    stride: int
    scale: float

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_upsample``."""
        stride = section.integer("stride", 2)
        channels, height, width = preceding.input
        if stride == 0 or (stride < 0 and (height % stride or width % stride)):
            raise section.error(f"stride={stride} for an input of {preceding.input}", key="stride")
        if stride > 0:
            shape = Shape(channels, height * stride, width * stride)
        else:
            shape = Shape(channels, height // -stride, width // -stride)
        return cls(**preceding.fields(section, shape), stride=stride, scale=section.number("scale", 1.0))

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``blas.c: upsample_cpu``."""
        (x,) = inputs
        if self.stride > 0:
            return x.repeat(self.stride, axis=1).repeat(self.stride, axis=2) * np.float32(self.scale)
        channels, height, width = self.shape
        blocks = x.reshape(channels, height, -self.stride, width, -self.stride)
        return blocks.sum(axis=(2, 4)) * np.float32(self.scale)
