"""``[avgpool]``: every pixel gets an equal part of the mean's gradient (``avgpool_layer.c: backward_avgpool_layer``)."""

import numpy as np

from yolodsc.network import AvgpoolLayer
from yolodsc.training.layers.context import LayerContext


class AvgpoolTraining:
    """The mean of (C, n, H, W) over space, (C, n, 1, 1)."""

    def __init__(self, context: LayerContext[AvgpoolLayer]) -> None:
        self._x, self._out, self._gradient, self._target = context.inputs[0], context.out, context.gradient, context.targets[0]

    def forward(self) -> None:
        """Compute the mean over all pixels."""
        np.mean(self._x, axis=(2, 3), keepdims=True, out=self._out)

    def backward(self) -> None:
        """Give every pixel the same gradient."""
        if self._target:
            share = np.float32(1 / np.prod(self._x.shape[2:]))
            self._target.put(np.broadcast_to(self._gradient * share, self._x.shape))
