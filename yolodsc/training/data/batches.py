"""Batches of a training: augmented samples, prepared ahead of the trainer."""

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.errors import OptionError
from yolodsc.images import Geometry
from yolodsc.training.data.augment import Augmentation, augmented
from yolodsc.training.data.image_cache import ImageCache
from yolodsc.training.data.mosaic import Sample, mosaic
from yolodsc.training.data.scales import shape_at

AHEAD = 3
"""Batches that are prepared while the network works on one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The input of one step.

    Attributes
    ----------
    step
        Counted from the start of the training.
    images : (N, C, H, W)
    labels
        One array (M, 5) an image; empty without labels.
    """

    step: int
    images: Array
    labels: list[Array]


@dataclass(frozen=True, slots=True)
class Batches:
    """All batches of a training; samples depend on (seed, epoch, position in the epoch), whatever the number of threads.

    An incomplete last batch of an epoch is dropped, unless it is the only one.
    """

    cache: ImageCache
    labels: Sequence[Array]
    shape: Shape
    geometry: Geometry
    augmentation: Augmentation
    size: int
    seed: int
    threads: int = 1
    multiscale: bool = False

    def __post_init__(self) -> None:
        if not len(self.cache):
            raise OptionError("no images to train on")

    @property
    def per_epoch(self) -> int:
        """Number of batches of an epoch."""
        return max(len(self.cache) // self.size, 1)

    def between(self, start: int, end: int) -> Generator[Batch, None, None]:
        """Yield the batches of the steps from ``start`` up to ``end``, prepared ahead by threads."""
        with ThreadPoolExecutor(self.threads, thread_name_prefix="augment") as pool:
            pending: deque[tuple[int, list[Future[Sample]]]] = deque()
            try:
                for step in range(start, end):
                    shape = shape_at(self.shape, step, seed=self.seed) if self.multiscale else self.shape
                    pending.append((step, [pool.submit(self._sample, *sample, shape) for sample in self._positions(step)]))
                    if len(pending) > AHEAD:
                        yield _batch(*pending.popleft())
                while pending:
                    yield _batch(*pending.popleft())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _positions(self, step: int) -> list[tuple[int, int, int]]:
        """Return (epoch, position in the epoch, image) of each sample of a step."""
        epoch, batch = divmod(step, self.per_epoch)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.cache))
        first = batch * self.size
        return [(epoch, first + i, int(image)) for i, image in enumerate(order[first : first + self.size])]

    def _sample(self, epoch: int, position: int, image: int, shape: Shape) -> Sample:
        random = np.random.default_rng((self.seed, epoch, position + 1))
        share = self.augmentation.mosaic
        if share and random.random() < share:
            others = random.integers(len(self.cache), size=3)
            parts = [self._augmented(int(number), shape, random) for number in (image, *others)]
            return mosaic(parts, shape, random)
        return self._augmented(image, shape, random)

    def _augmented(self, image: int, shape: Shape, random: np.random.Generator) -> Sample:
        labels = self.labels[image] if self.labels else np.zeros((0, 5), np.float32)
        return augmented(self.cache[image], labels, shape, how=self.augmentation, geometry=self.geometry, random=random)


def _batch(step: int, samples: "list[Future[Sample]]") -> Batch:
    done = [sample.result() for sample in samples]
    return Batch(step, np.stack([image for image, _ in done]), [labels for _, labels in done])
