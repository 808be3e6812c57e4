"""``[local_avgpool]``: mean of each window (``maxpool_layer.c: forward_local_avgpool_layer``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights
from yolodsc.network.layers.maxpool import pooled_shape, pooled_working, window_options
from yolodsc.network.reference.pooling import local_avgpool


class LocalAvgpoolLayer(Layer, kw_only=True):
    """The geometry of ``[maxpool]``; divides by the number of pixels inside the input."""

    type: ClassVar[str] = "local_avgpool"

    size: int
    stride_x: int
    stride_y: int
    padding: int

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_local_avgpool``."""
        options = window_options(section)
        return cls(**preceding.fields(section, pooled_shape(preceding.input, **options)), **options)

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Mean over the part of each window inside the input."""
        (x,) = inputs
        return local_avgpool(x, size=self.size, stride_y=self.stride_y, stride_x=self.stride_x, padding=self.padding)

    def working(self) -> int:
        """The padded input."""
        return pooled_working(self.inputs[0], size=self.size, strides=(self.stride_y, self.stride_x), padding=self.padding)

    def bflops(self) -> float:
        """Additions, ``size`` squared per output."""
        return self.size**2 * self.shape.size / 1e9
