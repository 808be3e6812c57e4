"""``[avgpool]``: the mean of each channel (``avgpool_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights


class AvgpoolLayer(Layer, kw_only=True):
    """(C, H, W) to (C, 1, 1)."""

    type: ClassVar[str] = "avgpool"

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_avgpool``; there are no options."""
        return cls(**preceding.fields(section, Shape(preceding.input.channels, 1, 1)))

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Mean over all pixels."""
        (x,) = inputs
        return x.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
