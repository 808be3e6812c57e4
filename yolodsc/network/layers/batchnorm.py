"""``[batchnorm]``: batch normalisation as a separate layer (``batchnorm_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array
from yolodsc.darknet import Profile, Section
from yolodsc.network.layer import Layer, Preceding, Weights
from yolodsc.network.reference.batch_norm import batch_norm


class BatchnormLayer(Layer, kw_only=True):
    """(x - mean) / deviation * scale + bias per channel."""

    type: ClassVar[str] = "batchnorm"

    profile: Profile

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_batchnorm``; there are no options."""
        return cls(**preceding.fields(section, preceding.input), profile=preceding.profile)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Four values per channel."""
        return dict.fromkeys(("biases", "scales", "rolling_mean", "rolling_variance"), (self.shape.channels,))

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_batchnorm_layer``."""
        (x,) = inputs
        return batch_norm(x, weights, profile=self.profile)
