"""Depthwise 3x3 with a padding of 1, at stride 1 or 2: the depthwise convolution of nearly every separable network."""

from yolodsc.network import ConvolutionalLayer
from yolodsc.training.kernels.arguments import Tiling
from yolodsc.training.layers.context import LayerContext
from yolodsc.training.layers.convolution.operands import OutputActivation, bound_operands

CACHED = 2048
"""Elements of the output at a time; eight times as many fill a core's first cache."""


def supports(layer: ConvolutionalLayer) -> bool:
    """Whether `Depthwise3x3Training` can compute the layer."""
    return (layer.size, layer.dilation, layer.padding) == (3, 1, 1) and layer.stride_y == layer.stride_x <= 2


class Depthwise3x3Training:
    """Tiles through `depthwise3x3_s1` or `depthwise3x3_s2`; piecewise-linear activations are part of those passes."""

    def __init__(self, context: LayerContext[ConvolutionalLayer]) -> None:
        from yolodsc.training.kernels import depthwise3x3_s1, depthwise3x3_s2

        layer = context.layer
        self._out, self._scratch = context.out, context.scratch
        self._activation = OutputActivation(layer, context.out)
        self._operands, self._gradients = bound_operands(context, self._activation.params, (layer.filters, 9))
        self._kernels = depthwise3x3_s1 if layer.stride_x == 1 else depthwise3x3_s2
        images, height, width = context.out.shape[1:]
        parts = -(-height * width // CACHED)
        together = min(images, max(1, CACHED // ((height + 1) * width))) if parts == 1 else 1
        self._tiling = Tiling(together, -(-height // parts))
        self._shape = (self._kernels.BUFFERS, (together * (self._tiling.rows + 1) + 1) * width)
        context.scratch.reserve(self._shape[0] * self._shape[1])

    def forward(self) -> None:
        """Compute convolution, bias and activation."""
        self._kernels.forward(self._operands, self._tiling, self._scratch.take(*self._shape), self._activation.before)
        self._activation.forward()

    def backward(self) -> None:
        """Compute the gradients of activation, bias, weights and input."""
        self._activation.backward(self._gradients.out)
        self._kernels.backward(self._operands, self._gradients, self._tiling, self._scratch.take(*self._shape), self._out)
