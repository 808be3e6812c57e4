"""Depthwise 3x3 with a margin of 1, at stride 1 or 2: what nearly every separable network has."""

from types import ModuleType

import numpy as np

from yolodsc.network import ConvolutionalLayer
from yolodsc.training.layers.activation import Finish
from yolodsc.training.layers.context import LayerContext, flat

CACHED = 2048
"""Numbers of the output that are worked on together; eight times as many fill a core's first cache."""


def is_three(layer: ConvolutionalLayer) -> bool:
    """Can `Depthwise3x3Training` do it."""
    return (layer.size, layer.dilation, layer.padding) == (3, 1, 1) and layer.stride_y == layer.stride_x <= 2


class Depthwise3x3Training:
    """Stacks of rows through `three` or `halving`; activations that are bends are part of those passes."""

    def __init__(self, place: LayerContext[ConvolutionalLayer]) -> None:
        layer = place.layer
        self._x, self._out, self._gradient = place.inputs[0], place.out, place.gradient
        target = place.targets[0]
        self._target = target.array if target else np.empty((0, 0, 0, 0), np.float32)
        self._add = bool(target and target.add)
        self._kernel = flat(place.weights["weights"])  # (F, 9)
        self._kernel_gradient = flat(place.weight_gradients["weights"])
        self._bias, self._bias_gradient = place.weights["biases"], place.weight_gradients["biases"]
        self._finish = Finish(layer, place.out)
        self._kernels = _kernels(layer.stride_x)
        images, height, width = place.out.shape[1:]
        parts = -(-height * width // CACHED)
        self._rows = -(-height // parts)
        self._images = min(images, max(1, CACHED // ((height + 1) * width))) if parts == 1 else 1
        self._shape = (self._kernels.BUFFERS, (self._images * (self._rows + 1) + 1) * width)
        self._scratch = place.scratch
        place.scratch.reserve(self._shape[0] * self._shape[1])

    def forward(self) -> None:
        """Convolution, bias and activation."""
        work = self._images, self._rows, self._scratch.take(*self._shape)
        self._kernels.forward(self._x, self._kernel, self._bias, self._finish.bending, *work, self._finish.before)
        self._finish.forward()

    def backward(self) -> None:
        """Activation, bias, kernel and input."""
        self._finish.backward(flat(self._gradient))
        self._kernels.backward(
            self._x,
            self._out,
            self._gradient,
            self._kernel,
            self._finish.bending,
            self._images,
            self._rows,
            self._scratch.take(*self._shape),
            self._target,
            self._add,
            self._kernel_gradient,
            self._bias_gradient,
        )


def _kernels(stride: int) -> ModuleType:
    from yolodsc.training.kernels import depthwise3x3_s1 as three
    from yolodsc.training.kernels import depthwise3x3_s2 as halving

    return three if stride == 1 else halving
