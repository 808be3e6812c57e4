"""Regular and grouped convolution: columns of a few rows at a time, then matrix products."""

import numpy as np

from yolodsc.network import ConvolutionalLayer
from yolodsc.training.layers.activation import Finish
from yolodsc.training.layers.context import LayerContext, flat

COLUMNS = 512
"""So many, or a row more, are worked on together: fewer make poor products, more don't stay in the cache."""
CACHED = 500_000
"""Where that would be more numbers than this, columns are fewer."""


class Regular:
    """Y = W columns(X) + b; dW = Σ dY columns(X)ᵀ over rows, dX = columnsᵀ(Wᵀ dY)."""

    def __init__(self, place: LayerContext[ConvolutionalLayer]) -> None:
        layer = place.layer
        self._x, self._out, self._gradient = place.inputs[0], place.out, place.gradient
        target = place.targets[0]
        self._target = np.empty((0, 0, 0, 0), np.float32) if target is None else target.array
        self._add = bool(target and target.add)
        kernel = place.weights["weights"]
        self._matrices = kernel.reshape(layer.groups, layer.filters // layer.groups, -1)  # (G, F / G, taps)
        self._matrix_gradients = place.weight_gradients["weights"].reshape(self._matrices.shape)
        self._bias, self._bias_gradient = place.weights["biases"], place.weight_gradients["biases"]
        self._finish = Finish(layer, place.out)
        self._geometry = (layer.size, layer.stride_y, layer.stride_x, layer.padding * layer.dilation, layer.dilation)
        height, width = place.out.shape[2:]
        numbers = len(self._x) * layer.size**2 + layer.filters
        self._rows = min(min(CACHED // numbers, COLUMNS) // width + 1, self._x.shape[1] * height)
        self._size = numbers * self._rows * width
        self._scratch = place.scratch
        place.scratch.reserve(self._size)

    def forward(self) -> None:
        """Convolution, bias and activation."""
        from yolodsc.training.kernels.im2col import forward

        memory = self._scratch.take(self._size)
        bending = self._finish.bending
        forward(self._x, self._matrices, self._bias, bending, self._geometry, self._rows, memory, self._finish.before)
        self._finish.forward()

    def backward(self) -> None:
        """Columns are made anew rather than kept: nine times the input for 3x3."""
        from yolodsc.training.kernels.im2col import backward

        self._finish.backward(flat(self._gradient))
        backward(
            self._x,
            self._out,
            self._gradient,
            self._matrices,
            self._finish.bending,
            self._geometry,
            self._rows,
            self._scratch.take(self._size),
            self._target,
            self._add,
            self._matrix_gradients,
            self._bias_gradient,
        )
