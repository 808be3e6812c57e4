"""A quantization from the extremes of a few images: no calibration to speak of, for tests and for measuring speed."""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.network import ConvolutionalLayer, Network, folded
from yolodsc.precision.quantization import MAX_LEVEL, MAX_WEIGHT, Int8Weights, Precision, Quantization, TensorScale
from yolodsc.precision.tensors import byte_tensors, is_quantizable, sources

_MIN_RANGE = 1e-6
_BIAS_LIMIT = 2.0**29
"""Magnitude of a bias in units of the products that leaves the 32-bit sums enough room."""

Range = tuple[float, float]


def minmax_quantization(network: Network, images: Iterable[Array], *, int8: Collection[int] | None = None) -> Quantization:
    """Every layer of ``int8`` in 8 bits, weights rounded to nearest, scales from the extremes over ``images`` (C, H, W).

    Parameters
    ----------
    int8
        By default `int8_candidates`.
    """
    chosen = int8_candidates(network) if int8 is None else sorted(int8)
    ranges: dict[int, Range] = {}
    for image in images:
        outputs = [*network.forward(image), image]  # the image is outputs[-1]
        for index in {i for group in byte_tensors(network, chosen) for i in group}:
            low, high = ranges.get(index, (0.0, 0.0))
            ranges[index] = (min(low, float(outputs[index].min())), max(high, float(outputs[index].max())))
    return quantization_of_ranges(network, chosen, ranges)


def int8_candidates(network: Network) -> list[int]:
    """Convolutions that int8 speeds up: all but depthwise ones, which have no sum over channels."""
    return [layer.index for layer in network.layers if is_quantizable(layer) and not layer.depthwise]  # type: ignore[attr-defined]


def quantization_of_ranges(network: Network, int8: Collection[int], ranges: Mapping[int, Range]) -> Quantization:
    """A quantization with given ranges of all byte tensors, united within each group; weights rounded to nearest."""
    scales: dict[int, TensorScale] = {}
    for group in byte_tensors(network, int8):
        low, high = min(ranges[i][0] for i in group), max(ranges[i][1] for i in group)
        scales |= dict.fromkeys(group, scale_of_range(low, high))
    weights = {}
    for index in int8:
        layer = network.layers[index]
        assert isinstance(layer, ConvolutionalLayer)
        kernel, bias = folded(layer, network.weights[index])
        weights[index] = nearest_weights(kernel, bias, input_scale=scales[sources(network, index)[0]].scale)
    layers: dict[int, Precision] = dict.fromkeys(int8, "int8")
    return Quantization(layers, scales, weights, {"method": "minmax"})


def scale_of_range(low: float, high: float) -> TensorScale:
    """Scale and zero point of a range, which is extended to contain 0: 0 itself is exact."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32(max((high - low) / MAX_LEVEL, _MIN_RANGE))
    return TensorScale(float(scale), int(np.clip(np.rint(-low / float(scale)), 0, MAX_LEVEL)))


def nearest_weights(kernel: Array, bias: Array, *, input_scale: float) -> Int8Weights:
    """Weights of a kernel (F, C / groups, K, K) rounded to nearest, with the greatest magnitude of each filter at 127."""
    greatest = np.abs(kernel).max(axis=(1, 2, 3)).astype(np.float64)
    scale = weight_scales(greatest / MAX_WEIGHT, bias, input_scale=input_scale)
    levels = np.rint(kernel.astype(np.float64) / scale[:, None, None, None].astype(np.float64))
    return Int8Weights(np.clip(levels, -MAX_WEIGHT, MAX_WEIGHT).astype(np.int8), scale, bias.astype(np.float32))


def weight_scales(scale: NDArray[np.float64], bias: Array, *, input_scale: float) -> Array:
    """Weight scales (F,), raised where the bias would not fit 32-bit sums: filters of zeros have any scale."""
    minimum = np.maximum(np.abs(bias).astype(np.float64) / (_BIAS_LIMIT * input_scale), 1e-30 / min(input_scale, 1.0))
    return np.maximum(scale, minimum).astype(np.float32)
