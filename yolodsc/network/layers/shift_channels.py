"""``[shift_channels]``: learned values added to all pixels of their channels (``ShiftChannel`` of yolor's PyTorch program)."""

from collections.abc import Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights
from yolodsc.network.layers.activation import named_activation
from yolodsc.network.reference.activations import activate


class ShiftChannelsLayer(Layer, kw_only=True):
    """The layer before plus one value for each channel, the output of the layer ``from``.

    Attributes
    ----------
    activation
        Of the sum.
    """

    type: ClassVar[str] = "shift_channels"

    activation: str

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet has no such section."""
        if not section.has("from"):
            raise section.error("names no layer; expected from=…")
        source = preceding.resolve(section, "from", section.integer("from", 0))
        shifts, shape = preceding.shape(source), preceding.input
        if shifts != (shape.channels, 1, 1):
            raise section.error(f"shifts of {shifts} for an input of {shape}; expected {shape.channels}x1x1", key="from")
        return cls(
            **preceding.fields(section, shape, sources=(preceding.previous, source)), activation=named_activation(section, "linear")
        )

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Sum by broadcasting."""
        x, shifts = inputs
        return activate(x + shifts, self.activation)
