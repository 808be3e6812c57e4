"""8-bit weights of single convolutions from the moments of their patches."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from yolodsc.decompose import Matrix
from yolodsc.network import ConvolutionalLayer, Network, folded_exactly
from yolodsc.precision import Int8Weights, Quantization, TensorScale, sources, weight_scales
from yolodsc.quantize.calibration import PatchMoments
from yolodsc.quantize.rounding import damped_covariance, rounded_filters


def rounded_weights(
    network: Network, moments: Mapping[int, PatchMoments], scales: Mapping[int, TensorScale], *, threads: int, compensate: bool
) -> Quantization:
    """The quantization with all layers that have moments in 8 bits; ``scales`` and ``compensate`` are as in `int8_weights`."""

    def weights(index: int) -> Int8Weights:
        scale = scales[sources(network, index)[0]].scale
        return int8_weights(network, index, moments[index], input_scale=scale, compensate=compensate)

    with ThreadPoolExecutor(threads, thread_name_prefix="quantize") as pool:
        found = dict(zip(moments, pool.map(weights, moments), strict=True))
    return Quantization(dict.fromkeys(moments, "int8"), scales, found)


def int8_weights(network: Network, index: int, moments: PatchMoments, *, input_scale: float, compensate: bool) -> Int8Weights:
    """Weights rounded on the covariance of the patches; the bias keeps the mean of every output channel.

    Parameters
    ----------
    compensate
        Round weights that compensate the rounding of the patches, see `compensated`.
    """
    layer = network.layers[index]
    assert isinstance(layer, ConvolutionalLayer)
    exact, bias = _filters(network, index)
    filters = compensated(exact, moments) if compensate else exact
    floor = weight_scales(np.zeros(layer.filters), bias.astype(np.float32), input_scale=input_scale).astype(np.float64)
    levels, scales, biases = [], [], []
    for g in range(layer.groups):
        part = slice(g * filters.shape[1], (g + 1) * filters.shape[1])
        q, s = rounded_filters(filters[g], moments.covariance[g], floor=floor[part])
        levels.append(q)
        scales.append(s)
        biases.append(bias[part] + exact[g] @ moments.exact_mean[g] - (q * s[:, None].astype(np.float64)) @ moments.mean[g])
    shape = layer.kernel_shape()
    return Int8Weights(np.concatenate(levels).reshape(shape), np.concatenate(scales), np.concatenate(biases).astype(np.float32))


def compensated(filters: Matrix, moments: PatchMoments) -> Matrix:
    """Filters (g, F, K) that give, on rounded patches, the least squared difference from ``filters`` on exact ones."""
    pairs = zip(filters, moments.error_covariance, moments.covariance, strict=True)
    return np.stack([w + np.linalg.solve(damped_covariance(G), (w @ error).T).T for w, error, G in pairs])


def relative_error(network: Network, index: int, moments: PatchMoments, weights: Int8Weights, *, compensate: bool) -> float:
    """||Y - Y'|| / ||Y - mean|| of a layer's outputs before the activation, by the rounding of its weights."""
    exact, _ = _filters(network, index)
    target = compensated(exact, moments) if compensate else exact
    real = (weights.weights * weights.scale[:, None, None, None].astype(np.float64)).reshape(exact.shape)
    error, power = (_energy(part, moments.covariance) for part in (real - target, exact))
    return float(np.sqrt(error / max(power, 1e-300)))


def _filters(network: Network, index: int) -> tuple[Matrix, Matrix]:
    """Filters (g, F / g, K) and biases (F,) of a convolution, batch normalization folded."""
    layer = network.layers[index]
    assert isinstance(layer, ConvolutionalLayer)
    kernel, bias = (array.astype(np.float64) for array in folded_exactly(layer, network.weights[index]))
    return kernel.reshape(layer.groups, layer.filters // layer.groups, -1), bias


def _energy(filters: Matrix, covariance: Matrix) -> float:
    return float(np.sum((filters @ covariance) * filters))
