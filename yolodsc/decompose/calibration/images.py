"""Calibration images, drawn from a list and fitted to the network."""

from collections.abc import Callable, Generator, Iterable, Sequence

import numpy as np

from yolodsc.arrays import Array
from yolodsc.detection import InputReader, default_geometry
from yolodsc.errors import DecompositionError
from yolodsc.network import Network

Read = Callable[[InputReader, Iterable[str]], Iterable[Array]]
"""Reads files as inputs (C, H, W) of a network, in their order."""


def read_images(network: Network, paths: Sequence[str], *, count: int, seed: int, read: Read | None = None) -> Array:
    """Draw ``count`` images without repetition, or all if there are fewer: (N, C, H, W).

    ``read`` reads the files elsewhere, such as on workers; by default threads of this process do.

    Raises an `ImageError` if an image cannot be read, and a `DecompositionError` without images.
    """
    if not paths:
        raise DecompositionError("no calibration images; expected at least 2, better 300")
    order = np.random.default_rng(seed).permutation(len(paths))[:count]
    reader = InputReader(network=network, geometry=default_geometry(network), exif=False, decoder="fast")
    images = np.empty((len(order), *network.input_shape), np.float32)
    for image, x in zip(images, (read or _read)(reader, (paths[i] for i in order)), strict=True):
        image[:] = x
    return images


def _read(reader: InputReader, paths: Iterable[str]) -> Generator[Array]:
    """The inputs of files that this process reads."""
    for given in reader.read_many(paths):
        yield given.x
