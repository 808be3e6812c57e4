"""``[scale_channels]`` and ``[sam]``: the gradient of a factor is that of the product times the other factor.

``scale_channels_layer.c: backward_scale_channels_layer``, ``sam_layer.c: backward_sam_layer``. Some versions of Darknet divide a
gate's gradient by the number of pixels that it multiplies; here the gradient is the derivative, the sum.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import SamLayer, ScaleChannelsLayer
from yolodsc.training.layers.activation import Activation
from yolodsc.training.layers.context import LayerContext, flattened


class MultiplyTraining:
    """The product of two feature maps, or of one and a gate for each channel or pixel."""

    def __init__(self, context: LayerContext[ScaleChannelsLayer] | LayerContext[SamLayer]) -> None:
        self._inputs, self._gradient, self._targets = context.inputs, context.gradient, context.targets
        self._activation = Activation(context.layer, context.layer.activation, context.out)
        self._linear = context.layer.activation == "linear"
        self._before = self._activation.before.reshape(context.out.shape)

    def forward(self) -> None:
        """Multiply with broadcasting, then apply the activation."""
        first, second = self._inputs
        np.multiply(first, second, out=self._before)
        if not self._linear:
            self._activation.forward()

    def backward(self) -> None:
        """Compute both gradients; that of a gate is a sum over all that it multiplies."""
        if not self._linear:
            self._activation.backward(flattened(self._gradient))
        for target, other in zip(self._targets, reversed(self._inputs), strict=True):
            if target:
                target.put(_unbroadcast(self._gradient * other, target.array.shape))


def _unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Sum over the axes along which a factor of this shape was repeated."""
    repeated = tuple(axis for axis, (long, short) in enumerate(zip(gradient.shape, shape, strict=True)) if long != short)
    return gradient.sum(axis=repeated, keepdims=True) if repeated else gradient
