"""``[maxpool]``: the gradient goes to the first of the largest cells of each window (``maxpool_layer.c``)."""

import numpy as np

from yolodsc.network import MaxpoolLayer
from yolodsc.training.layers.context import LayerContext


class MaxpoolTraining:
    """Windows over space, of any size and stride."""

    def __init__(self, place: LayerContext[MaxpoolLayer]) -> None:
        layer = place.layer
        if layer.maxpool_depth or layer.antialiasing:
            raise layer.section.error("with maxpool_depth or antialiasing cannot be trained")
        self._x, self._out, self._gradient = place.inputs[0], place.out, place.gradient
        self._target = place.targets[0]
        self._geometry = (layer.size, (layer.stride_y, layer.stride_x), layer.padding // 2)
        quarter = (2 * layer.shape.height, 2 * layer.shape.width) == self._x.shape[2:]
        self._of_four = self._geometry == (2, (2, 2), 0) and quarter

    def forward(self) -> None:
        """Largest of each window."""
        from yolodsc.training.kernels.maxpool import largest, largest_of_four

        if self._of_four:
            largest_of_four(self._x, self._out)
        else:
            largest(self._x, *self._geometry, self._out)

    def backward(self) -> None:
        """Gradients to where the values came from."""
        from yolodsc.training.kernels.maxpool import give_back, give_back_to_four

        if self._target is None:
            return
        if self._of_four:
            give_back_to_four(self._gradient, self._x, self._out, self._target.array, self._target.add)
            return
        if not self._target.add:
            self._target.array[:] = np.float32(0)
        give_back(self._gradient, self._x, self._out, *self._geometry, self._target.array)
