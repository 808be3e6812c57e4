"""Calibration images, drawn from a list and fitted to the network."""

from collections.abc import Callable, Generator, Iterable, Sequence

import numpy as np

from yolodsc.arrays import Array
from yolodsc.decompose.settings import ProgressCallback
from yolodsc.detection import InputReader, default_geometry
from yolodsc.errors import DecompositionError
from yolodsc.network import Network

Read = Callable[[InputReader, Iterable[str]], Iterable[Array]]
"""Reads files as inputs (C, H, W) of a network, in their order."""


def read_images(
    network: Network,
    paths: Sequence[str],
    *,
    count: int,
    seed: int,
    read: Read | None = None,
    progress: ProgressCallback | None = None,
) -> Array:
    """Draw ``count`` images without repetition, or all if there are fewer: (N, C, H, W).

    Parameters and errors are those of `draw_paths` and `read_drawn`.
    """
    return read_drawn(network, draw_paths(paths, count=count, seed=seed), read=read, progress=progress)


def draw_paths(paths: Sequence[str], *, count: int, seed: int) -> list[str]:
    """Draw ``count`` paths without repetition, in the order of `read_images`; raise a `DecompositionError` without paths."""
    if not paths:
        raise DecompositionError("no calibration images; expected at least 2, better 300")
    return [paths[i] for i in np.random.default_rng(seed).permutation(len(paths))[:count]]


def read_drawn(
    network: Network, paths: Sequence[str], *, read: Read | None = None, progress: ProgressCallback | None = None
) -> Array:
    """Read images fitted to the network's input, in order: (N, C, H, W).

    ``read`` reads the files elsewhere, such as on workers; by default threads of this process do. ``progress`` is called with a
    description and the share that is done. Raises an `ImageError` if an image cannot be read.
    """
    reader = InputReader(network=network, geometry=default_geometry(network), exif=False, decoder="fast")
    images = np.empty((len(paths), *network.input_shape), np.float32)
    for done, x in enumerate((read or _read)(reader, paths)):
        images[done] = x
        if progress is not None:
            progress("images", (done + 1) / len(paths))
    return images


def _read(reader: InputReader, paths: Iterable[str]) -> Generator[Array]:
    """The inputs of files that this process reads."""
    for given in reader.read_many(paths):
        yield given.x
