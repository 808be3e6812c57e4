"""Runs of a quantized network in float32: weights and tensors are rounded to their levels, sums are those of BLAS.

The results differ from the exact integers of `yolodsc.precision` by single steps, where a sum lies between two levels. A run
takes a fraction of the time of the exact reference, and no machine instructions for int8 are needed.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from yolodsc.arrays import Array
from yolodsc.convert import fold_batch_norm
from yolodsc.engine import FastDscRunner
from yolodsc.jit import njit
from yolodsc.network import INPUT_INDEX, Network
from yolodsc.precision import Quantization, TensorScale


class SimulatedRunner(FastDscRunner):
    """A network with rounded weights whose tensors are rounded after every layer."""

    def __init__(self, network: Network, quantization: Quantization, *, threads: int, outputs: Sequence[int]) -> None:
        super().__init__(rounded(network, quantization), threads=threads, outputs=outputs)
        self._steps = [(index, self._stored(index, step, quantization.scales)) for index, step in self._steps]
        self._input_scale = quantization.scales.get(INPUT_INDEX)

    def _stored(self, index: int, step: Callable[[], None], scales: Mapping[int, TensorScale]) -> Callable[[], None]:
        scale = scales.get(index)
        if scale is None:
            return step
        flattened = self._buffers[index].reshape(-1)
        arguments = (scale.inverse, np.float32(scale.scale), np.float32(scale.zero_point))

        def rounding() -> None:
            step()
            round_levels(flattened, *arguments)

        return rounding

    def _run(self, image: Array) -> dict[int, Array]:
        if self._input_scale is not None:
            scale, image = self._input_scale, image.copy()
            round_levels(image.reshape(-1), scale.inverse, np.float32(scale.scale), np.float32(scale.zero_point))
        return super()._run(image)


@njit(cache=True, nogil=True, error_model="numpy")
def round_levels(x: Array, inverse: np.float32, scale: np.float32, zero_point: np.float32) -> None:
    """Round float32 values (N,) in place to the nearest level of a byte tensor."""
    for i in range(x.shape[0]):
        level = np.rint(x[i] * inverse) + zero_point
        x[i] = (min(max(level, np.float32(0)), np.float32(255)) - zero_point) * scale


def rounded(network: Network, quantization: Quantization) -> Network:
    """The network with the real values of its 8-bit weights, batch normalization folded into all convolutions."""
    folded_network = fold_batch_norm(network)
    arrays = list(folded_network.weights)
    for index, weights in quantization.weights.items():
        real = weights.weights.astype(np.float32) * weights.scale[:, None, None, None]
        arrays[index] = {"biases": weights.bias, "weights": real}
    return folded_network.with_weights(arrays)
