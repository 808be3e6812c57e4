"""Batch norm folded into weights and biases, once, in float64."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network.layer import Weights
from yolodsc.network.layers.convolutional import ConvolutionalLayer


def folded(layer: ConvolutionalLayer, weights: Weights) -> tuple[Array, Array]:
    """Kernel (F, C / groups, K, K) and bias (F,) of a convolution with its batch norm folded in, float32.

    Source: ``network.c: fuse_conv_batchnorm``, with the epsilon of the layer's profile.
    """
    kernel, biases = weights["weights"], weights["biases"]
    if not layer.batch_normalize:
        return kernel, biases
    factor = weights["scales"].astype(np.float64) / layer.profile.deviation(weights["rolling_variance"])  # (F,)
    bias = biases - factor * weights["rolling_mean"]
    return (kernel * factor[:, None, None, None]).astype(np.float32), bias.astype(np.float32)
