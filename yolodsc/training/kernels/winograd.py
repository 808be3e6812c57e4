"""3x3 convolution of stride 1 through Winograd's F(4x4, 3x3), forward and backward, a chunk of tiles at a time.

`WinogradTiles` describes the chunks. For each channel, the pixels of a chunk are gathered into tiles by a table of indices, so
that narrow feature maps of several images fill vectors too. The element after the last pixel is 0 and stands for all padding.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.arguments import (
    ActivationParams,
    ConvolutionGradients,
    ConvolutionOperands,
    WinogradTiles,
    plain_arguments,
)
from yolodsc.training.kernels.batchnorm import add_moments, output_gradient
from yolodsc.training.kernels.gemm import product
from yolodsc.training.kernels.piecewise_linear import activated
from yolodsc.training.kernels.winograd_tiles import (
    LANES,
    transform_input,
    transform_input_gradient,
    transform_kernel,
    transform_kernel_gradient,
    transform_output,
    transform_output_gradient,
)

POSITIONS = 36
"""Numbers of a transformed tile."""
LINE = 16
"""Elements between the matrices of two positions: their pitch is no power of two, which few lines of a cache could hold."""
KERNELS = 512
"""Kernels that are transformed at a time."""


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(pixels: Array, indices: Array, out: Array) -> None:
    for i in range(len(indices)):
        out[i] = pixels[indices[i]]


@njit(cache=True, nogil=True, error_model="numpy")
def _load(pixels: Array, buffer: Array) -> None:
    """Copy the pixels (n,) of a chunk, and 0 behind them."""
    for i in range(len(pixels)):
        buffer[i] = pixels[i]
    buffer[len(pixels)] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _transform_channels(x: Array, first: int, count: int, indices: Array, buffer: Array, block: Array, v: Array) -> None:
    """Fill ``v`` (36, C, P) from channels (C, N): elements ``first`` to ``first + count - 1`` of each."""
    padded = len(indices) // POSITIONS
    pitch = len(x) * padded + LINE
    for c in range(len(x)):
        _load(x[c, first : first + count], buffer)
        _gather(buffer, indices, block)
        transform_input(block, (0, padded), v, (c * padded, pitch), padded // LANES)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _store_activated(tiles: Array, indices: Array, bias: np.float32, activation: ActivationParams, out: Array) -> None:
    """Fill (n,) with the activation of the pixels that lie in tiles."""
    for i in range(len(indices)):
        out[i] = activated(tiles[indices[i]] + bias, activation)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_tiles(tiles: Array, first: Array, second: Array, third: Array, fourth: Array, out: Array) -> None:
    """Add to each pixel its elements in up to four overlapping tiles."""
    for i in range(len(first)):
        out[i] += (tiles[first[i]] + tiles[second[i]]) + (tiles[third[i]] + tiles[fourth[i]])


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def forward(operands: ConvolutionOperands, tiles: WinogradTiles, memory: Array, out: Array) -> None:
    """Compute convolution, bias and activation.

    Parameters
    ----------
    operands
        With transformed weights (36 * F * C,).
    memory
        As much as ``tiles.memory`` states.
    out : (F, n, OH, OW)
    """
    operands = ConvolutionOperands(*operands)
    tiles = WinogradTiles(*tiles)
    filters, channels = len(out), len(operands.x)
    x, out_rows = operands.x.reshape(channels, -1), out.reshape(filters, -1)
    activation = ActivationParams(operands.slope, operands.limit)
    for number in range(len(tiles.chunks)):
        count, padded, in_first, in_count, out_first, out_count, at = tiles.chunks[number]
        v_pitch, m_pitch = channels * padded + LINE, filters * padded + LINE
        v, m = memory[: POSITIONS * v_pitch], memory[POSITIONS * v_pitch : POSITIONS * (v_pitch + m_pitch)]
        rest = memory[POSITIONS * (v_pitch + m_pitch) :]
        block, buffer = rest[: POSITIONS * padded + 1], rest[POSITIONS * padded + 1 :]
        _transform_channels(x, in_first, in_count, tiles.indices[at : at + POSITIONS * padded], buffer, block, v)
        for k in range(POSITIONS):
            starts, pitches = (k * filters * channels, k * v_pitch, k * m_pitch), (channels, padded, padded)
            product((operands.weights, v, m), starts, pitches, (filters, channels, count), (False, False), False)
        at += POSITIONS * padded
        indices = tiles.indices[at : at + out_count]
        for f in range(filters):
            transform_output(m, (f * padded, m_pitch), block, (0, padded), padded // LANES)
            _store_activated(block, indices, operands.bias[f], activation, out_rows[f, out_first : out_first + out_count])
            if len(operands.moments):
                add_moments(out_rows[f], out_first, out_count, number == 0, operands.moments[f])


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def backward(
    operands: ConvolutionOperands, gradients: ConvolutionGradients, tiles: WinogradTiles, memory: Array, out: Array
) -> None:
    """Compute the gradients of weights (F * C, 9) and bias, and of the input where it is needed."""
    operands = ConvolutionOperands(*operands)
    gradients = ConvolutionGradients(*gradients)
    tiles = WinogradTiles(*tiles)
    filters, channels = len(out), len(operands.x)
    x, out_rows, gradient = operands.x.reshape(channels, -1), out.reshape(filters, -1), gradients.out.reshape(filters, -1)
    target, needed = gradients.x.reshape(channels, -1), gradients.x.size > 0
    activation = ActivationParams(operands.slope, operands.limit)
    kernels = filters * channels
    weights_gradient, memory = memory[: POSITIONS * kernels], memory[POSITIONS * kernels :]
    gradients.bias[:] = 0
    if needed and not gradients.accumulate:
        target[:] = 0
    for number in range(len(tiles.chunks)):
        count, padded, in_first, in_count, out_first, out_count, at = tiles.chunks[number]
        v_pitch, m_pitch = channels * padded + LINE, filters * padded + LINE
        v, m = memory[: POSITIONS * v_pitch], memory[POSITIONS * v_pitch : POSITIONS * (v_pitch + m_pitch)]
        rest = memory[POSITIONS * (v_pitch + m_pitch) :]
        block, buffer = rest[: POSITIONS * padded + 1], rest[POSITIONS * padded + 1 :]
        _transform_channels(x, in_first, in_count, tiles.indices[at : at + POSITIONS * padded], buffer, block, v)
        at += POSITIONS * padded + out_count
        indices = tiles.indices[at : at + 16 * padded]
        for f in range(filters):
            arrays, first = (gradient[f], out_rows[f], buffer), (out_first, 0)
            gradients.bias[f] += output_gradient(gradients, f, arrays, (first, first, (0, 0)), (1, out_count), activation)
            buffer[out_count] = 0
            _gather(buffer, indices, block)
            transform_output_gradient(block, (0, padded), m, (f * padded, m_pitch), padded // LANES)
        for k in range(POSITIONS):
            starts, pitches = (k * m_pitch, k * v_pitch, k * kernels), (padded, padded, channels)
            product((m, v, weights_gradient), starts, pitches, (filters, count, channels), (False, True), number > 0)
        if not needed:
            continue
        for k in range(POSITIONS):
            starts, pitches = (k * kernels, k * m_pitch, k * v_pitch), (channels, padded, padded)
            product((operands.weights, m, v), starts, pitches, (channels, filters, count), (True, False), False)
        at += 16 * padded
        parts = tiles.indices[at : at + 4 * in_count].reshape(4, in_count)
        block[POSITIONS * padded] = 0
        for c in range(channels):
            transform_input_gradient(v, (c * padded, v_pitch), block, (0, padded), padded // LANES)
            _add_tiles(block, parts[0], parts[1], parts[2], parts[3], target[c, in_first : in_first + in_count])
    _restore_kernels(weights_gradient, memory, gradients.weights)


@njit(cache=True, nogil=True, error_model="numpy")
def transform_kernels(weights: Array, memory: Array, out: Array) -> None:
    """Fill (36 * F * C,) from kernels (F * C, 9); ``memory`` holds 45 * `KERNELS` elements."""
    total = len(weights)
    taps, transformed = memory[: 9 * KERNELS], memory[9 * KERNELS : 45 * KERNELS]
    taps[:] = 0
    for start in range(0, total, KERNELS):
        count = min(KERNELS, total - start)
        for i in range(count):
            for k in range(9):
                taps[k * KERNELS + i] = weights[start + i, k]
        transform_kernel(taps, (0, KERNELS), transformed, (0, KERNELS), KERNELS // LANES)
        for k in range(POSITIONS):
            source, target = transformed[k * KERNELS :], out[k * total + start :]
            for i in range(count):
                target[i] = source[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _restore_kernels(gradient: Array, memory: Array, out: Array) -> None:
    """Fill (F * C, 9) with the gradients of kernels from those of the transformed ones (36 * F * C,)."""
    total = len(out)
    transformed, taps = memory[: POSITIONS * KERNELS], memory[POSITIONS * KERNELS : 45 * KERNELS]
    for start in range(0, total, KERNELS):
        count = min(KERNELS, total - start)
        for k in range(POSITIONS):
            source, target = gradient[k * total + start :], transformed[k * KERNELS :]
            for i in range(count):
                target[i] = source[i]
        transform_kernel_gradient(transformed, (0, KERNELS), taps, (0, KERNELS), KERNELS // LANES)
        for i in range(count):
            for k in range(9):
                out[start + i, k] = taps[k * KERNELS + i]
