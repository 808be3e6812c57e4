"""What the chunks of a batch must know of each other for batch norm with live statistics."""

import numpy as np

from yolodsc.shape import Floats


class Moments:
    """Sums over one layer's map, by chunk; read only when every chunk has written its own.

    Attributes
    ----------
    count
        Numbers a channel, over the whole batch.
    """

    MEAN, VARIANCE, BIAS, SCALE = range(4)
    """Rows of a slot: sums of the numbers, of their squared distances from the mean, of the gradients of bias and scale."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._slots: list[Floats] = []
        self.count = 0

    def slot(self, count: int) -> Floats:
        """A chunk's own (4, C), float64, for so many numbers a channel."""
        self.count += count
        self._slots.append(np.zeros((4, self._channels)))
        return self._slots[-1]

    def forget(self) -> None:
        """Give up all slots, before pictures of another shape are planned."""
        self._slots.clear()
        self.count = 0

    def total(self, row: int) -> Floats:
        """(C,), float64, always summed in the same order."""
        return np.sum([slot[row] for slot in self._slots], axis=0)

    def mean(self, row: int) -> Floats:
        """(C,), float64."""
        return self.total(row) / self.count
