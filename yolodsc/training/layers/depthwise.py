"""DepthwiseTraining convolution, with any number of filters a channel."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import ConvolutionalLayer
from yolodsc.training.layers.activation import Finish
from yolodsc.training.layers.context import LayerContext, flat


class DepthwiseTraining:
    """Planes through `planes.forward` and `planes.backward`; activations that are bends are part of those passes."""

    def __init__(self, place: LayerContext[ConvolutionalLayer]) -> None:
        from yolodsc.training.kernels.depthwise import CACHED

        layer = place.layer
        self._x, self._out, self._gradient = place.inputs[0], place.out, place.gradient
        target = place.targets[0]
        self._target = target.array if target else np.empty((0, 0, 0, 0), np.float32)
        self._add = bool(target and target.add)
        self._kernel = flat(place.weights["weights"])  # (F, K K)
        self._kernel_gradient = flat(place.weight_gradients["weights"])
        self._bias, self._bias_gradient = place.weights["biases"], place.weight_gradients["biases"]
        self._finish = Finish(layer, place.out)
        self._margin, self._strides = layer.padding * layer.dilation, (layer.stride_y, layer.stride_x)
        self._plan(layer, CACHED)
        place.scratch.reserve(sum(self._sizes))
        self._scratch = place.scratch

    def _plan(self, layer: ConvolutionalLayer, cached: int) -> None:
        """Sizes of the buffer, and where in it each tap begins."""
        sy, sx = self._strides
        reach = (layer.size - 1) * layer.dilation
        rows, pitch = self._out.shape[2] + reach // sy, self._out.shape[3] + reach // sx
        images = min(self._x.shape[1], max(1, cached // (sy * sx * rows * pitch)))
        self._shape = (images, sy, sx, rows, pitch)
        starts, phases = [], []
        for ky in range(layer.size):
            for kx in range(layer.size):
                y, x = ky * layer.dilation, kx * layer.dilation
                phases.append((y % sy) * sx + x % sx)
                starts.append((phases[-1] * rows + y // sy) * pitch + x // sx)
        self._starts = np.array(starts)
        self._order = np.argsort(phases, kind="stable")
        self._parts = np.searchsorted(np.sort(phases), np.arange(sy * sx + 1))
        head = (reach // sy) * pitch + reach // sx
        size = int(np.prod(self._shape))
        self._sizes = (size, head + size, size)

    def forward(self) -> None:
        """Convolution, bias and bend in one pass."""
        from yolodsc.training.kernels.depthwise import forward

        phases, line, _ = self._memory()
        geometry = (self._margin, self._strides, self._starts)
        forward(
            self._x, self._kernel, self._bias, self._finish.bending, *geometry, phases, line[-phases.size :], self._finish.before
        )
        self._finish.forward()

    def backward(self) -> None:
        """Activation, bias, kernel and input in one pass."""
        from yolodsc.training.kernels.depthwise import backward

        self._finish.backward(flat(self._gradient))
        backward(
            self._x,
            self._out,
            self._gradient,
            self._kernel,
            self._finish.bending,
            self._margin,
            self._strides,
            self._starts,
            self._order,
            self._parts,
            *self._memory(),
            self._target,
            self._add,
            self._kernel_gradient,
            self._bias_gradient,
        )

    def _memory(self) -> tuple[Array, Array, Array]:
        """Phases and line, zeroed for their margins, and the sums."""
        memory = self._scratch.take(sum(self._sizes))
        first, second, _ = self._sizes
        memory[: first + second] = 0
        phases, line, sums = np.split(memory, [first, first + second])
        return phases.reshape(self._shape), line, sums.reshape(self._shape)
