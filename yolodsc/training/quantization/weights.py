"""Arrays of layers in reduced precision: rounded for the forward pass, in float32 for the optimizer."""

from collections.abc import Mapping

import numpy as np

from yolodsc.arrays import Array, Floats
from yolodsc.precision import MAX_WEIGHT, Int8Weights, round_bf16, weight_scales
from yolodsc.training.model.arrays import LayerArrays
from yolodsc.training.model.parameter import Parameter
from yolodsc.training.quantization.tensors import TensorGroup

WEIGHT_SCALE = "log_weight_scale"
"""Name of the parameter."""


class RoundedArrays(LayerArrays):
    """The kernel and bias of other arrays, rounded; gradients pass through the rounding unchanged.

    Parameters
    ----------
    exact
        The arrays in float32, batch norm folded.
    """

    def __init__(self, exact: LayerArrays) -> None:
        self._exact = exact
        self.raw, self.parameters = exact.raw, list(exact.parameters)
        self.used = {name: np.empty_like(array) for name, array in exact.used.items()}
        self._slots = []
        self._passed: Mapping[str, Array] = exact.slot()

    def update(self) -> None:
        """Fold batch norm, then round."""
        self._exact.update()
        self.round()

    def round(self) -> None:
        """Fill ``used`` from the exact arrays."""
        raise NotImplementedError

    def collect(self) -> None:
        """Sum the gradients of the rounded arrays and pass them on."""
        for name, array in self._passed.items():
            self._sum(name, array)
        self.straight_through(self._passed["weights"])
        self._exact.collect()

    def straight_through(self, gradient: Array) -> None:
        """Change the gradient of the rounded kernel, in place, to that of the exact one."""


class Bf16Arrays(RoundedArrays):
    """A kernel that is rounded to bf16. The layer's input is not rounded in training."""

    def round(self) -> None:
        """Round the kernel; the bias stays in float32."""
        self.used["weights"][...] = round_bf16(self._exact.used["weights"])
        self.used["biases"][...] = self._exact.used["biases"]


class Int8Arrays(RoundedArrays):
    """A kernel of 8 bits with a learned scale for each filter, and a bias in units of the products (Esser et al. 2020, LSQ)."""

    def __init__(self, layer: int, exact: LayerArrays, start: Int8Weights, source: TensorGroup) -> None:
        super().__init__(exact)
        self._source = source
        logarithms = log_scales(start.scale)
        self._log_scale = Parameter(layer, WEIGHT_SCALE, logarithms, np.zeros_like(logarithms))
        self.parameters.append(self._log_scale)
        self._error: Floats = np.zeros(0)
        self._inside: Array = np.zeros(0, np.float32)

    def round(self) -> None:
        """Fill ``used`` with the real values of the integers."""
        kernel, bias = self._exact.used["weights"], self._exact.used["biases"]
        rounded = rounded_weights(kernel, bias, self._log_scale.value, input_scale=self._source.scale.scale)
        scale = rounded.scale.astype(np.float64)[:, None, None, None]
        exact, levels = kernel / scale, rounded.weights.astype(np.float64)
        inside = np.abs(exact) <= MAX_WEIGHT + 0.5
        self._inside, self._error = inside.astype(np.float32), levels - np.where(inside, exact, 0)
        self.used["weights"][...] = levels * scale
        unit = self._source.scale.scale * rounded.scale.astype(np.float64)
        self.used["biases"][...] = np.rint(bias / unit) * unit

    def straight_through(self, gradient: Array) -> None:
        """Stop the gradients of clipped weights; compute those of the scales."""
        count = gradient[0].size
        by_scale = (gradient * self._error).reshape(len(gradient), -1).sum(axis=1)  # (F,)
        self._log_scale.gradient[:] = by_scale * np.exp(self._log_scale.value) / np.sqrt(count * MAX_WEIGHT)
        gradient *= self._inside


def log_scales(scale: Array) -> Array:
    """Values of the parameter for scales (F,)."""
    return np.log(scale.astype(np.float64)).astype(np.float32)


def rounded_weights(kernel: Array, bias: Array, log_scale: Array, *, input_scale: float) -> Int8Weights:
    """8-bit weights nearest to a kernel (F, C / groups, K, K), with the scales that the logarithms (F,) give."""
    scale = weight_scales(np.exp(log_scale.astype(np.float64)), bias, input_scale=input_scale)
    levels = np.rint(kernel / scale.astype(np.float64)[:, None, None, None])
    return Int8Weights(np.clip(levels, -MAX_WEIGHT, MAX_WEIGHT).astype(np.int8), scale, bias.astype(np.float32))
