"""Sections that return their input: ``[dropout]`` and ``[cost]`` at inference, ``[empty]`` always."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from yolodsc.arrays import Array
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityLayer(Layer):
    """The output is the input."""

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """There are no options."""
        return cls(**preceding.fields(section, preceding.input))

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """The input itself."""
        (x,) = inputs
        return x


@dataclass(frozen=True, slots=True, kw_only=True)
class DropoutLayer(IdentityLayer):
    """``[dropout]``: drops nothing outside training (``dropout_layer.c: forward_dropout_layer``)."""

    type: ClassVar[str] = "dropout"
    training: ClassVar[frozenset[str]] = frozenset({"probability", "dropblock", "dropblock_size_rel", "dropblock_size_abs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLayer(IdentityLayer):
    """``[cost]``: a training loss; never the network's output (``network.c: get_network_output``)."""

    type: ClassVar[str] = "cost"
    training: ClassVar[frozenset[str]] = frozenset({"type", "scale", "ratio", "noobj", "thresh"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyLayer(IdentityLayer):
    """``[empty]``, ``[silence]``: an alias of the layer before (``parser.c: parse_network_cfg_custom``)."""

    type: ClassVar[str] = "empty"
