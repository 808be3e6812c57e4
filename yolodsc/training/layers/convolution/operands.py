"""A convolution's arrays and activation, bound to its kernels' arguments."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import PIECEWISE_LINEAR, ConvolutionalLayer
from yolodsc.training.kernels.arguments import ActivationParams, ConvolutionGradients, ConvolutionOperands
from yolodsc.training.layers.activation import Activation
from yolodsc.training.layers.context import LayerContext, flattened


class OutputActivation:
    """The activation of a convolution: the kernel applies a piecewise-linear one; any other is a pass of its own.

    Attributes
    ----------
    params
        What the kernel applies; the linear function where the activation is not piecewise linear.
    before : (F, n, OH, OW)
        The array that the kernel fills.
    """

    def __init__(self, layer: ConvolutionalLayer, out: Array) -> None:
        self.params = ActivationParams(*PIECEWISE_LINEAR.get(layer.activation, PIECEWISE_LINEAR["linear"]))
        self._activation = None if layer.activation in PIECEWISE_LINEAR else Activation(layer, layer.activation, out)
        self.before = self._activation.before.reshape(out.shape) if self._activation else out

    def forward(self) -> None:
        """Apply what the kernel has not applied."""
        if self._activation:
            self._activation.forward()

    def backward(self, gradient: Array) -> None:
        """Overwrite the gradient (F, n, OH, OW) of the output with that of what the kernel filled."""
        if self._activation:
            self._activation.backward(flattened(gradient))


def bound_operands(
    context: LayerContext[ConvolutionalLayer], activation: ActivationParams, weights_shape: tuple[int, ...]
) -> tuple[ConvolutionOperands, ConvolutionGradients]:
    """Return the arguments of a convolution's kernels, with weights of the given shape."""
    (x,), (target,), weights, gradients = context.inputs, context.targets, context.weights, context.weight_gradients
    operands = ConvolutionOperands(x, weights["weights"].reshape(weights_shape), weights["biases"], *activation, context.moments)
    input_gradient = np.empty((len(x), 0, 0, 0), np.float32) if target is None else target.array
    accumulate = target is not None and target.accumulate
    weights_gradient = gradients["weights"].reshape(weights_shape)
    bound = ConvolutionGradients(
        context.gradient, input_gradient, accumulate, weights_gradient, gradients["biases"], context.normalization
    )
    return operands, bound
