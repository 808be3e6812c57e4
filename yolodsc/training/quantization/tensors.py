"""A group of tensors of bytes that share one scale, which is learned."""

from collections.abc import Collection

import numpy as np

from yolodsc.arrays import Array, Floats
from yolodsc.network import INPUT_INDEX
from yolodsc.precision import MAX_LEVEL, TensorScale
from yolodsc.training.model.parameter import Parameter

TENSOR_SCALE = "log_tensor_scale"
"""Name of the parameter."""


class TensorGroup:
    """Tensors with one scale and one zero point, which stays as it was calibrated.

    Attributes
    ----------
    scale
        The present scale; it follows the parameter with `refresh`.
    parameters
        The logarithm of the scale, so that steps are relative to it; none for the image, whose scale is fixed.
    """

    def __init__(self, tensors: Collection[int], start: TensorScale, *, elements: int) -> None:
        self.tensors = frozenset(tensors)
        self.scale = start
        logarithm = np.log(np.array([start.scale])).astype(np.float32)
        parameter = Parameter(min(tensors), TENSOR_SCALE, logarithm, np.zeros_like(logarithm))
        self.parameters = [] if self.tensors == {INPUT_INDEX} else [parameter]
        self._weight = 1 / np.sqrt(max(elements, 1) * MAX_LEVEL)
        self._slots: list[Floats] = []

    def slot(self) -> Floats:
        """Return a number (1,) for the derivative by the parameter over one micro-batch and tensor; slots are summed."""
        self._slots.append(np.zeros(1))
        return self._slots[-1]

    def clear(self) -> None:
        """Drop all slots, before images of another shape are planned."""
        self._slots.clear()

    def refresh(self) -> None:
        """Bring the scale up to date."""
        for parameter in self.parameters:
            self.scale = self.of(parameter.value)

    def of(self, value: Array) -> TensorScale:
        """The scale for a value of the parameter."""
        return TensorScale(float(np.exp(value[0])), self.scale.zero_point)

    def collect(self) -> None:
        """Sum the derivative over the slots, weighted as in Esser et al. 2020, section 2.2, so that it is like that of a weight."""
        for parameter in self.parameters:
            parameter.gradient[:] = self._weight * np.sum(self._slots)
