"""Regular convolution of few channels whose input needs no gradient: the first layer."""

from yolodsc.network import ConvolutionalLayer
from yolodsc.training.layers.context import LayerContext
from yolodsc.training.layers.convolution.operands import OutputActivation, bound_operands
from yolodsc.training.layers.convolution.phases import PhaseMemory, phase_layout

TAPS = 75
"""Largest number of weights of a filter; with more of them, matrix products are faster."""


def supports(context: LayerContext[ConvolutionalLayer]) -> bool:
    """Whether `FewChannelsTraining` can compute the layer, and faster than matrix products."""
    layer = context.layer
    return layer.groups == 1 and context.targets[0] is None and len(context.inputs[0]) * layer.size**2 <= TAPS


class FewChannelsTraining:
    """Images divided into phases, from which all filters read."""

    def __init__(self, context: LayerContext[ConvolutionalLayer]) -> None:
        from yolodsc.training.kernels import few_channels

        layer, channels = context.layer, len(context.inputs[0])
        self._kernels, self._out = few_channels, context.out
        self._activation = OutputActivation(layer, context.out)
        shape = layer.filters, channels * layer.size**2
        self._operands, self._gradients = bound_operands(context, self._activation.params, shape)
        self._layout = phase_layout(layer, channels, context.out)
        self._memory = PhaseMemory(self._layout, channels, 2, context.scratch)

    def forward(self) -> None:
        """Compute convolution, bias and activation in one pass."""
        self._kernels.forward(self._operands, self._layout, self._memory.buffers(), self._activation.before)
        self._activation.forward()

    def backward(self) -> None:
        """Compute the gradients of activation, bias and weights in one pass."""
        self._activation.backward(self._gradients.out)
        self._kernels.backward(self._operands, self._gradients, self._layout, self._memory.buffers(), self._out)
