"""Bias and activation of a feature map, forward and backward; ``[activation]`` itself."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.errors import YolodscError
from yolodsc.network import PIECEWISE_LINEAR, ActivationLayer, Layer, activate
from yolodsc.training.kernels.arguments import ActivationParams
from yolodsc.training.layers.context import LayerContext, flattened
from yolodsc.training.layers.derivatives import DERIVATIVES


class Activation:
    """A bias and an activation over one output.

    Attributes
    ----------
    before : (C, N)
        The array that the operation fills: the output itself, or an array of its own where the derivative needs its elements.
    """

    def __init__(self, layer: Layer, name: str, out: Array) -> None:
        if name not in PIECEWISE_LINEAR and name not in DERIVATIVES:
            raise YolodscError(f"layer {layer.index} [{layer.type}]: activation={name} cannot be trained")
        self._name = name
        self._params = ActivationParams(*PIECEWISE_LINEAR[name]) if name in PIECEWISE_LINEAR else None
        self._out = flattened(out)
        self.before = self._out if self._params else np.empty_like(self._out)
        self._no_bias = np.zeros(len(out), np.float32)
        self._sums = np.empty(len(out), np.float32)

    def forward(self, bias: Array | None = None) -> None:
        """Fill the output from ``before`` and a bias (C,)."""
        from yolodsc.engine import add_bias_and_activate

        bias = self._no_bias if bias is None else bias
        if self._params:
            add_bias_and_activate(self._out, bias, self._params.slope, self._params.limit)
        else:
            np.add(self.before, bias[:, None], out=self.before)
            self._out[:] = activate(self.before, self._name)

    def backward(self, gradient: Array, bias_gradient: Array | None = None) -> None:
        """Overwrite the gradient (C, N) of the output with that of ``before``; its sums are the gradient (C,) of the bias."""
        from yolodsc.training.kernels.piecewise_linear import bias_backward

        sums = self._sums if bias_gradient is None else bias_gradient
        if self._params:
            bias_backward(gradient, self._out, self._params, sums)
        else:
            gradient *= DERIVATIVES[self._name](self.before, self._out)
            gradient.sum(axis=1, out=sums)


class ActivationTraining:
    """``[activation]``."""

    def __init__(self, context: LayerContext[ActivationLayer]) -> None:
        self._x = flattened(context.inputs[0])
        self._gradient = context.gradient
        self._target = context.targets[0]
        self._activation = Activation(context.layer, context.layer.activation, context.out)

    def forward(self) -> None:
        """Copy the input, then apply the activation in place."""
        self._activation.before[:] = self._x
        self._activation.forward()

    def backward(self) -> None:
        """Multiply the gradient by the derivative."""
        self._activation.backward(flattened(self._gradient))
        if self._target:
            self._target.put(self._gradient)
