"""Channels that must be scaled together, so that a network with scaled channels computes the same function."""

from dataclasses import dataclass

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.network import (
    INPUT_INDEX,
    ConvolutionalLayer,
    Layer,
    MaxpoolLayer,
    Network,
    RouteLayer,
    ShortcutLayer,
    UpsampleLayer,
)
from yolodsc.precision import is_alias

HOMOGENEOUS = frozenset({"linear", "relu", "leaky", "revleaky", "relie", "ramp"})
"""Activations f with f(s x) = s f(x) for every positive s."""


@dataclass(frozen=True, slots=True, eq=False)
class ChannelClasses:
    """Classes of channels over all tensors of a network.

    Attributes
    ----------
    of
        For each tensor by index (-1 is the image), the class of every channel, (C,).
    fixed : (classes,) bool
        Classes whose channels cannot be scaled: a layer reads them that is not homogeneous, or not understood.
    """

    of: dict[int, Ints]
    fixed: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"


def channel_classes(network: Network) -> ChannelClasses:
    """Classes of a network: sums, pools, upsampling and routes join channels, convolutions separate them."""
    shapes = {INPUT_INDEX: network.input_shape} | {layer.index: layer.shape for layer in network.layers}
    starts = dict(zip(shapes, np.cumsum([0, *(shape.channels for shape in shapes.values())]).tolist(), strict=False))
    nodes = {index: starts[index] + np.arange(shape.channels) for index, shape in shapes.items()}
    joined = _Joined(sum(shape.channels for shape in shapes.values()))
    fixed = [nodes[INPUT_INDEX]]
    shared = {layer.share_index for layer in network.layers if isinstance(layer, ConvolutionalLayer)}
    for layer in network.layers:
        inputs, output = [nodes[source] for source in layer.sources], nodes[layer.index]
        if isinstance(layer, ConvolutionalLayer):
            plain = (
                layer.ordinary and layer.share_index is None and layer.index not in shared and not layer.section.flag("dontload")
            )
            fixed += [] if plain else inputs
            fixed += [] if plain and layer.activation in HOMOGENEOUS else [output]
        elif _keeps_channels(layer):
            for source in inputs:
                joined.join(source, output)
        elif isinstance(layer, RouteLayer):
            parts = [np.split(source, layer.groups)[layer.group_id] for source in inputs]
            joined.join(np.concatenate(parts), output)
        else:
            fixed += [*inputs, output]
    return joined.classes(nodes, np.concatenate(fixed))


def _keeps_channels(layer: Layer) -> bool:
    """Whether output channel c is a homogeneous function of the channels c of all inputs, the same for every c."""
    if isinstance(layer, ShortcutLayer):
        return layer.activation in HOMOGENEOUS and all(shape == layer.shape for shape in layer.inputs)
    if isinstance(layer, MaxpoolLayer):
        return not layer.maxpool_depth
    return isinstance(layer, UpsampleLayer) or is_alias(layer)


class _Joined:
    """Sets of nodes under union, O(log n) a step."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def join(self, first: Ints, second: Ints) -> None:
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            self._parent[self._root(a)] = self._root(b)

    def classes(self, nodes: dict[int, Ints], fixed: Ints) -> ChannelClasses:
        roots = np.array([self._root(node) for node in range(len(self._parent))])
        unique, numbers = np.unique(roots, return_inverse=True)
        flags = np.zeros(len(unique), bool)
        flags[numbers[fixed]] = True
        return ChannelClasses({index: numbers[part] for index, part in nodes.items()}, flags)

    def _root(self, node: int) -> int:
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node
