"""Regular and grouped convolution: columns of a few rows at a time, then matrix products."""

from yolodsc.network import ConvolutionalLayer
from yolodsc.training.kernels.arguments import ConvolutionGeometry
from yolodsc.training.layers.context import LayerContext
from yolodsc.training.layers.convolution.operands import OutputActivation, bound_operands

COLUMNS = 512
"""Columns at a time, up to a row more: fewer make slow products, more leave the cache."""
CACHED = 500_000
"""Largest number of elements of these columns; otherwise there are fewer columns."""


class RegularTraining:
    """Y = W columns(X) + b; dW = Σ dY columns(X)ᵀ over rows, dX = columnsᵀ(Wᵀ dY)."""

    def __init__(self, context: LayerContext[ConvolutionalLayer]) -> None:
        from yolodsc.training.kernels import im2col

        layer, x = context.layer, context.inputs[0]
        self._kernels, self._out, self._scratch = im2col, context.out, context.scratch
        self._activation = OutputActivation(layer, context.out)
        shape = (layer.groups, layer.filters // layer.groups, len(x) // layer.groups * layer.size**2)
        self._operands, self._gradients = bound_operands(context, self._activation.params, shape)
        strides = layer.stride_y, layer.stride_x
        self._geometry = ConvolutionGeometry(layer.size, *strides, layer.padding * layer.dilation, layer.dilation)
        height, width = context.out.shape[2:]
        elements = len(x) * layer.size**2 + layer.filters
        self._rows = min(min(CACHED // elements, COLUMNS) // width + 1, x.shape[1] * height)
        self._size = elements * self._rows * width
        context.scratch.reserve(self._size)

    def forward(self) -> None:
        """Compute convolution, bias and activation."""
        memory = self._scratch.take(self._size)
        self._kernels.forward(self._operands, self._geometry, self._rows, memory, self._activation.before)
        self._activation.forward()

    def backward(self) -> None:
        """Compute all gradients; columns are computed again, since they would take nine times the memory of the input for 3x3."""
        self._activation.backward(self._gradients.out)
        memory = self._scratch.take(self._size)
        self._kernels.backward(self._operands, self._gradients, self._geometry, self._rows, memory, self._out)
