"""Calibration images: which, and as the network reads them."""

from collections.abc import Sequence

import numpy as np

from yolodsc.arrays import Array
from yolodsc.detection import default_geometry
from yolodsc.errors import DecompositionError
from yolodsc.images import fit, read_image
from yolodsc.network import Network


def read_images(network: Network, paths: Sequence[str], *, count: int, seed: int) -> Array:
    """``count`` of the images, drawn without repetition and in a drawn order: (N, C, H, W); all where there are fewer.

    An ImageError where one cannot be read, a DecompositionError where there are none.
    """
    if not paths:
        raise DecompositionError("no calibration images; expected at least 2, better 300")
    order = np.random.default_rng(seed).permutation(len(paths))[:count]
    return np.stack([_fitted(network, paths[i]) for i in order])


def _fitted(network: Network, path: str) -> Array:
    image = read_image(path, channels=network.input_shape.channels)
    return fit(image, network.input_shape, profile=network.profile, geometry=default_geometry(network))[0]
