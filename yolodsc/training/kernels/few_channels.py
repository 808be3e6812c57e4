"""Convolution of the first layer, of few channels, without columns; it has no gradient of the input.

An image is copied into phases with zero padding (`vectors.phases`), from which all filters read.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.arguments import (
    ActivationParams,
    ConvolutionGradients,
    ConvolutionOperands,
    PhaseBuffers,
    PhaseLayout,
    plain_arguments,
)
from yolodsc.training.kernels.batchnorm import add_moments, output_gradient
from yolodsc.training.kernels.vectors.filter_sums import TOGETHER, filter_sums
from yolodsc.training.kernels.vectors.phases import split
from yolodsc.training.kernels.vectors.shifted import add_dots, shifted_sums


@njit(cache=True, nogil=True, error_model="numpy")
def _split_image(x: Array, i: int, layout: PhaseLayout, phases: Array) -> None:
    """Copy image i of (C, n, H, W) into the phases of its channels."""
    sy, sx, rows, pitch = layout.shape
    channels, images, height, width = x.shape
    for c in range(channels):
        start = (c * images + i) * height * width
        split(x.reshape(-1), start, (height, width), layout.padding, layout.shape, phases, c * sy * sx * rows * pitch)


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def forward(operands: ConvolutionOperands, layout: PhaseLayout, buffers: PhaseBuffers, out: Array) -> None:
    """Compute convolution, bias and activation; weights are (F, C * K * K)."""
    operands = ConvolutionOperands(*operands)
    layout = PhaseLayout(*layout)
    phases, pitch, taps = PhaseBuffers(*buffers).phases, layout.shape[3], len(layout.starts)
    filters, images, height, width = out.shape
    target, weights, size = out.reshape(-1), operands.weights.reshape(-1), (height, width)
    packed = np.empty((filters // TOGETHER, taps + 1, TOGETHER), np.float32)
    for f in range(filters // TOGETHER * TOGETHER):
        for k in range(taps):
            packed[f // TOGETHER, k, f % TOGETHER] = operands.weights[f, k]
        packed[f // TOGETHER, taps, f % TOGETHER] = operands.bias[f]
    for i in range(images):
        _split_image(operands.x, i, layout, phases)
        for block in range(len(packed)):
            positions = (0, pitch), ((block * TOGETHER * images + i) * height * width, width)
            distance, scalars = images * height * width, (operands.slope, operands.limit)
            filter_sums(phases, layout.starts, packed[block].reshape(-1), target, distance, positions, size, scalars)
        for f in range(len(packed) * TOGETHER, filters):
            positions, numbers = ((0, pitch), ((f * images + i) * height * width, width)), (0, f * taps, taps)
            numbers_of_activation = operands.bias[f], operands.slope, operands.limit
            shifted_sums(phases, layout.starts, weights, numbers, target, positions, size, numbers_of_activation, False)
        for f in range(len(operands.moments)):
            add_moments(target, (f * images + i) * height * width, height * width, i == 0, operands.moments[f])


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def backward(
    operands: ConvolutionOperands, gradients: ConvolutionGradients, layout: PhaseLayout, buffers: PhaseBuffers, out: Array
) -> None:
    """Compute the gradients of weights (F, C * K * K) and bias, two filters at a time."""
    operands = ConvolutionOperands(*operands)
    gradients = ConvolutionGradients(*gradients)
    layout = PhaseLayout(*layout)
    buffers = PhaseBuffers(*buffers)
    (filters, images, height, width), pitch, taps = out.shape, layout.shape[3], len(layout.starts)
    gradient, values, sums = gradients.out.reshape(-1), out.reshape(-1), gradients.weights.reshape(-1)
    line, size, activation = buffers.line, (height, width), ActivationParams(operands.slope, operands.limit)
    gradients.weights[:] = 0
    gradients.bias[:] = 0
    for i in range(images):
        _split_image(operands.x, i, layout, buffers.phases)
        for first in range(0, filters, 2):
            count = min(2, filters - first)
            for f in range(count):
                source, here = (((first + f) * images + i) * height * width, width), (f * len(line) // 2 + buffers.head, pitch)
                arrays, own = (gradient, values, line), (source, source, here)
                gradients.bias[first + f] += output_gradient(gradients, first + f, arrays, own, size, activation)
            positions = (buffers.head, pitch), (0, pitch)
            add_dots(line, (len(line) // 2, count), buffers.phases, layout.starts, sums, (first * taps, taps), positions, size)
