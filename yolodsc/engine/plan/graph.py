"""The network's graph for the planner: needed layers, aliases, readers, and predicates about layers.

Nothing here depends on memory. A layer without kernels runs on its reference implementation, so that an unusual option costs speed
and never correctness.
"""

from collections.abc import Callable, Collection, Sequence

from yolodsc.engine.codegen.epilogue import ACTIVATIONS
from yolodsc.engine.codegen.tiles import lanes_for
from yolodsc.jit import Isa
from yolodsc.network import (
    INPUT_INDEX,
    ConvolutionalLayer,
    IdentityLayer,
    Layer,
    MaxpoolLayer,
    Network,
    RouteLayer,
    ShortcutLayer,
    reachable,
)

FEW = 8
"""Channels that fill half of the longest vector."""


class LayerGraph:
    """The layers that the outputs need, aliases resolved.

    Attributes
    ----------
    needed
        Indices in order, aliases left out.
    readers
        For each index the layers that read it.
    kept
        Indices of outputs: they cannot disappear in a fused operation.
    stored
        Indices of tensors that must be stored as bytes: their rounding cannot disappear either.
    """

    def __init__(self, network: Network, outputs: Sequence[int], stored: Collection[int] = ()) -> None:
        self.network = network
        self.stored = frozenset(stored)
        indices = reachable(network.layers, outputs)
        self._alias: dict[int, int] = {}
        for index in indices:
            if is_alias(network.layers[index]):
                self._alias[index] = self.origin(network.layers[index].sources[0])
        self.needed = [index for index in indices if index not in self._alias]
        self.kept = {self.origin(i) for i in outputs}
        self.readers: dict[int, list[int]] = {}
        for index in self.needed:
            for source in self.sources(index):
                self.readers.setdefault(source, []).append(index)

    def origin(self, index: int) -> int:
        """The layer whose output an alias passes on."""
        return self._alias.get(index, index)

    def sources(self, index: int) -> list[int]:
        """The layers that a layer reads, aliases resolved."""
        return [self.origin(source) for source in self.network.layers[index].sources]

    def only_reader(self, index: int) -> int | None:
        """The only layer that reads ``index``; None if there are several, or if ``index`` is an output."""
        readers = self.readers.get(index, [])
        return readers[0] if len(readers) == 1 and index not in self.kept else None

    def deferred(self, index: int) -> bool:
        """Whether the depthwise layer that is the only reader of a pointwise one will emit both."""
        reader = self.only_reader(index)
        layers = self.network.layers
        if index in self.stored:
            return False
        return reader is not None and is_pointwise(layers[index]) and is_fusable(layers[reader])

    def lanes(
        self, isa: Isa, keeps_lanes: Callable[[Layer], bool], preference: Callable[[bool], Isa] | None = None
    ) -> dict[int, int]:
        """Vector length of each layer's tensor: the same for inputs and output of a layer that keeps lanes.

        ``preference`` returns the instruction set by whether most products of a tensor have few channels on their other side too.
        """
        parent = {index: index for index in (INPUT_INDEX, *self.needed)}

        def root(index: int) -> int:
            while parent[index] != index:
                index = parent[index]
            return index

        for index in self.needed:
            if keeps_lanes(self.network.layers[index]):
                for source in self.sources(index):
                    parent[root(source)] = root(index)
        groups: dict[int, list[int]] = {}
        for index in parent:
            groups.setdefault(root(index), []).append(index)
        chosen = {
            key: lanes_for(preference(self._narrow(members)) if preference else isa, [self._weight(index) for index in members])
            for key, members in groups.items()
        }
        return {index: chosen[root(index)] for index in parent}

    def _narrow(self, members: Collection[int]) -> bool:
        """Whether most outputs of products that read or write these tensors are pixels of few channels on both sides."""
        balance = 0
        for index in self.needed:
            layer = self.network.layers[index]
            if is_convolution(layer) and not is_depthwise(layer):
                for mine, other in ((self.sources(index)[0], layer.shape), (index, layer.inputs[0])):
                    if mine in members:
                        balance += layer.shape.height * layer.shape.width * (1 if other.channels <= FEW else -1)
        return balance > 0

    def _weight(self, index: int) -> tuple[int, float]:
        """(channels, work of one channel) of a layer's output."""
        shape = self.network.input_shape if index == INPUT_INDEX else self.network.layers[index].shape
        macs = 0 if index == INPUT_INDEX else self.network.layers[index].multiply_adds()
        return shape.channels, macs / shape.channels + 4 * shape.height * shape.width


def is_alias(layer: Layer) -> bool:
    """Whether a layer passes its input on unchanged."""
    return isinstance(layer, IdentityLayer) or (isinstance(layer, RouteLayer) and len(layer.sources) == 1 and layer.groups == 1)


def is_convolution(layer: Layer) -> bool:
    """Whether a convolution has kernels."""
    return isinstance(layer, ConvolutionalLayer) and layer.ordinary and layer.activation in ACTIVATIONS


def is_pointwise(layer: Layer) -> bool:
    """A 1x1 convolution that may be part of a fused block."""
    return isinstance(layer, ConvolutionalLayer) and is_convolution(layer) and layer.pointwise


def is_depthwise(layer: Layer) -> bool:
    """A depthwise convolution with kernels; with a multiplier too."""
    return isinstance(layer, ConvolutionalLayer) and is_convolution(layer) and layer.depthwise and layer.size <= 9


def is_fusable(layer: Layer) -> bool:
    """A depthwise convolution that may be part of a fused block: one filter a channel, one stride, no dilation."""
    if not isinstance(layer, ConvolutionalLayer) or not is_depthwise(layer):
        return False
    return layer.stride_x == layer.stride_y and layer.filters == layer.groups and layer.dilation == 1


def is_sum(layer: Layer) -> bool:
    """A shortcut that is a plain sum of equal shapes."""
    return _adds(layer) and all(shape == layer.shape for shape in layer.inputs)


def is_partial_sum(layer: Layer) -> bool:
    """A shortcut that adds the common channels of two layers of the same height and width."""
    return _adds(layer) and len(layer.inputs) == 2 and all(shape[1:] == layer.shape[1:] for shape in layer.inputs)


def _adds(layer: Layer) -> bool:
    """Whether a layer is a shortcut without factors."""
    if not isinstance(layer, ShortcutLayer) or layer.weights_type != "none" or layer.activation not in ACTIVATIONS:
        return False
    return layer.alpha == layer.beta == 1


def is_pool(layer: Layer) -> bool:
    """A maxpool over space none of whose windows is empty."""
    if not isinstance(layer, MaxpoolLayer) or layer.maxpool_depth or layer.antialiasing:
        return False
    shift, (_, height, width), (_, rows, columns) = layer.padding // 2, layer.inputs[0], layer.shape
    inside = (rows - 1) * layer.stride_y - shift < height and (columns - 1) * layer.stride_x - shift < width
    return inside and shift < layer.size
