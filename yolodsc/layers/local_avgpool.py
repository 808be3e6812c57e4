"""``[local_avgpool]``: mean of each window (``maxpool_layer.c: forward_local_avgpool_layer``)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from yolodsc.cfg import Section
from yolodsc.layer import Layer, Preceding, Weights
from yolodsc.reference.pooling import local_avgpool, pooled
from yolodsc.shape import Array, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAvgpoolLayer(Layer):
    """The geometry of ``[maxpool]``; divides by the number of cells that lie inside the map."""

    type: ClassVar[str] = "local_avgpool"

    size: int
    stride_x: int
    stride_y: int
    padding: int

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_local_avgpool``."""
        stride = section.integer("stride", 1, minimum=1)
        stride_x = section.integer("stride_x", stride, minimum=1)
        stride_y = section.integer("stride_y", stride, minimum=1)
        size = section.integer("size", stride, minimum=1)
        padding = section.integer("padding", size - 1, minimum=0)
        channels, height, width = preceding.input
        shape = Shape(
            channels,
            pooled(height, size=size, stride=stride_y, padding=padding),
            pooled(width, size=size, stride=stride_x, padding=padding),
        )
        return cls(**preceding.place(section, shape), size=size, stride_x=stride_x, stride_y=stride_y, padding=padding)

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Mean over the part of each window inside the map."""
        (x,) = inputs
        return local_avgpool(x, size=self.size, stride_y=self.stride_y, stride_x=self.stride_x, padding=self.padding)

    def bflops(self) -> float:
        """Additions, ``size`` squared an output number."""
        return self.size**2 * self.shape.size / 1e9
