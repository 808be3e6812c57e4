"""The convolutions that can be decomposed, and their matrices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from yolodsc.decompose.factor.gram import Matrix
from yolodsc.network import ConvolutionalLayer, Layer, Network, Weights, folded_exactly

ELEMENTWISE = frozenset({"linear", "leaky", "relu", "relu6", "mish", "swish", "logistic", "tanh", "elu"})
"""Activations of convolutions some of whose filters may be left out: they look at one value at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class DecompositionTarget:
    """One convolution with its batch normalization folded.

    Attributes
    ----------
    layer
        The blueprint.
    weights : (F, C / groups, K, K)
        Float64, scaled by the batch normalization.
    biases : (F,)
    producer
        The convolution whose filters this layer alone reads, if there is one.
    """

    layer: ConvolutionalLayer
    weights: Matrix
    biases: Matrix
    producer: int | None = None

    @property
    def index(self) -> int:
        """Number of the layer in its network."""
        return self.layer.index

    @property
    def before(self) -> int:
        """Number of input pixels."""
        shape = self.layer.inputs[0]
        return shape.height * shape.width

    @property
    def after(self) -> int:
        """Number of output pixels."""
        return self.layer.shape.height * self.layer.shape.width

    def matrices(self) -> list[Matrix]:
        """Dense weights of every group: (C K K / groups, F / groups) each."""
        groups = np.split(self.weights, self.layer.groups)
        return [np.ascontiguousarray(part.reshape(len(part), -1).T) for part in groups]


def folded_target(layer: ConvolutionalLayer, weights: Weights) -> DecompositionTarget:
    """A convolution with its batch normalization folded according to the profile of the network."""
    kernel, biases = (array.astype(np.float64) for array in folded_exactly(layer, weights))
    return DecompositionTarget(layer, kernel, biases)


def convolutions(network: Network) -> dict[int, DecompositionTarget]:
    """All convolutions whose arrays may change: without ``xnor`` and ``share_index``, and not shared by others."""
    return {i: folded_target(layer, network.weights[i]) for i, layer in _changeable(network).items()}


def _changeable(network: Network) -> dict[int, ConvolutionalLayer]:
    convs = [layer for layer in network.layers if isinstance(layer, ConvolutionalLayer)]
    shared = {layer.share_index for layer in convs} | {layer.index for layer in convs if layer.share_index is not None}
    return {
        layer.index: layer for layer in convs if layer.index not in shared and not layer.xnor and layer.product.reads == "windows"
    }


def obstacle(network: Network, layer: ConvolutionalLayer) -> str | None:  # noqa: PLR0911 one line a reason
    """The reason why a convolution is not decomposed, or None."""
    if layer.size == 1:
        return "pointwise already"
    if layer.depthwise:
        return "depthwise already"
    if layer.share_index is not None:
        return f"uses the weights of layer {layer.share_index}"
    if any(isinstance(other, ConvolutionalLayer) and other.share_index == layer.index for other in network.layers):
        return "other layers use its weights"
    if layer.xnor:
        return "xnor"
    if layer.antialiasing:
        return "antialiasing"
    if layer.product.reads != "windows":
        return "Darknet misreads its input"
    return None


def candidates(network: Network) -> dict[int, DecompositionTarget]:
    """The convolutions without an `obstacle`."""
    found = convolutions(network)
    return {
        i: replace(target, producer=producer_of(network, target.layer))
        for i, target in found.items()
        if obstacle(network, target.layer) is None
    }


def without(targets: Mapping[int, DecompositionTarget], keep: Sequence[int]) -> dict[int, DecompositionTarget]:
    """The targets but those to keep, none of which loses filters to the pruning of another."""
    return {i: replace(t, producer=None) if t.producer in keep else t for i, t in targets.items() if i not in keep}


def producer_of(network: Network, layer: Layer) -> int | None:
    """The convolution whose filters one layer alone reads, through pools at most; None if there is none."""
    if not isinstance(layer, ConvolutionalLayer) or layer.groups > 1:
        return None
    source = layer.sources[0]
    while source >= 0 and _readers(network, source) == 1:
        found = network.layers[source]
        if isinstance(found, ConvolutionalLayer):
            plain = found.groups == 1 and not found.antialiasing and found.activation in ELEMENTWISE
            return source if plain and source in _changeable(network) else None
        if found.type != "maxpool" or found.shape.channels != found.inputs[0].channels:
            return None
        source = found.sources[0]
    return None


def _readers(network: Network, index: int) -> int:
    return sum(other.sources.count(index) for other in network.layers)
