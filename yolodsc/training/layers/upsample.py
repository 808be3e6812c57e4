"""``[upsample]``: every pixel gets the sum of its copies' gradients (``blas.c: upsample_cpu``)."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import UpsampleLayer
from yolodsc.training.layers.context import LayerContext


class UpsampleTraining:
    """Nearest neighbour; a negative stride sums blocks, the transpose."""

    def __init__(self, context: LayerContext[UpsampleLayer]) -> None:
        self._stride, self._scale = context.layer.stride, np.float32(context.layer.scale)
        self._x, self._out, self._gradient, self._target = context.inputs[0], context.out, context.gradient, context.targets[0]

    def forward(self) -> None:
        """Copy pixels to blocks, or sum blocks."""
        if self._stride > 0:
            self._blocks(self._out)[:] = (self._x * self._scale)[:, :, :, None, :, None]
        else:
            self._out[:] = self._blocks(self._x).sum(axis=(3, 5)) * self._scale

    def backward(self) -> None:
        """Sum blocks, or copy gradients to blocks."""
        if self._target is None:
            return
        if self._stride > 0:
            blocks, (first, *others) = self._blocks(self._gradient), np.ndindex(self._stride, self._stride)
            total = blocks[:, :, :, first[0], :, first[1]].copy()
            for y, x in others:
                total += blocks[:, :, :, y, :, x]
            self._target.put(total * self._scale)
        else:
            copies = np.broadcast_to((self._gradient * self._scale)[:, :, :, None, :, None], self._blocks(self._x).shape)
            self._target.put(copies.reshape(self._x.shape))

    def _blocks(self, large: Array) -> Array:
        """View the larger of both feature maps as (C, n, H, s, W, s)."""
        channels, images, height, width = large.shape
        s = abs(self._stride)
        return large.reshape(channels, images, height // s, s, width // s, s)
