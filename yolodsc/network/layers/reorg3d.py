"""``[reorg3d]``: space to depth (``reorg_layer.c`` of AlexeyAB)."""

from collections.abc import Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights
from yolodsc.network.layers.reorg import reorganised


class Reorg3dLayer(Layer, kw_only=True):
    """(C, H, W) to (s² C, H/s, W/s), offset major: channel (dy s + dx) C + c.

    ``reverse`` gives (C/s², s H, s W) but is not the inverse: Darknet reads the input with the output's shape and puts each s²
    channels of that into blocks.
    """

    type: ClassVar[str] = "reorg3d"

    stride: int
    reverse: bool

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_reorg``."""
        stride = section.integer("stride", 1, minimum=1)
        shape, reverse = reorganised(section, preceding.input, stride), section.flag("reverse")
        if reverse and shape.channels % stride**2:
            found = f"{preceding.input.channels} channels with reverse=1; expected a multiple of stride^4={stride**4}"
            raise section.error(f"{found}: Darknet writes beyond its output", key="stride")
        return cls(**preceding.fields(section, shape), stride=stride, reverse=reverse)

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``blas.c: reorg_cpu`` with the output's sizes."""
        (x,) = inputs
        s = self.stride
        if self.reverse:
            channels, height, width = self.shape
            blocks = x.reshape(s, s, channels // s**2, height, width)
            return blocks.transpose(2, 3, 0, 4, 1).reshape(self.shape)
        channels, height, width = x.shape
        blocks = x.reshape(channels, height // s, s, width // s, s)
        return blocks.transpose(2, 4, 0, 1, 3).reshape(self.shape)
