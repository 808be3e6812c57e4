"""Bias and activation of a map, forward and backward; ``[activation]`` itself."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.errors import YolodscError
from yolodsc.network import PIECEWISE_LINEAR, ActivationLayer, ConvolutionalLayer, Layer, activate
from yolodsc.training.kernels.derivatives import SLOPES
from yolodsc.training.layers.context import LayerContext, flat


class Activation:
    """A bias and an activation over one output.

    Attributes
    ----------
    before : (C, N)
        Where the operation puts its numbers: the output itself, or memory of its own where the derivative needs them.
    """

    def __init__(self, layer: Layer, name: str, out: Array) -> None:
        if name not in PIECEWISE_LINEAR and name not in SLOPES:
            raise YolodscError(f"layer {layer.index} [{layer.type}]: activation={name} cannot be trained")
        self._name = name
        self._out = flat(out)
        self.before = self._out if name in PIECEWISE_LINEAR else np.empty_like(self._out)
        self._none = np.zeros(len(out), np.float32)
        self._sums = np.empty(len(out), np.float32)

    def forward(self, bias: Array | None = None) -> None:
        """Output from ``before`` and a bias (C,)."""
        from yolodsc.engine import add_bias_and_activate

        bias = self._none if bias is None else bias
        if self._name in PIECEWISE_LINEAR:
            add_bias_and_activate(self._out, bias, *PIECEWISE_LINEAR[self._name])
        else:
            np.add(self.before, bias[:, None], out=self.before)
            self._out[:] = activate(self.before, self._name)

    def backward(self, gradient: Array, bias_gradient: Array | None = None) -> None:
        """Overwrite the gradient (C, N) of the output with that of ``before``; its sums go to the bias's."""
        from yolodsc.training.kernels.piecewise_linear import unbend

        sums = self._sums if bias_gradient is None else bias_gradient
        if self._name in PIECEWISE_LINEAR:
            unbend(gradient, self._out, *PIECEWISE_LINEAR[self._name], sums)
        else:
            gradient *= SLOPES[self._name](self.before, self._out)
            gradient.sum(axis=1, out=sums)


class Finish:
    """How a convolution ends: a bend is the kernel's own last step, any other activation comes after it.

    Attributes
    ----------
    bending
        Slope below 0 and greatest value that the kernel applies, of the linear function where the activation is no bend.
    before : (F, n, OH, OW)
        What the kernel fills.
    """

    def __init__(self, layer: ConvolutionalLayer, out: Array) -> None:
        self.bending = PIECEWISE_LINEAR.get(layer.activation, PIECEWISE_LINEAR["linear"])
        self._activation = None if layer.activation in PIECEWISE_LINEAR else Activation(layer, layer.activation, out)
        self.before = self._activation.before.reshape(out.shape) if self._activation else out

    def forward(self) -> None:
        """What the kernel has left to do."""
        if self._activation:
            self._activation.forward()

    def backward(self, gradient: Array) -> None:
        """Overwrite the gradient (F, N) with that of what the kernel made."""
        if self._activation:
            self._activation.backward(gradient)


class ActivationOperation:
    """``[activation]``."""

    def __init__(self, place: LayerContext[ActivationLayer]) -> None:
        self._x = flat(place.inputs[0])
        self._gradient = place.gradient
        self._target = place.targets[0]
        self._activation = Activation(place.layer, place.layer.activation, place.out)

    def forward(self) -> None:
        """Copy, then in place."""
        self._activation.before[:] = self._x
        self._activation.forward()

    def backward(self) -> None:
        """Through the derivative."""
        self._activation.backward(flat(self._gradient))
        if self._target:
            self._target.put(self._gradient)
