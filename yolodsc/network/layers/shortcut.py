"""``[shortcut]``: the sum of the layer before and earlier outputs (``shortcut_layer.c``)."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights
from yolodsc.network.layers.activation import named_activation
from yolodsc.network.reference.activations import activate

_WEIGHTS_TYPES = {
    "none": "none",
    "per_feature": "per_feature",
    "per_layer": "per_feature",
    "per_channel": "per_channel",
}
_NORMALIZATIONS = {"none": "none", "relu": "relu", "avg_relu": "relu", "softmax": "softmax"}


class ShortcutLayer(Layer, kw_only=True):
    """Sum with the shape of the layer before; sources with another number of channels are added in the common channels.

    A source with another height and width (pjreddie's ResNets) is subsampled, or added to every n-th pixel.

    Attributes
    ----------
    activation
        Of the sum.
    weights_type
        ``none``; ``per_feature``: one weight per input; ``per_channel``: one per input and channel.
    weights_normalization
        ``none``, ``relu`` or ``softmax``, across inputs.
    alpha, beta
        pjreddie's factors of the layer before and of the source.
    """

    type: ClassVar[str] = "shortcut"

    activation: str
    weights_type: str
    weights_normalization: str
    alpha: float
    beta: float

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_shortcut``."""
        listed = section.layer_indices("from")
        if not listed:
            raise section.error("names no layer; expected from=…")
        sources = (preceding.previous, *(preceding.resolve(section, "from", index) for index in listed))
        weights_type = section.choice("weights_type", "none", frozenset(_WEIGHTS_TYPES))
        layer = cls(
            **preceding.fields(section, preceding.input, sources=sources),
            activation=named_activation(section, "linear"),
            weights_type=_WEIGHTS_TYPES[weights_type],
            weights_normalization=_NORMALIZATIONS[section.choice("weights_normalization", "none", frozenset(_NORMALIZATIONS))],
            alpha=section.number("alpha", 1.0),
            beta=section.number("beta", 1.0),
        )
        layer._check()
        return layer

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """One row for each input, the layer before first."""
        columns = {"none": 0, "per_feature": 1, "per_channel": self.shape.channels}[self.weights_type]
        return {"weights": (len(self.sources), columns)} if columns else {}

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``blas.c: shortcut_multilayer_cpu`` and, where heights differ, pjreddie's ``shortcut_cpu``."""
        previous, *others = inputs
        factors = self.factors(weights)  # (inputs, C or 1)
        out = previous * factors[0][:, None, None]
        for source, factor in zip(others, factors[1:], strict=True):
            _add(out, source, factor)
        return activate(out, self.activation)

    def bflops(self) -> float:
        """One addition per output and source; with weights also one multiplication."""
        operations = 1 if self.weights_type == "none" else 2
        return operations * self.shape.size * (len(self.sources) - 1) / 1e9

    def remarks(self, layers: Sequence[Layer]) -> Iterator[str]:
        """Items that Darknet counts by commas, and a source that it reads beyond its end (``forward_shortcut_layer``)."""
        yield from self.section.stray_commas("from")
        index, shape = self.sources[-1], self.inputs[-1]
        if len(self.sources) > 2 or self.weights_type != "none" or index < 0:
            return
        if layers[index].inputs[0] == self.shape and shape.size < self.shape.size:
            missing = f"Darknet reads {self.shape.channels}, beyond its output"
            yield f"layer {index} has {shape.channels} channels, which are added; {missing}"

    def factors(self, weights: Weights) -> Array:
        """Factors (inputs, C or 1) of the sum, as in AlexeyAB's fused network (``network.c: fuse_conv_batchnorm``).

        Factors under ``relu`` are at least 0.001 before they are normalized.
        """
        if self.weights_type == "none":
            plain = [self.alpha] + [self.beta] * (len(self.sources) - 1)
            return np.array(plain, np.float32)[:, None]
        raw = weights["weights"]
        if self.weights_normalization == "relu":
            raw = np.where(raw > 0.001, raw, np.float32(0.001))
        elif self.weights_normalization == "softmax":
            raw = np.exp(raw - raw.max(axis=0))
        else:
            return raw
        return raw / (raw.sum(axis=0) + np.float32(1e-4))

    def _check(self) -> None:
        for index, shape in zip(self.sources[1:], self.inputs[1:], strict=True):
            down, up = _strides(shape, self.shape)
            if down[0] != down[1] or up[0] != up[1]:
                found = f"from layer {index} of {shape} to {self.shape}"
                raise self.section.error(f"{found}; expected the same factor for height and width", key="from")


def _strides(source: Shape, target: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
    """Source pixels per target pixel, and target pixels per source pixel, for height and width."""
    down = (source.height // target.height, source.width // target.width)
    up = (target.height // source.height, target.width // source.width)
    return down, up


def _add(out: Array, source: Array, factor: Array) -> None:
    """Add the channels in common, pixel by pixel or with strides, to ``out`` (C, H, W) in place."""
    channels = min(len(out), len(source))
    (down, _), (up, _) = _strides(Shape(*source.shape), Shape(*out.shape))
    sampled = source[:channels, :: max(down, 1), :: max(down, 1)]
    target = out[:channels, :: max(up, 1), :: max(up, 1)]
    height, width = (min(a, b) for a, b in zip(sampled.shape[1:], target.shape[1:], strict=True))
    scale = factor[:channels, None, None] if len(factor) > 1 else factor[:, None, None]
    target[:, :height, :width] += scale * sampled[:, :height, :width]
