"""Calibration images, drawn from a list and fitted to the network."""

from collections.abc import Sequence

import numpy as np

from yolodsc.arrays import Array
from yolodsc.decompose.settings import ProgressCallback
from yolodsc.detection import InputReader, default_geometry
from yolodsc.errors import DecompositionError
from yolodsc.network import Network


def read_images(
    network: Network, paths: Sequence[str], *, count: int, seed: int, progress: ProgressCallback | None = None
) -> Array:
    """Draw ``count`` images without repetition, or all if there are fewer: (N, C, H, W).

    ``progress`` is called with a description and the share that is done. Raises an `ImageError` if an image cannot be read, and a
    `DecompositionError` without images.
    """
    if not paths:
        raise DecompositionError("no calibration images; expected at least 2, better 300")
    order = np.random.default_rng(seed).permutation(len(paths))[:count]
    reader = InputReader(network=network, geometry=default_geometry(network), exif=False, decoder="fast")
    images = np.empty((len(order), *network.input_shape), np.float32)
    for done, given in enumerate(reader.read_many(paths[i] for i in order)):
        images[done] = given.x
        if progress is not None:
            progress("images", (done + 1) / len(order))
    return images
