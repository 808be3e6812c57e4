"""8-bit weights of single convolutions from the moments of their patches."""

import numpy as np

from yolodsc.decompose import Matrix
from yolodsc.network import ConvolutionalLayer, Network, folded_exactly
from yolodsc.precision import Int8Weights, weight_scales
from yolodsc.quantize.calibration import PatchMoments
from yolodsc.quantize.rounding import rounded_filters


def int8_weights(network: Network, index: int, moments: PatchMoments, *, input_scale: float) -> Int8Weights:
    """Weights rounded on the covariance of the patches; the bias keeps the mean of every output channel."""
    layer = network.layers[index]
    assert isinstance(layer, ConvolutionalLayer)
    kernel, bias = (array.astype(np.float64) for array in folded_exactly(layer, network.weights[index]))
    filters = kernel.reshape(layer.groups, layer.filters // layer.groups, -1)
    floor = weight_scales(np.zeros(layer.filters), bias.astype(np.float32), input_scale=input_scale).astype(np.float64)
    levels, scales, biases = [], [], []
    for g in range(layer.groups):
        part = slice(g * filters.shape[1], (g + 1) * filters.shape[1])
        q, s = rounded_filters(filters[g], moments.covariance[g], floor=floor[part])
        levels.append(q)
        scales.append(s)
        biases.append(bias[part] + (filters[g] - q * s[:, None].astype(np.float64)) @ moments.mean[g])
    shape = layer.kernel_shape()
    return Int8Weights(np.concatenate(levels).reshape(shape), np.concatenate(scales), np.concatenate(biases).astype(np.float32))


def relative_error(network: Network, index: int, moments: PatchMoments, weights: Int8Weights) -> float:
    """||Y - Y'|| / ||Y - mean|| of a layer's outputs before the activation, by the rounding of its weights."""
    layer = network.layers[index]
    assert isinstance(layer, ConvolutionalLayer)
    kernel, _ = folded_exactly(layer, network.weights[index])
    exact = kernel.astype(np.float64).reshape(layer.groups, -1, moments.mean.shape[1])
    real = (weights.weights * weights.scale[:, None, None, None].astype(np.float64)).reshape(exact.shape)
    error, power = (_energy(part, moments.covariance) for part in (real - exact, exact))
    return float(np.sqrt(error / max(power, 1e-300)))


def _energy(filters: Matrix, covariance: Matrix) -> float:
    return float(np.sum((filters @ covariance) * filters))
