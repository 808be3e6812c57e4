"""``[activation]``: an activation as a separate layer (``activation_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights
from yolodsc.network.reference.activations import ACTIVATION_NAMES, activate

FOREIGN_NAMES = {"silu": "swish"}
"""Activation names of other programs that Darknet does not know; it runs ReLU instead."""


def named_activation(section: Section, default: str) -> str:
    """The activation of a section.

    Darknet runs ReLU under a name that it does not know (``activations.c: get_activation``), so a network with such a name means
    one function in Darknet and another elsewhere. A `CfgError` names both alternatives.
    """
    name = section.text("activation", default)
    if name in FOREIGN_NAMES:
        choice = f"expected activation=relu for Darknet's boxes or activation={FOREIGN_NAMES[name]} for those of other programs"
        raise section.error(f"activation={name}: Darknet does not know it and runs ReLU; {choice}", key="activation")
    return section.choice("activation", default, ACTIVATION_NAMES)


class ActivationLayer(Layer, kw_only=True):
    """The named function of every element."""

    type: ClassVar[str] = "activation"

    activation: str

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_activation``."""
        activation = named_activation(section, "linear")
        return cls(**preceding.fields(section, preceding.input), activation=activation)

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_activation_layer``."""
        (x,) = inputs
        return activate(x, self.activation)
