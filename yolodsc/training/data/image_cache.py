"""Training images: read once, kept while they fit into memory, augmented ahead of the trainer."""

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.detection import image_paths as listed
from yolodsc.errors import DatasetError, OptionError
from yolodsc.files import exists, is_file
from yolodsc.images import Geometry, ImageArray, read_image
from yolodsc.training.data.augment import Augmentation, augmented

KEPT = 3 * 2**30
"""Bytes of decoded images that are kept at most; the rest is decoded again each time."""
AHEAD = 3
"""Batches that are being prepared while the network works on one."""

Sample = tuple[Array, Array]


def training_images(source: str) -> list[str]:
    """Paths of a folder or list; those of a list that are not found from here are looked for beside it.

    Raises
    ------
    OptionError, DatasetError
        The source names nothing, or an image is missing.
    """
    paths = listed([source])
    beside = Path(source).parent
    found = [path if exists(path) else str(beside / path) for path in paths]
    missing = [path for path, place in zip(paths, found, strict=True) if not is_file(place)]
    if missing:
        raise DatasetError(f"{source}: {missing[0]} is missing ({len(missing)} of {len(paths)} images are)")
    return found


@dataclass(slots=True)
class ImageCache:
    """Decoded images by number."""

    paths: Sequence[str]
    channels: int
    exif: bool = False
    _kept: dict[int, ImageArray] = field(default_factory=dict)
    _bytes: int = 0

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> ImageArray:
        image = self._kept.get(number)
        if image is None:
            image = read_image(self.paths[number], channels=self.channels, exif=self.exif)
            if self._bytes < KEPT:
                self._bytes += image.nbytes
                self._kept[number] = image
        return image


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's input.

    Attributes
    ----------
    step
        Counted from the start of the training.
    images : (N, C, H, W)
    labels
        (M, 5) an image; empty without labels.
    """

    step: int
    images: Array
    labels: list[Array]


@dataclass(frozen=True, slots=True)
class Batches:
    """All batches of a training, the same whatever the threads: drawn by (seed, epoch, place in the epoch).

    A last batch that is not full is left out, unless it is the only one.
    """

    shelf: ImageCache
    labels: Sequence[Array]
    shape: Shape
    geometry: Geometry
    augmentation: Augmentation
    size: int
    seed: int
    threads: int = 1

    def __post_init__(self) -> None:
        if not len(self.shelf):
            raise OptionError("no images to train on")

    @property
    def per_epoch(self) -> int:
        """How many batches an epoch has."""
        return max(len(self.shelf) // self.size, 1)

    def between(self, start: int, end: int) -> Generator[Batch, None, None]:
        """Batches of the steps from ``start`` up to ``end``, prepared ahead by threads."""
        with ThreadPoolExecutor(self.threads, thread_name_prefix="augment") as workers:
            waiting: deque[tuple[int, list[Future[Sample]]]] = deque()
            try:
                for step in range(start, end):
                    waiting.append((step, [workers.submit(self._sample, *which) for which in self._numbers(step)]))
                    if len(waiting) > AHEAD:
                        yield _batch(*waiting.popleft())
                while waiting:
                    yield _batch(*waiting.popleft())
            finally:
                workers.shutdown(wait=False, cancel_futures=True)

    def _numbers(self, step: int) -> list[tuple[int, int, int]]:
        """(epoch, place, image) of each sample of a step."""
        epoch, within = divmod(step, self.per_epoch)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.shelf))
        first = within * self.size
        return [(epoch, first + i, int(number)) for i, number in enumerate(order[first : first + self.size])]

    def _sample(self, epoch: int, place: int, number: int) -> Sample:
        random = np.random.default_rng((self.seed, epoch, place + 1))
        own = self.labels[number] if self.labels else np.zeros((0, 5), np.float32)
        return augmented(self.shelf[number], own, self.shape, how=self.augmentation, geometry=self.geometry, random=random)


def _batch(step: int, samples: "list[Future[Sample]]") -> Batch:
    done = [sample.result() for sample in samples]
    return Batch(step, np.stack([image for image, _ in done]), [labels for _, labels in done])
