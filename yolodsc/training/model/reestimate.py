"""Rolling statistics of batch norm, estimated again when training has ended."""

from collections.abc import Iterable

import numpy as np

from yolodsc.arrays import Array, Floats
from yolodsc.network import Network
from yolodsc.training.model.model import LIVE, TrainingModel


def reestimate(network: Network, batches: Iterable[Array], *, threads: int = 1) -> Network:
    """Return the network with the mean and variance over all images as rolling statistics (Wu & Johnson 2021, section 3).

    During training, rolling statistics lag behind the weights. These statistics belong to the final weights.

    Parameters
    ----------
    batches
        Images (N, C, H, W) of one shape or several. Each batch is normalised by its own statistics, so large batches are more
        accurate. Without batches the network is returned unchanged.
    """
    outputs = [head.index for head in network.heads] or [max(layer.index for layer in network.layers if layer.type != "cost")]
    counts: list[int] = []
    found: dict[int, list[tuple[Floats, Floats]]] = {}
    with TrainingModel(network, outputs=outputs, threads=threads, statistics=LIVE) as model:
        for images in batches:
            model.forward(images)
            counts.append(len(images))
            for index, statistics in model.batch_statistics().items():
                found.setdefault(index, []).append(statistics)
    weights = [dict(own) for own in network.weights]
    for index, statistics_of_batches in found.items():
        means, variances = (np.array(values, np.float64) for values in zip(*statistics_of_batches, strict=True))
        mean = np.average(means, axis=0, weights=counts)
        variance = np.average(variances + (means - mean) ** 2, axis=0, weights=counts)  # within batches and between them
        weights[index] |= {"rolling_mean": mean.astype(np.float32), "rolling_variance": variance.astype(np.float32)}
    return network.with_weights(weights)
