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
    return read_drawn(network, draw_paths(paths, count=count, seed=seed), progress=progress)


def read_drawn(network: Network, paths: Sequence[str], *, progress: ProgressCallback | None = None) -> Array:
    """Read images fitted to the network's input, in order: (N, C, H, W); raise an `ImageError` if one cannot be read."""
    reader = InputReader(network=network, geometry=default_geometry(network), exif=False, decoder="fast")
    images = np.empty((len(paths), *network.input_shape), np.float32)
    for done, given in enumerate(reader.read_many(paths)):
        images[done] = given.x
        if progress is not None:
            progress("images", (done + 1) / len(paths))
    return images


def draw_paths(paths: Sequence[str], *, count: int, seed: int) -> list[str]:
    """Draw ``count`` paths without repetition, in the order of `read_images`; raise a `DecompositionError` without paths."""
    if not paths:
        raise DecompositionError("no calibration images; expected at least 2, better 300")
    return [paths[i] for i in np.random.default_rng(seed).permutation(len(paths))[:count]]
