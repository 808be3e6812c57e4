"""``[scale_channels]``: the gate of squeeze and excite (``scale_channels_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights
from yolodsc.network.layers.activation import named_activation
from yolodsc.network.reference.activations import activate


class ScaleChannelsLayer(Layer, kw_only=True):
    """The layer ``from`` times the gates from the layer before; ``[control_channels]`` of yolor exchanges the two.

    Attributes
    ----------
    scale_wh
        False: one gate per channel, (C, 1, 1). True: one per pixel, (1, H, W).
    activation
        Of the product.
    """

    type: ClassVar[str] = "scale_channels"

    scale_wh: bool
    activation: str

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_scale_channels``."""
        if not section.has("from"):
            raise section.error("names no layer; expected from=…")
        source = preceding.resolve(section, "from", section.integer("from", 0))
        sources = (source, preceding.previous) if section.type == "control_channels" else (preceding.previous, source)
        gates, shape = map(preceding.shape, sources)
        scale_wh = section.flag("scale_wh")
        expected = (1, *shape[1:]) if scale_wh else (shape.channels, 1, 1)
        if gates != expected:
            raise section.error(f"gates of {gates} for an input of {shape}; expected {'x'.join(map(str, expected))}")
        return cls(
            **preceding.fields(section, shape, sources=sources),
            scale_wh=scale_wh,
            activation=named_activation(section, "linear"),
        )

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Product by broadcasting."""
        gates, x = inputs
        return activate(x * gates, self.activation)
