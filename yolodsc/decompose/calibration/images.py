"""Calibration images, drawn from a list and fitted to the network."""

from collections.abc import Sequence

import numpy as np

from yolodsc.arrays import Array
from yolodsc.detection import default_geometry
from yolodsc.errors import DecompositionError
from yolodsc.images import fit, read_image
from yolodsc.network import Network


def read_images(network: Network, paths: Sequence[str], *, count: int, seed: int) -> Array:
    """Draw ``count`` images without repetition, or all if there are fewer: (N, C, H, W).

    Raises an `ImageError` if an image cannot be read, and a `DecompositionError` without images.
    """
    if not paths:
        raise DecompositionError("no calibration images; expected at least 2, better 300")
    order = np.random.default_rng(seed).permutation(len(paths))[:count]
    return np.stack([_fitted(network, paths[i]) for i in order])


def _fitted(network: Network, path: str) -> Array:
    image = read_image(path, channels=network.input_shape.channels)
    return fit(image, network.input_shape, profile=network.profile, geometry=default_geometry(network))[0]
