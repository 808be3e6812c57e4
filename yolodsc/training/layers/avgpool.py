"""``[avgpool]``: every pixel gets its share of the mean's gradient (``avgpool_layer.c: backward_avgpool_layer``)."""

import numpy as np

from yolodsc.network import AvgpoolLayer
from yolodsc.training.layers.context import LayerContext


class Avgpool:
    """(C, n, H, W) to (C, n, 1, 1)."""

    def __init__(self, place: LayerContext[AvgpoolLayer]) -> None:
        self._x, self._out, self._gradient, self._target = place.inputs[0], place.out, place.gradient, place.targets[0]

    def forward(self) -> None:
        """Mean over all pixels."""
        np.mean(self._x, axis=(2, 3), keepdims=True, out=self._out)

    def backward(self) -> None:
        """The same for every pixel."""
        if self._target:
            share = np.float32(1 / np.prod(self._x.shape[2:]))
            self._target.put(np.broadcast_to(self._gradient * share, self._x.shape))
