"""Which convolutions can be decomposed, and the matrix that each one is."""

from dataclasses import dataclass

import numpy as np

from yolodsc.decompose.factor.gram import Matrix
from yolodsc.network import ConvolutionalLayer, Network, Weights, folded_exactly


@dataclass(frozen=True, slots=True, eq=False)
class DecompositionTarget:
    """One convolution with its batch norm folded in.

    Attributes
    ----------
    layer
        The blueprint.
    weights : (F, C / groups, K, K)
        Float64, scaled by the batch norm.
    biases : (F,)
    """

    layer: ConvolutionalLayer
    weights: Matrix
    biases: Matrix

    @property
    def index(self) -> int:
        """Number of the layer in its network."""
        return self.layer.index

    @property
    def before(self) -> int:
        """Pixels of the input."""
        shape = self.layer.inputs[0]
        return shape.height * shape.width

    @property
    def after(self) -> int:
        """Pixels of the output."""
        return self.layer.shape.height * self.layer.shape.width

    def matrices(self) -> list[Matrix]:
        """Dense weights of every group: (C K K / groups, F / groups) each."""
        groups = np.split(self.weights, self.layer.groups)
        return [np.ascontiguousarray(part.reshape(len(part), -1).T) for part in groups]


def folded_target(layer: ConvolutionalLayer, weights: Weights) -> DecompositionTarget:
    """A convolution with its batch norm as the network's profile computes it."""
    kernel, biases = (array.astype(np.float64) for array in folded_exactly(layer, weights))
    return DecompositionTarget(layer, kernel, biases)


def convolutions(network: Network) -> dict[int, DecompositionTarget]:
    """All convolutions of windows whose arrays are their own and may change: no ``share_index`` (on either side), no ``xnor``."""
    convs = [layer for layer in network.layers if isinstance(layer, ConvolutionalLayer)]
    shared = {layer.share_index for layer in convs} | {layer.index for layer in convs if layer.share_index is not None}
    free = [layer for layer in convs if layer.index not in shared and not layer.xnor and layer.product.reads == "windows"]
    return {layer.index: folded_target(layer, network.weights[layer.index]) for layer in free}


def obstacle(network: Network, layer: ConvolutionalLayer) -> str | None:  # noqa: PLR0911 one line a reason
    """Why a convolution cannot or need not be decomposed, or None."""
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
    """The convolutions that `obstacle` lets through."""
    free = convolutions(network)
    return {i: target for i, target in free.items() if obstacle(network, target.layer) is None}
