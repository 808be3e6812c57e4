"""``[activation]``: an activation as a separate layer (``activation_layer.c``)."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights
from yolodsc.network.reference.activations import ACTIVATION_NAMES, activate

FOREIGN_NAMES = {"silu": "swish"}
"""Activation names of other programs that Darknet does not know; it runs ReLU instead."""


def named_activation(section: Section, default: str) -> str:
    """The activation of a section, by Darknet's name.

    Darknet runs ReLU under a name that it does not know (``activations.c: get_activation``). Cfg files of yolov7 and yolor contain
    ``silu`` and were trained with swish, so swish is run; `foreign_activation` gives the remark.
    """
    name = section.text("activation", default) or default
    return FOREIGN_NAMES[name] if name in FOREIGN_NAMES else section.choice("activation", default, ACTIVATION_NAMES)


def foreign_activation(section: Section) -> Iterator[str]:
    """A remark if the activation has a name of other programs."""
    name = section.text("activation") or ""
    if name in FOREIGN_NAMES:
        meaning = f"activation={name} is run as {FOREIGN_NAMES[name]}, as in the programs that train with it"
        yield f"{meaning}; Darknet does not know the name and runs ReLU: activation=relu gives Darknet's boxes"


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
