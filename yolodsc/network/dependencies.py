"""Which layers a set of outputs depends on."""

from collections.abc import Iterable, Sequence

from yolodsc.network.layer import INPUT_INDEX, Layer


def reachable(layers: Sequence[Layer], outputs: Iterable[int]) -> list[int]:
    """Indices of the layers that ``outputs`` depend on, the outputs themselves included, in ascending order.

    Parameters
    ----------
    layers
        All layers of a network, in order.
    outputs
        Indices of layers; `INPUT_INDEX` stands for the image and is not part of the result.
    """
    indices = set(outputs)
    for layer in reversed(layers):
        if layer.index in indices:
            indices.update(layer.sources)
    return sorted(indices - {INPUT_INDEX})
