"""`first_layers`: the first layers of a network, like ``darknet partial``."""

from yolodsc.errors import ConversionError
from yolodsc.network import Header, Network


def first_layers(network: Network, count: int) -> Network:
    """The first ``count`` layers with their weights.

    The header is that of a new file with 0 images seen, as in Darknet (``darknet.c: partial``), so that the weights can initialize
    the training of another network. A `ConversionError` is raised if the network has fewer layers.
    """
    if not 1 <= count <= len(network.layers):
        raise ConversionError(
            f"the first {count} layers: the network has {len(network.layers)}; expected 1 to {len(network.layers)}"
        )
    return network.with_sections(network.cfg.sections[: count + 1], network.weights[:count], header=Header())
