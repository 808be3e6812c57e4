"""``[reorg]``: numbers change places, and their gradients change back (``blas.c: reorg_cpu``)."""

import numpy as np

from yolodsc.arrays import Array, Ints
from yolodsc.network import ReorgLayer
from yolodsc.training.layers.context import LayerContext


class Reorg:
    """A permutation of every image, as the layer itself makes it."""

    def __init__(self, place: LayerContext[ReorgLayer]) -> None:
        self._x, self._out, self._gradient, self._target = place.inputs[0], place.out, place.gradient, place.targets[0]
        channels, images, height, width = self._x.shape
        numbers = np.arange(channels * height * width, dtype=np.float64).reshape(channels, height, width)
        order: Ints = place.layer.forward([numbers], {}).astype(np.int64)  # float64 holds them all
        channel, pixel = np.divmod(order, height * width)
        offsets = np.arange(images)[:, None, None]
        # (OC, n, OH, OW): where in (C, n, H, W) each number comes from
        self._order: Ints = ((channel[:, None] * images + offsets) * (height * width) + pixel[:, None]).reshape(-1)

    def forward(self) -> None:
        """Fetch."""
        np.take(self._x.reshape(-1), self._order, out=self._out.reshape(-1))

    def backward(self) -> None:
        """Bring back; every number has one place."""
        if self._target is None:
            return
        places: Array = self._target.array.reshape(-1)
        if self._target.add:
            places[self._order] += self._gradient.reshape(-1)
        else:
            places[self._order] = self._gradient.reshape(-1)
