"""``[connected]``: a fully connected layer (``connected_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Profile, Section
from yolodsc.network.layer import Layer, Preceding, Weights
from yolodsc.network.layers.activation import named_activation
from yolodsc.network.reference.activations import activate
from yolodsc.network.reference.batch_norm import batch_norm


class ConnectedLayer(Layer, kw_only=True):
    """W x of the flattened input, batch norm or bias, activation; (output, 1, 1)."""

    type: ClassVar[str] = "connected"

    output: int
    activation: str
    batch_normalize: bool
    profile: Profile

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_connected``."""
        output = section.integer("output", 1, minimum=1)
        return cls(
            **preceding.fields(section, Shape(output, 1, 1)),
            output=output,
            activation=named_activation(section, "logistic"),
            batch_normalize=section.flag("batch_normalize"),
            profile=preceding.profile,
        )

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Unlike in a convolution, the arrays of batch normalization follow the weights."""
        shapes: dict[str, tuple[int, ...]] = {"biases": (self.output,), "weights": (self.output, self.inputs[0].size)}
        if self.batch_normalize:
            shapes |= dict.fromkeys(("scales", "rolling_mean", "rolling_variance"), (self.output,))
        return shapes

    def stored(self) -> tuple[str, ...]:
        """Without the batch norm arrays under ``dontloadscales=1``."""
        names = Layer.stored(self)
        if not self.section.flag("dontloadscales"):
            return names
        return tuple(name for name in names if name in ("biases", "weights"))

    def stored_transposed(self, *, old_format: bool) -> frozenset[str]:
        """Ancient files hold (inputs, outputs)."""
        return frozenset({"weights"} if old_format else ())

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_connected_layer``."""
        (x,) = inputs
        out = (weights["weights"] @ x.reshape(-1)).reshape(self.shape)
        if self.batch_normalize:
            out = batch_norm(out, weights, profile=self.profile)
        else:
            out = out + weights["biases"].reshape(self.shape)
        return activate(out, self.activation)

    def multiply_adds(self) -> int:
        """One per weight."""
        return self.output * self.inputs[0].size

    def bflops(self) -> float:
        """Darknet counts none for this type."""
        return 0.0
