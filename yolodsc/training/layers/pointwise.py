"""Pointwise convolution: three matrix products on (C, n H W)."""

import numpy as np

from yolodsc.layers.convolutional import ConvolutionalLayer
from yolodsc.training.layers.activation import Activation
from yolodsc.training.layers.place import Place, flat


class Pointwise:
    """Y = W X + b; dW = dY Xᵀ, dX = Wᵀ dY."""

    def __init__(self, place: Place[ConvolutionalLayer]) -> None:
        self._x = flat(place.inputs[0])
        self._gradient = flat(place.gradient)
        self._target = place.targets[0]
        self._scratch = place.scratch
        self._kernel = flat(place.weights["weights"])  # (F, C)
        self._bias = place.weights.get("biases")
        self._kernel_gradient = flat(place.weight_gradients["weights"])
        self._bias_gradient = place.weight_gradients.get("biases")
        self._activation = Activation(place.layer, place.layer.activation, place.out)
        self._flat_target = flat(self._target.array) if self._target else None
        if self._target and self._target.add:
            place.scratch.reserve(self._x.size)

    def forward(self) -> None:
        """Product, then bias and activation."""
        np.matmul(self._kernel, self._x, out=self._activation.before)
        self._activation.forward(self._bias)

    def backward(self) -> None:
        """Through the activation, then both products."""
        self._activation.backward(self._gradient, self._bias_gradient)
        np.matmul(self._gradient, self._x.T, out=self._kernel_gradient)
        if self._target is None or self._flat_target is None:
            return
        if self._target.add:
            part = self._scratch.take(*self._x.shape)
            np.matmul(self._kernel.T, self._gradient, out=part)
            np.add(self._flat_target, part, out=self._flat_target)
        else:
            np.matmul(self._kernel.T, self._gradient, out=self._flat_target)
