"""Depthwise convolution of any geometry, with any number of filters a channel."""

import numpy as np

from yolodsc.network import ConvolutionalLayer
from yolodsc.training.kernels.arguments import PhaseBuffers, PhaseLayout
from yolodsc.training.layers.context import LayerContext
from yolodsc.training.layers.convolution.operands import OutputActivation, bound_operands


class DepthwiseTraining:
    """Images divided into phases; piecewise-linear activations are part of the same passes."""

    def __init__(self, context: LayerContext[ConvolutionalLayer]) -> None:
        from yolodsc.training.kernels import depthwise

        layer = context.layer
        self._kernels, self._out, self._scratch = depthwise, context.out, context.scratch
        self._activation = OutputActivation(layer, context.out)
        self._operands, self._gradients = bound_operands(context, self._activation.params, (layer.filters, layer.size**2))
        sy, sx = layer.stride_y, layer.stride_x
        extent = (layer.size - 1) * layer.dilation
        rows, pitch = context.out.shape[2] + extent // sy, context.out.shape[3] + extent // sx
        images = min(context.inputs[0].shape[1], max(1, depthwise.CACHED // (sy * sx * rows * pitch)))
        self._shape = (images, sy, sx, rows, pitch)
        self._layout = _layout(layer, rows, pitch)
        size = int(np.prod(self._shape))
        self._sizes = (size, (extent // sy) * pitch + extent // sx + size, size)
        context.scratch.reserve(sum(self._sizes))

    def forward(self) -> None:
        """Compute convolution, bias and activation in one pass."""
        phases, line, sums = self._buffers()
        buffers = PhaseBuffers(phases, line[-phases.size :], sums)
        self._kernels.forward(self._operands, self._layout, buffers, self._activation.before)
        self._activation.forward()

    def backward(self) -> None:
        """Compute the gradients of activation, bias, weights and input in one pass."""
        self._activation.backward(self._gradients.out)
        self._kernels.backward(self._operands, self._gradients, self._layout, self._buffers(), self._out)

    def _buffers(self) -> PhaseBuffers:
        """Return memory with zeros in phases and line, for the padding."""
        memory = self._scratch.take(sum(self._sizes))
        first, second, _ = self._sizes
        memory[: first + second] = 0
        phases, line, sums = np.split(memory, [first, first + second])
        return PhaseBuffers(phases.reshape(self._shape), line, sums.reshape(self._shape))


def _layout(layer: ConvolutionalLayer, rows: int, pitch: int) -> PhaseLayout:
    """Return the offset of each tap in phases (s, s, rows, pitch), and the taps of each phase."""
    sy, sx = layer.stride_y, layer.stride_x
    starts, phases = [], []
    for ky in range(layer.size):
        for kx in range(layer.size):
            y, x = ky * layer.dilation, kx * layer.dilation
            phases.append((y % sy) * sx + x % sx)
            starts.append((phases[-1] * rows + y // sy) * pitch + x // sx)
    order = np.argsort(phases, kind="stable")
    parts = np.searchsorted(np.sort(phases), np.arange(sy * sx + 1))
    return PhaseLayout(layer.padding * layer.dilation, np.array(starts), order, parts)
