"""``[sam]``: spatial attention, the product of two feature maps of equal shape (``sam_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights
from yolodsc.network.layers.activation import named_activation
from yolodsc.network.reference.activations import activate


class SamLayer(Layer, kw_only=True):
    """The layer before times the layer ``from``, elementwise."""

    type: ClassVar[str] = "sam"

    activation: str

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_sam``."""
        if not section.has("from"):
            raise section.error("names no layer; expected from=…")
        source = preceding.resolve(section, "from", section.integer("from", 0))
        if preceding.shape(source) != preceding.input:
            found = f"layer {source} is {preceding.shape(source)} and the layer before {preceding.input}"
            raise section.error(f"{found}; expected equal shapes", key="from")
        return cls(
            **preceding.fields(section, preceding.input, sources=(preceding.previous, source)),
            activation=named_activation(section, "linear"),
        )

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Elementwise product."""
        x, attention = inputs
        return activate(x * attention, self.activation)
