"""What the chunks of a batch must know of each other for batch norm with live statistics."""

import numpy as np

from yolodsc.arrays import Floats


class Moments:
    """Sums over one layer's map, by chunk; read only when every chunk has written its own."""

    SUM, SQUARES, BIAS, PRODUCT = range(4)
    """Rows of a slot: the sum of a chunk's numbers, that of their squared distances from the chunk's own mean, the sum of the
    gradients of the normal numbers and that of their products with those numbers."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._slots: list[Floats] = []
        self._counts: list[int] = []

    @property
    def count(self) -> int:
        """Numbers a channel, over the whole batch."""
        return sum(self._counts)

    def slot(self, count: int) -> Floats:
        """A chunk's own (4, C), float64, for so many numbers a channel."""
        self._counts.append(count)
        self._slots.append(np.zeros((4, self._channels)))
        return self._slots[-1]

    def forget(self) -> None:
        """Give up all slots, before images of another shape are planned."""
        self._slots.clear()
        self._counts.clear()

    def total(self, row: int) -> Floats:
        """(C,), float64, always summed in the same order."""
        return np.sum([slot[row] for slot in self._slots], axis=0)

    def mean(self) -> Floats:
        """Of the batch, (C,), float64."""
        return self.total(self.SUM) / self.count

    def variance(self) -> Floats:
        """Of the batch, (C,), float64: what is within chunks and what is between them (Chan, Golub & LeVeque 1983)."""
        mean = self.mean()
        between = [n * (slot[self.SUM] / n - mean) ** 2 for n, slot in zip(self._counts, self._slots, strict=True)]
        return (self.total(self.SQUARES) + np.sum(between, axis=0)) / self.count
