"""Batch normalization folded into weights and biases."""

import numpy as np

from yolodsc.arrays import Array, Floats
from yolodsc.network.layer import Weights
from yolodsc.network.layers.connected import ConnectedLayer
from yolodsc.network.layers.convolutional import ConvolutionalLayer
from yolodsc.network.reference.batch_norm import scale_and_shift


def folded(layer: ConvolutionalLayer | ConnectedLayer, weights: Weights) -> tuple[Array, Array]:
    """Kernel and bias (F,) of a layer with its batch normalization folded in, computed in float64 and rounded to float32.

    The kernel has the shape of ``weights["weights"]``: (F, C / groups, K, K) or (F, inputs).

    Source: ``network.c: fuse_conv_batchnorm``, with the epsilon of the layer's profile.
    """
    kernel, bias = folded_exactly(layer, weights)
    return kernel.astype(np.float32, copy=False), bias.astype(np.float32, copy=False)


def folded_exactly(layer: ConvolutionalLayer | ConnectedLayer, weights: Weights) -> tuple[Floats, Floats]:
    """The same before rounding: float64 where the layer has batch normalization, else the arrays themselves."""
    kernel = weights["weights"]
    if not layer.batch_normalize:
        return kernel, weights["biases"]
    scale, shift = scale_and_shift(weights, profile=layer.profile)  # (F,), (F,)
    return kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1)), shift
