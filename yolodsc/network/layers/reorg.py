"""``[reorg]``: the passthrough of YOLOv2, which is not a space-to-depth (``reorg_layer.c``, ``reorg_old_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights


class ReorgLayer(Layer, kw_only=True):
    """(C, H, W) to (C s², H/s, W/s), the buffer being read as (C/s², H s, W s) first; ``reverse`` inverts this."""

    type: ClassVar[str] = "reorg"

    stride: int
    reverse: bool

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_reorg_old``."""
        stride = section.integer("stride", 1, minimum=1)
        layer = cls(
            **preceding.fields(section, reorganised(section, preceding.input, stride)),
            stride=stride,
            reverse=section.flag("reverse"),
        )
        if preceding.input.channels % stride**2:
            raise section.error(f"stride={stride} squared must divide {preceding.input.channels} channels")
        return layer

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``blas.c: reorg_cpu`` as it is called, with the input's sizes."""
        (x,) = inputs
        s = self.stride
        channels, height, width = x.shape
        if self.reverse:
            return x.reshape(s, s, channels // s**2, height, width).transpose(2, 3, 0, 4, 1).reshape(self.shape)
        return x.reshape(channels // s**2, height, s, width, s).transpose(2, 4, 0, 1, 3).reshape(self.shape)


def reorganised(section: Section, shape: Shape, stride: int) -> Shape:
    """Output shape of either kind of reorg; a `CfgError` if the stride does not divide the input."""
    channels, height, width = shape
    if section.flag("reverse"):
        if channels % stride**2:
            raise section.error(f"stride={stride} squared must divide {channels} channels", key="stride")
        return Shape(channels // stride**2, height * stride, width * stride)
    if height % stride or width % stride:
        raise section.error(f"stride={stride} must divide an input of {shape}", key="stride")
    return Shape(channels * stride**2, height // stride, width // stride)
