"""``[maxpool]``: the gradient goes to the first maximum of each window (``maxpool_layer.c``)."""

import numpy as np

from yolodsc.network import MaxpoolLayer
from yolodsc.training.kernels.arguments import PoolingWindow
from yolodsc.training.layers.context import LayerContext


class MaxpoolTraining:
    """Windows over space, of any size and stride."""

    def __init__(self, context: LayerContext[MaxpoolLayer]) -> None:
        from yolodsc.training.kernels import maxpool

        layer = context.layer
        if layer.maxpool_depth or layer.antialiasing:
            raise layer.section.error("with maxpool_depth or antialiasing cannot be trained")
        self._kernels = maxpool
        self._x, self._out, self._gradient = context.inputs[0], context.out, context.gradient
        self._target = context.targets[0]
        self._window = PoolingWindow(layer.size, layer.stride_y, layer.stride_x, layer.padding // 2)
        halved = (2 * layer.shape.height, 2 * layer.shape.width) == self._x.shape[2:]
        self._is_2x2 = self._window == (2, 2, 2, 0) and halved

    def forward(self) -> None:
        """Compute the maximum of each window."""
        if self._is_2x2:
            self._kernels.forward_2x2(self._x, self._out)
        else:
            self._kernels.forward(self._x, self._window, self._out)

    def backward(self) -> None:
        """Add each gradient to the pixel that the maximum came from."""
        if self._target is None:
            return
        if self._is_2x2:
            self._kernels.backward_2x2(self._gradient, self._x, self._out, self._target.array, self._target.accumulate)
            return
        if not self._target.accumulate:
            self._target.array[:] = np.float32(0)
        self._kernels.backward(self._gradient, self._x, self._out, self._window, self._target.array)
