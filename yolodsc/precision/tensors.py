"""Which tensors are stored in bytes, and which of them must share one scale."""

from collections.abc import Collection

from yolodsc.network import (
    ConvolutionalLayer,
    IdentityLayer,
    Layer,
    MaxpoolLayer,
    Network,
    Reorg3dLayer,
    ReorgLayer,
    RouteLayer,
    UpsampleLayer,
)


def is_alias(layer: Layer) -> bool:
    """Whether a layer passes its input on unchanged."""
    return isinstance(layer, IdentityLayer) or (isinstance(layer, RouteLayer) and len(layer.sources) == 1 and layer.groups == 1)


def is_quantizable(layer: Layer) -> bool:
    """Whether a layer may run in int8 or bf16: a convolution of windows without signs or blur."""
    return isinstance(layer, ConvolutionalLayer) and layer.ordinary


def passes_bytes(layer: Layer) -> bool:
    """Whether a layer only selects and moves values, so that it works on bytes and keeps their scale."""
    if isinstance(layer, MaxpoolLayer):
        return not layer.antialiasing
    if isinstance(layer, UpsampleLayer):
        return layer.stride > 0 and layer.scale == 1
    return isinstance(layer, RouteLayer | ReorgLayer | Reorg3dLayer) or is_alias(layer)


def origin(network: Network, index: int) -> int:
    """The layer whose tensor ``index`` is, aliases resolved; -1 for the image."""
    while index >= 0 and is_alias(network.layers[index]):
        index = network.layers[index].sources[0]
    return index


def sources(network: Network, index: int) -> tuple[int, ...]:
    """The tensors that a layer reads, aliases resolved."""
    return tuple(origin(network, source) for source in network.layers[index].sources)


def byte_tensors(network: Network, int8: Collection[int]) -> list[frozenset[int]]:
    """The tensors that must be bytes if the layers ``int8`` run in 8 bits, in groups that share one scale.

    A tensor is stored in bytes if an int8 layer reads it, either itself or through layers that move bytes.
    """
    parent: dict[int, int] = {}

    def root(index: int) -> int:
        while parent.setdefault(index, index) != index:
            index = parent[index]
        return index

    for index in int8:
        root(sources(network, index)[0])
    for layer in reversed(network.layers):
        if layer.index in parent and passes_bytes(layer):
            for source in sources(network, layer.index):
                parent[root(source)] = root(layer.index)
    groups: dict[int, set[int]] = {}
    for index in parent:
        groups.setdefault(root(index), set()).add(index)
    return sorted((frozenset(group) for group in groups.values()), key=min)
