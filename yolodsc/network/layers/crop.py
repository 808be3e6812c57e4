"""``[crop]``: the centre of the image, mapped to -1..1 (``crop_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights


class CropLayer(Layer, kw_only=True):
    """The central ``crop_height`` x ``crop_width`` pixels; mapped by 2x - 1 unless ``noadjust``."""

    type: ClassVar[str] = "crop"
    training: ClassVar[frozenset[str]] = frozenset({"flip", "angle", "saturation", "exposure", "shift"})

    noadjust: bool

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_crop``."""
        channels, height, width = preceding.input
        shape = Shape(channels, section.integer("crop_height", 1, minimum=1), section.integer("crop_width", 1, minimum=1))
        if shape.height > height or shape.width > width:
            raise section.error(f"crop of {shape.height}x{shape.width} out of {preceding.input}", key="crop_height")
        return cls(**preceding.fields(section, shape), noadjust=section.flag("noadjust"))

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_crop_layer`` without training."""
        (x,) = inputs
        _, height, width = self.shape
        top, left = (x.shape[1] - height) // 2, (x.shape[2] - width) // 2
        centre = x[:, top : top + height, left : left + width]
        return centre if self.noadjust else 2 * centre - 1
