"""Depthwise convolution of any geometry, with any number of filters a channel."""

from yolodsc.network import ConvolutionalLayer
from yolodsc.training.layers.context import LayerContext
from yolodsc.training.layers.convolution.operands import OutputActivation, bound_operands
from yolodsc.training.layers.convolution.phases import PhaseMemory, phase_layout


class DepthwiseTraining:
    """Images divided into phases; piecewise-linear activations are part of the same passes."""

    def __init__(self, context: LayerContext[ConvolutionalLayer]) -> None:
        from yolodsc.training.kernels import depthwise

        layer = context.layer
        self._kernels, self._out = depthwise, context.out
        self._activation = OutputActivation(layer, context.out)
        self._operands, self._gradients = bound_operands(context, self._activation.params, (layer.filters, layer.size**2))
        self._layout = phase_layout(layer, 1, context.out)
        self._memory = PhaseMemory(self._layout, 1, 1, context.scratch)

    def forward(self) -> None:
        """Compute convolution, bias and activation in one pass."""
        self._kernels.forward(self._operands, self._layout, self._memory.buffers(), self._activation.before)
        self._activation.forward()

    def backward(self) -> None:
        """Compute the gradients of activation, bias, weights and input in one pass."""
        self._activation.backward(self._gradients.out)
        self._kernels.backward(self._operands, self._gradients, self._layout, self._memory.buffers(), self._out)
