"""``[activation]``: an activation as a layer of its own (``activation_layer.c``)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from yolodsc.cfg import Section
from yolodsc.layer import Layer, Preceding, Weights
from yolodsc.reference.activations import ACTIVATION_NAMES, activate
from yolodsc.shape import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationLayer(Layer):
    """The named function of every number."""

    type: ClassVar[str] = "activation"

    activation: str

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_activation``."""
        activation = section.choice("activation", "linear", ACTIVATION_NAMES)
        return cls(**preceding.place(section, preceding.input), activation=activation)

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_activation_layer``."""
        (x,) = inputs
        return activate(x, self.activation)
