"""Sections that return their input: ``[dropout]`` and ``[cost]`` at inference, ``[empty]`` always."""

from collections.abc import Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights


class IdentityLayer(Layer, kw_only=True):
    """The output is the input."""

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """There are no options."""
        return cls(**preceding.fields(section, preceding.input))

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """The input itself."""
        (x,) = inputs
        return x


class DropoutLayer(IdentityLayer, kw_only=True):
    """``[dropout]``: drops nothing outside training (``dropout_layer.c: forward_dropout_layer``)."""

    type: ClassVar[str] = "dropout"
    training: ClassVar[frozenset[str]] = frozenset({"probability", "dropblock", "dropblock_size_rel", "dropblock_size_abs"})


class CostLayer(IdentityLayer, kw_only=True):
    """``[cost]``: a training loss; never the network's output (``network.c: get_network_output``)."""

    type: ClassVar[str] = "cost"
    training: ClassVar[frozenset[str]] = frozenset({"type", "scale", "ratio", "noobj", "thresh"})


class EmptyLayer(IdentityLayer, kw_only=True):
    """``[empty]``, ``[silence]``: an alias of the layer before (``parser.c: parse_network_cfg_custom``)."""

    type: ClassVar[str] = "empty"
