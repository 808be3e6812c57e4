"""``[reorg3d]``: space to depth (``reorg_layer.c`` of AlexeyAB)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from yolodsc.cfg import Section
from yolodsc.layer import Layer, Preceding, Weights
from yolodsc.layers.reorg import reorganised
from yolodsc.shape import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Reorg3dLayer(Layer):
    """(C, H, W) to (s² C, H/s, W/s), offset major: channel (dy s + dx) C + c. ``reverse`` goes back."""

    type: ClassVar[str] = "reorg3d"

    stride: int
    reverse: bool

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_reorg``."""
        stride = section.integer("stride", 1, minimum=1)
        shape = reorganised(section, preceding.input, stride)
        return cls(**preceding.place(section, shape), stride=stride, reverse=section.flag("reverse"))

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``blas.c: reorg_cpu`` with the output's sizes."""
        (x,) = inputs
        s = self.stride
        if self.reverse:
            channels, height, width = self.shape
            blocks = x.reshape(s, s, channels, height // s, width // s)
            return blocks.transpose(2, 3, 0, 4, 1).reshape(self.shape)
        channels, height, width = x.shape
        blocks = x.reshape(channels, height // s, s, width // s, s)
        return blocks.transpose(2, 4, 0, 1, 3).reshape(self.shape)
