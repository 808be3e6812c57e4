"""``[scale_channels]`` and ``[sam]``: each factor's gradient is the product's times the other factor.

``scale_channels_layer.c: backward_scale_channels_layer``, ``sam_layer.c: backward_sam_layer``. Some versions of Darknet divide a
gate's gradient by the number of pixels that it serves; here it is the derivative, the sum.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import SamLayer, ScaleChannelsLayer
from yolodsc.training.layers.activation import Activation
from yolodsc.training.layers.context import LayerContext, flat


class ProductTraining:
    """Two maps number by number, or one and a gate for each channel or pixel."""

    def __init__(self, place: LayerContext[ScaleChannelsLayer] | LayerContext[SamLayer]) -> None:
        self._inputs, self._gradient, self._targets = place.inputs, place.gradient, place.targets
        self._activation = Activation(place.layer, place.layer.activation, place.out)
        self._linear = place.layer.activation == "linear"
        self._before = self._activation.before.reshape(place.out.shape)

    def forward(self) -> None:
        """ProductTraining by broadcasting, then the activation."""
        first, second = self._inputs
        np.multiply(first, second, out=self._before)
        if not self._linear:
            self._activation.forward()

    def backward(self) -> None:
        """Summed over what a gate serves."""
        if not self._linear:
            self._activation.backward(flat(self._gradient))
        for target, other in zip(self._targets, reversed(self._inputs), strict=True):
            if target:
                target.put(_folded(self._gradient * other, target.array.shape))


def _folded(gradient: Array, shape: tuple[int, ...]) -> Array:
    """The sum over axes along which a factor of this shape was repeated."""
    repeated = tuple(axis for axis, (long, short) in enumerate(zip(gradient.shape, shape, strict=True)) if long != short)
    return gradient.sum(axis=repeated, keepdims=True) if repeated else gradient
