"""Pointwise convolution: three matrix products on (C, n H W)."""

import numpy as np

from yolodsc.network import ConvolutionalLayer
from yolodsc.training.layers.activation import Finish
from yolodsc.training.layers.context import LayerContext, flat

CACHED = 24_000
"""Numbers of input and output that are worked on together, where maps are wide."""
NARROW = 192
"""Fewest columns that are worth a block."""


class PointwiseTraining:
    """Y = W X + b; dW = dY Xᵀ, dX = Wᵀ dY."""

    def __init__(self, place: LayerContext[ConvolutionalLayer]) -> None:
        layer = place.layer
        self._x, self._out, self._gradient = flat(place.inputs[0]), flat(place.out), flat(place.gradient)
        target = place.targets[0]
        self._target = np.empty((0, 0), np.float32) if target is None else flat(target.array)
        self._add = bool(target and target.add)
        self._kernel = flat(place.weights["weights"])  # (F, C)
        self._kernel_gradient = flat(place.weight_gradients["weights"])
        self._bias, self._bias_gradient = place.weights["biases"], place.weight_gradients["biases"]
        self._finish = Finish(layer, place.out)
        channels, width = self._x.shape
        self._block = CACHED // (channels + layer.filters) // 16 * 16
        if self._block < NARROW or width < 2 * self._block:
            self._block = width
        self._size = (2 * channels + layer.filters) * self._block
        self._scratch = place.scratch
        place.scratch.reserve(self._size)

    def forward(self) -> None:
        """Product, bias and activation."""
        from yolodsc.training.kernels.pointwise import forward

        before = flat(self._finish.before)
        forward(self._x, self._kernel, self._bias, self._finish.bending, self._block, self._scratch.take(self._size), before)
        self._finish.forward()

    def backward(self) -> None:
        """Through the activation, then both products."""
        from yolodsc.training.kernels.pointwise import backward

        self._finish.backward(self._gradient)
        backward(
            self._x,
            self._out,
            self._gradient,
            self._kernel,
            self._finish.bending,
            self._block,
            self._scratch.take(self._size),
            self._target,
            self._add,
            self._kernel_gradient,
            self._bias_gradient,
        )
