"""``[implicit]``: learned values that do not depend on the image (``representation_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights


class ImplicitLayer(Layer, kw_only=True):
    """The output is the weights, (filters, atoms, 1); ``[implicit_add]`` and ``[implicit_mul]`` of yolor are the same section."""

    type: ClassVar[str] = "implicit"
    training: ClassVar[frozenset[str]] = frozenset({"mean", "std"})

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_implicit``."""
        filters = section.integer("filters", 128, minimum=1)
        atoms = section.integer("atoms", 1, minimum=1)
        return cls(**preceding.fields(section, Shape(filters, atoms, 1)))

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """One value per output."""
        return {"weights": tuple(self.shape)}

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """The weights."""
        return weights["weights"]
