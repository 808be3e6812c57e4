"""``[reorg]``: a permutation of elements, and its inverse for the gradients (``blas.c: reorg_cpu``)."""

import numpy as np

from yolodsc.arrays import Array, Ints
from yolodsc.network import ReorgLayer
from yolodsc.training.layers.context import LayerContext


class ReorgTraining:
    """A permutation of the elements of every image, taken from the layer's own forward pass."""

    def __init__(self, context: LayerContext[ReorgLayer]) -> None:
        self._x, self._out, self._gradient, self._target = context.inputs[0], context.out, context.gradient, context.targets[0]
        channels, images, height, width = self._x.shape
        elements = np.arange(channels * height * width, dtype=np.float64).reshape(channels, height, width)
        order: Ints = context.layer.forward([elements], {}).astype(np.int64)  # float64 represents them exactly
        channel, pixel = np.divmod(order, height * width)
        offsets = np.arange(images)[:, None, None]
        # (OC, n, OH, OW): index in the flattened (C, n, H, W) of each element
        self._order: Ints = ((channel[:, None] * images + offsets) * (height * width) + pixel[:, None]).reshape(-1)

    def forward(self) -> None:
        """Gather the elements."""
        np.take(self._x.reshape(-1), self._order, out=self._out.reshape(-1))

    def backward(self) -> None:
        """Scatter the gradients; no index repeats."""
        if self._target is None:
            return
        target: Array = self._target.array.reshape(-1)
        if self._target.accumulate:
            target[self._order] += self._gradient.reshape(-1)
        else:
            target[self._order] = self._gradient.reshape(-1)
