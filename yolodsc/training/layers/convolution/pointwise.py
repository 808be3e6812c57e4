"""Pointwise convolution: three matrix products on (C, n H W)."""

from yolodsc.network import ConvolutionalLayer
from yolodsc.training.layers.context import LayerContext
from yolodsc.training.layers.convolution.operands import OutputActivation, bound_operands

CACHED = 24_000
"""Elements of input and output at a time, where feature maps are wide."""
NARROW = 192
"""Smallest useful number of columns of a block."""


class PointwiseTraining:
    """Y = W X + b; dW = dY Xᵀ, dX = Wᵀ dY."""

    def __init__(self, context: LayerContext[ConvolutionalLayer]) -> None:
        from yolodsc.training.kernels import pointwise

        layer, x = context.layer, context.inputs[0]
        self._kernels, self._out, self._scratch = pointwise, context.out, context.scratch
        self._activation = OutputActivation(layer, context.out)
        channels, width = len(x), x[0].size
        self._operands, self._gradients = bound_operands(context, self._activation.params, (layer.filters, channels))
        self._block = CACHED // (channels + layer.filters) // 16 * 16
        if self._block < NARROW or width < 2 * self._block:
            self._block = width
        self._size = (2 * channels + layer.filters) * self._block
        context.scratch.reserve(self._size)

    def forward(self) -> None:
        """Compute product, bias and activation."""
        self._kernels.forward(self._operands, self._block, self._scratch.take(self._size), self._activation.before)
        self._activation.forward()

    def backward(self) -> None:
        """Compute the gradients through the activation, then both products."""
        self._activation.backward(self._gradients.out)
        self._kernels.backward(self._operands, self._gradients, self._block, self._scratch.take(self._size), self._out)
