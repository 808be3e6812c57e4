"""Regular and grouped convolution: im2col of one picture at a time, then matrix products."""

import numpy as np

from yolodsc.layers.convolutional import ConvolutionalLayer
from yolodsc.shape import Array
from yolodsc.training.layers.activation import Activation
from yolodsc.training.layers.place import Place, flat


class Regular:
    """Y = W columns(X) + b; dW = Σ dY columns(X)ᵀ over pictures, dX = columnsᵀ(Wᵀ dY)."""

    def __init__(self, place: Place[ConvolutionalLayer]) -> None:
        layer = place.layer
        self._x, self._out = place.inputs[0], place.out
        self._gradient, self._target = place.gradient, place.targets[0]
        self._scratch, self._groups = place.scratch, layer.groups
        kernel = place.weights["weights"]
        self._taps = kernel[0].size  # C / groups * K * K
        self._matrices = kernel.reshape(layer.groups, -1, self._taps)  # (G, F / G, taps)
        self._matrix_gradients = place.weight_gradients["weights"].reshape(self._matrices.shape)
        self._bias = place.weights.get("biases")
        self._bias_gradient = place.weight_gradients.get("biases")
        self._activation = Activation(layer, layer.activation, place.out)
        self._geometry = (layer.size, (layer.stride_y, layer.stride_x), layer.padding * layer.dilation, layer.dilation)
        self._columns_shape = (len(self._x), layer.size, layer.size, *place.out.shape[2:])
        place.scratch.reserve(int(np.prod(self._columns_shape)) + self._matrices.size)

    def forward(self) -> None:
        """Picture by picture, group by group."""
        from yolodsc.training.layers.columns import gather

        columns = self._scratch.take(*self._columns_shape)
        before = self._activation.before.reshape(self._out.shape)
        for i in range(self._x.shape[1]):
            gather(self._x[:, i], *self._geometry, columns)
            for g, (matrix, part) in enumerate(zip(self._matrices, self._grouped(columns), strict=True)):
                np.matmul(matrix, part, out=self._rows(before[:, i], g))
        self._activation.forward(self._bias)

    def backward(self) -> None:
        """Columns are made anew rather than kept: nine times the input for 3x3."""
        from yolodsc.training.layers.columns import gather

        self._activation.backward(flat(self._gradient), self._bias_gradient)
        memory = self._scratch.take(int(np.prod(self._columns_shape)) + self._matrices.size)
        product = memory[: self._matrices.size].reshape(self._matrices.shape)
        columns = memory[self._matrices.size :].reshape(self._columns_shape)
        self._matrix_gradients[:] = 0
        for i in range(self._x.shape[1]):
            gather(self._x[:, i], *self._geometry, columns)
            for g, part in enumerate(self._grouped(columns)):
                np.matmul(self._rows(self._gradient[:, i], g), part.T, out=product[g])
            self._matrix_gradients += product
            if self._target:
                self._backward_input(i, columns, self._target.array[:, i], add=self._target.add)

    def _backward_input(self, i: int, columns: Array, target: Array, *, add: bool) -> None:
        from yolodsc.training.layers.columns import scatter

        for g, (matrix, part) in enumerate(zip(self._matrices, self._grouped(columns), strict=True)):
            np.matmul(matrix.T, self._rows(self._gradient[:, i], g), out=part)
        if not add:
            target[:] = 0
        scatter(columns, *self._geometry, target)

    def _grouped(self, columns: Array) -> Array:
        return columns.reshape(self._groups, self._taps, -1)

    def _rows(self, plane: Array, group: int) -> Array:
        """Group of filters of one picture's map (F, OH, OW) as (F / G, OH OW), a view."""
        rows = len(plane) // self._groups
        return plane[group * rows : (group + 1) * rows].reshape(rows, -1)
