"""``[shortcut]``: every summand gets the gradient of the sum (``shortcut_layer.c: backward_shortcut_layer``)."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import ShortcutLayer
from yolodsc.training.layers.activation import Activation
from yolodsc.training.layers.context import LayerContext, flattened


class ShortcutTraining:
    """Sum of feature maps of one size; where channel counts differ, of the channels in common."""

    def __init__(self, context: LayerContext[ShortcutLayer]) -> None:
        layer = context.layer
        if layer.weights_type != "none":
            raise layer.section.error("with weights_type cannot be trained")
        if any(x.shape[2:] != context.out.shape[2:] for x in context.inputs):
            raise layer.section.error("of maps of different sizes cannot be trained")
        self._inputs, self._out, self._gradient, self._targets = context.inputs, context.out, context.gradient, context.targets
        self._factors = [np.float32(layer.alpha)] + [np.float32(layer.beta)] * (len(context.inputs) - 1)
        self._activation = Activation(layer, layer.activation, context.out)
        self._linear = layer.activation == "linear"
        self._before = self._activation.before.reshape(context.out.shape)

    def forward(self) -> None:
        """Add the inputs, then apply the activation."""
        first, *others = self._inputs
        np.multiply(first, self._factors[0], out=self._before)
        for x, factor in zip(others, self._factors[1:], strict=True):
            common = min(len(x), len(self._before))
            part = self._before[:common]
            np.add(part, x[:common] if factor == 1 else factor * x[:common], out=part)
        if not self._linear:
            self._activation.forward()

    def backward(self) -> None:
        """Multiply the gradient by the factor of each input."""
        if not self._linear:
            self._activation.backward(flattened(self._gradient))
        for target, factor in zip(self._targets, self._factors, strict=True):
            if target is not None:
                common = min(len(target.array), len(self._gradient))
                _put(target.array, self._gradient[:common], factor, accumulate=target.accumulate)


def _put(target: Array, gradient: Array, factor: np.float32, *, accumulate: bool) -> None:
    """Store or add in the first channels; the other channels are not part of the sum."""
    if not accumulate:
        target[len(gradient) :] = 0
        np.multiply(gradient, factor, out=target[: len(gradient)])
    else:
        target[: len(gradient)] += gradient if factor == 1 else factor * gradient
