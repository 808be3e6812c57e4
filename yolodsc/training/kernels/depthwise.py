"""Depthwise convolution of any size, stride, dilation and number of filters a channel, forward and backward.

An image's channel is copied into a buffer with its zero padding, divided into phases (`vectors.phases`). Each tap is then one shift
of one phase, and the convolution a sum of shifted maps (`vectors.shifted`). The gradient of the output is copied into a map with
zeros around it.
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
from yolodsc.training.kernels.vectors.phases import merge, split
from yolodsc.training.kernels.vectors.shifted import add_dots, shifted_sums


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def forward(operands: ConvolutionOperands, layout: PhaseLayout, buffers: PhaseBuffers, out: Array) -> None:
    """Compute convolution, bias and activation.

    Parameters
    ----------
    operands
        With weights (F, K * K), F = C * multiplier; filter f reads channel f // multiplier.
    out : (F, n, OH, OW)
    """
    operands = ConvolutionOperands(*operands)
    layout = PhaseLayout(*layout)
    phases, shape = PhaseBuffers(*buffers).phases, layout.shape
    x, weights, target = operands.x.reshape(-1), operands.weights.reshape(-1), out.reshape(-1)
    (channels, images, height, width), (filters, _, out_height, out_width) = operands.x.shape, out.shape
    multiplier, taps, area, out_area = filters // channels, len(layout.starts), height * width, out_height * out_width
    for c in range(channels):
        for i in range(images):
            split(x, (c * images + i) * area, (height, width), layout.padding, shape, phases, 0)
            for f in range(c * multiplier, (c + 1) * multiplier):
                positions = (0, shape[3]), ((f * images + i) * out_area, out_width)
                scalars = operands.bias[f], operands.slope, operands.limit
                numbers = (0, f * taps, taps)
                shifted_sums(phases, layout.starts, weights, numbers, target, positions, (out_height, out_width), scalars, False)
                if len(operands.moments):
                    add_moments(target, (f * images + i) * out_area, out_area, i == 0, operands.moments[f])


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def backward(
    operands: ConvolutionOperands, gradients: ConvolutionGradients, layout: PhaseLayout, buffers: PhaseBuffers, out: Array
) -> None:
    """Compute the gradients of weights (F, K * K) and bias, and of the input where it is needed."""
    operands = ConvolutionOperands(*operands)
    gradients = ConvolutionGradients(*gradients)
    layout = PhaseLayout(*layout)
    buffers = PhaseBuffers(*buffers)
    phases, line, pitch, shape = buffers.phases, buffers.line, layout.shape[3], layout.shape
    x, gradient, values, weights_gradient = (
        operands.x.reshape(-1),
        gradients.out.reshape(-1),
        out.reshape(-1),
        gradients.weights.reshape(-1),
    )
    (channels, images, height, width), (filters, _, out_height, out_width) = operands.x.shape, out.shape
    multiplier, taps, area, out_area = filters // channels, len(layout.starts), height * width, out_height * out_width
    gradients.weights[:] = 0
    gradients.bias[:] = 0
    size, activation = (out_height, out_width), ActivationParams(operands.slope, operands.limit)
    for c in range(channels):
        for i in range(images):
            start = (c * images + i) * area
            split(x, start, (height, width), layout.padding, shape, phases, 0)
            for f in range(c * multiplier, (c + 1) * multiplier):
                position = (f * images + i) * out_area, out_width
                here = buffers.head, pitch
                arrays, positions = (gradient, values, line), (position, position, here)
                gradients.bias[f] += output_gradient(gradients, f, arrays, positions, size, activation)
                add_dots(line, (0, 1), phases, layout.starts, weights_gradient, (f * taps, taps), (here, (0, pitch)), size)
                if gradients.x.size > 0:
                    add = gradients.accumulate or f > c * multiplier
                    _add_input_gradient(operands.weights[f], layout, buffers, gradients.x.reshape(-1), start, (height, width), add)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_input_gradient(
    taps: Array, layout: PhaseLayout, buffers: PhaseBuffers, target: Array, start: int, size: tuple[int, int], accumulate: bool
) -> None:
    """Store or add one filter's part of the gradient of a map (H, W), which begins at ``target[start]``."""
    sy, sx, rows, pitch = layout.shape
    scalars = np.float32(0), np.float32(1), np.float32(np.inf)
    sorted_taps, area = taps[layout.order], rows * pitch
    if sy * sx == 1 and size[0] <= rows - layout.padding and size[1] <= pitch - layout.padding:
        positions = (buffers.head + layout.padding * pitch + layout.padding, pitch), (start, size[1])
        numbers = (0, 0, len(taps))
        shifted_sums(buffers.line, layout.shifts, sorted_taps, numbers, target, positions, size, scalars, accumulate)
        return
    for p in range(sy * sx):
        first, last = layout.parts[p], layout.parts[p + 1]
        numbers, positions = (first, first, last - first), ((buffers.head, pitch), (p * area, pitch))
        if last > first:
            shifted_sums(buffers.line, layout.shifts, sorted_taps, numbers, buffers.sums, positions, (rows, pitch), scalars, False)
        else:
            buffers.sums[p * area : (p + 1) * area] = 0
    merge(buffers.sums, 0, layout.shape, layout.padding, target, start, size, accumulate)
