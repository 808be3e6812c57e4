"""What the micro-batches of a batch share for batch norm with live statistics."""

import numpy as np

from yolodsc.arrays import Floats


class Moments:
    """Sums over one layer's feature map, one slot for each micro-batch; read only when all slots are filled."""

    SUM, SQUARES, BIAS, PRODUCT = range(4)
    """Rows of a slot: the sum of a micro-batch's elements, the sum of their squared distances from the micro-batch's mean, the sum
    of the gradients of the normalised elements, and the sum of the products of these gradients with the elements."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._slots: list[Floats] = []
        self._counts: list[int] = []

    @property
    def count(self) -> int:
        """Elements a channel, over the whole batch."""
        return sum(self._counts)

    def slot(self, count: int) -> Floats:
        """Return a micro-batch's slot (4, C), float64, for ``count`` elements a channel."""
        self._counts.append(count)
        self._slots.append(np.zeros((4, self._channels)))
        return self._slots[-1]

    @staticmethod
    def store(parts: Floats, count: int, slot: Floats) -> None:
        """Fill a slot's sums and squares from (C, 3): a pivot, and the sums of distances from it and of their squares."""
        pivot, distance, square = parts.T
        slot[Moments.SUM] = distance + count * pivot
        slot[Moments.SQUARES] = np.maximum(square - distance * distance / count, 0)

    def clear(self) -> None:
        """Drop all slots, before images of another shape are planned."""
        self._slots.clear()
        self._counts.clear()

    def total(self, row: int) -> Floats:
        """Return the sum (C,) of a row over all slots, float64, always in the same order."""
        return np.sum([slot[row] for slot in self._slots], axis=0)

    def mean(self) -> Floats:
        """Return the mean (C,) of the batch, float64."""
        return self.total(self.SUM) / self.count

    def variance(self) -> Floats:
        """Return the variance (C,) of the batch, float64: within micro-batches and between them (Chan, Golub & LeVeque 1983)."""
        mean = self.mean()
        between = [n * (slot[self.SUM] / n - mean) ** 2 for n, slot in zip(self._counts, self._slots, strict=True)]
        return (self.total(self.SQUARES) + np.sum(between, axis=0)) / self.count
