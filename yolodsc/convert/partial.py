"""The beginning of a network, as ``darknet partial`` keeps it."""

from yolodsc.errors import ConversionError
from yolodsc.network import Header, Network


def first_layers(network: Network, count: int) -> Network:
    """The first ``count`` layers with their weights.

    As in Darknet the images seen start at 0 and the header is that of today's files (``darknet.c: partial``), so that the weights
    file is what training another network begins with. A `ConversionError` where there are not so many layers.
    """
    if not 1 <= count <= len(network.layers):
        raise ConversionError(f"the first {count} layers: the network has {len(network.layers)}; expected 1 to as many")
    return network.with_sections(network.cfg.sections[: count + 1], network.weights[:count], header=Header())
