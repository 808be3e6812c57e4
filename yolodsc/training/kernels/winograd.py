"""3x3 convolution of stride 1 through Winograd's F(4x4, 3x3), forward and backward, a chunk of tiles at a time.

Rows of tiles are numbered over all images, and a chunk is some of them. The tiles of a chunk are numbered without gaps, so that
narrow feature maps of several images fill the vectors of the transforms.
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
from yolodsc.training.kernels.vectors.products import small_product
from yolodsc.training.kernels.vectors.tile_rows import add_input_row, read_input_row, read_output_row, write_output_row
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
def _first_pixel(row: int, size: tuple[int, int]) -> int:
    """Return the first pixel row of a row of tiles; both are numbered over all images."""
    down = (size[0] + 3) // 4
    return row // down * size[0] + row % down * 4


@njit(cache=True, nogil=True, error_model="numpy")
def _chunk(first: int, tiles: WinogradTiles, size: tuple[int, int]) -> tuple[int, int, int, int, int]:
    """Return the end of the chunk that begins with a row of tiles, its tiles, these padded, its first pixel, and its pixels."""
    down, across = (size[0] + 3) // 4, (size[1] + 3) // 4
    last = min(first + tiles.rows, tiles.images * down)
    end, last_row = _first_pixel(last - 1, size), (last - 1) % down * 4
    begin, end = _first_pixel(first, size), end + min(4, size[0] - last_row)
    count = (last - first) * across
    return last, count, (count + LANES - 1) // LANES * LANES, begin * size[1], (end - begin) * size[1]


@njit(cache=True, nogil=True, error_model="numpy")
def _transform_channels(x: Array, rows: tuple[int, int], size: tuple[int, int], padded: int, block: Array, v: Array) -> None:
    """Fill ``v`` (36, C, P) from the pixels around rows of tiles of channels (C, N)."""
    (height, width), down, across = size, (size[0] + 3) // 4, (size[1] + 3) // 4
    pitch = len(x) * padded + LINE
    for c in range(len(x)):
        for row in range(rows[0], rows[1]):
            image, top = row // down * height, row % down * 4 - 1
            position = (row - rows[0]) * across, padded, across
            for i in range(6):
                inside = 0 <= top + i < height
                source = ((image + top + i) * width, width) if inside else (0, 0)
                read_input_row(x[c], block, source, position, i, ())
        transform_input(block, (0, padded), v, (c * padded, pitch), padded // LANES)


@njit(cache=True, nogil=True, error_model="numpy")
def _write_output(
    block: Array,
    rows: tuple[int, int],
    size: tuple[int, int],
    padded: int,
    scalars: tuple[np.float32, np.float32, np.float32],
    out: Array,
) -> None:
    """Store pixels of (N,) from 4x4 tiles, with bias, slope and limit."""
    (height, width), down, across = size, (size[0] + 3) // 4, (size[1] + 3) // 4
    for row in range(rows[0], rows[1]):
        first, position = _first_pixel(row, size), ((row - rows[0]) * across, padded, across)
        for i in range(min(4, height - row % down * 4)):
            write_output_row(out, block, ((first + i) * width, width), position, i, scalars)


@njit(cache=True, nogil=True, error_model="numpy")
def _read_gradient(buffer: Array, rows: tuple[int, int], size: tuple[int, int], padded: int, block: Array) -> None:
    """Fill 4x4 tiles from the chunk's pixels, with zeros beyond the feature map."""
    (height, width), down, across = size, (size[0] + 3) // 4, (size[1] + 3) // 4
    begin = _first_pixel(rows[0], size)
    for row in range(rows[0], rows[1]):
        first, position = _first_pixel(row, size) - begin, ((row - rows[0]) * across, padded, across)
        for i in range(4):
            source = ((first + i) * width, width) if row % down * 4 + i < height else (0, 0)
            read_output_row(buffer, block, source, position, i, ())


@njit(cache=True, nogil=True, error_model="numpy")
def _add_input_gradient(block: Array, rows: tuple[int, int], size: tuple[int, int], padded: int, target: Array) -> None:
    """Add overlapping 6x6 tiles to the pixels of (N,)."""
    (height, width), down, across = size, (size[0] + 3) // 4, (size[1] + 3) // 4
    for row in range(rows[0], rows[1]):
        image, top, position = row // down * height, row % down * 4 - 1, ((row - rows[0]) * across, padded, across)
        for i in range(6):
            if 0 <= top + i < height:
                add_input_row(target, block, ((image + top + i) * width, width), position, i, ())


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def forward(operands: ConvolutionOperands, tiles: WinogradTiles, memory: Array, out: Array) -> None:
    """Compute convolution, bias and activation.

    Parameters
    ----------
    operands
        With transformed weights (36 * F * C,).
    memory
        36 * ((C + F + 1) * P + 32) elements, for chunks of P tiles.
    out : (F, n, OH, OW)
    """
    operands = ConvolutionOperands(*operands)
    tiles = WinogradTiles(*tiles)
    filters, channels, size = len(out), len(operands.x), (out.shape[2], out.shape[3])
    x, out_rows = operands.x.reshape(channels, -1), out.reshape(filters, -1)
    first, end = 0, tiles.images * ((size[0] + 3) // 4)
    while first < end:
        last, _, padded, pixel, pixels = _chunk(first, tiles, size)
        v_pitch, m_pitch = channels * padded + LINE, filters * padded + LINE
        v, m = memory[: POSITIONS * v_pitch], memory[POSITIONS * v_pitch : POSITIONS * (v_pitch + m_pitch)]
        block = memory[POSITIONS * (v_pitch + m_pitch) :]
        _transform_channels(x, (first, last), size, padded, block, v)
        for k in range(POSITIONS):
            starts, pitches = (k * filters * channels, k * v_pitch, k * m_pitch), (channels, 1, padded, padded)
            small_product((operands.weights, v, m), starts, (filters, channels, padded), pitches)
        for f in range(filters):
            transform_output(m, (f * padded, m_pitch), block, (0, padded), padded // LANES)
            scalars = operands.bias[f], operands.slope, operands.limit
            _write_output(block, (first, last), size, padded, scalars, out_rows[f])
            if len(operands.moments):
                add_moments(out_rows[f], pixel, pixels, first == 0, operands.moments[f])
        first = last


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def backward(
    operands: ConvolutionOperands, gradients: ConvolutionGradients, tiles: WinogradTiles, memory: Array, out: Array
) -> None:
    """Compute the gradients of weights (F * C, 9) and bias, and of the input where it is needed."""
    operands = ConvolutionOperands(*operands)
    gradients = ConvolutionGradients(*gradients)
    tiles = WinogradTiles(*tiles)
    filters, channels, size = len(out), len(operands.x), (out.shape[2], out.shape[3])
    x, out_rows, gradient = operands.x.reshape(channels, -1), out.reshape(filters, -1), gradients.out.reshape(filters, -1)
    target, needed = gradients.x.reshape(channels, -1), gradients.x.size > 0
    activation = ActivationParams(operands.slope, operands.limit)
    kernels = filters * channels
    weights_gradient, memory = memory[: POSITIONS * kernels], memory[POSITIONS * kernels :]
    gradients.bias[:] = 0
    if needed and not gradients.accumulate:
        target[:] = 0
    first, end = 0, tiles.images * ((size[0] + 3) // 4)
    while first < end:
        last, count, padded, pixel, pixels = _chunk(first, tiles, size)
        rows = first, last
        v_pitch, m_pitch = channels * padded + LINE, filters * padded + LINE
        v, m = memory[: POSITIONS * v_pitch], memory[POSITIONS * v_pitch : POSITIONS * (v_pitch + m_pitch)]
        rest = memory[POSITIONS * (v_pitch + m_pitch) :]
        block, buffer = rest[: POSITIONS * padded], rest[POSITIONS * padded :]
        _transform_channels(x, rows, size, padded, block, v)
        for f in range(filters):
            arrays, positions = (gradient[f], out_rows[f], buffer), ((pixel, 0), (pixel, 0), (0, 0))
            gradients.bias[f] += output_gradient(gradients, f, arrays, positions, (1, pixels), activation)
            _read_gradient(buffer, rows, size, padded, block)
            transform_output_gradient(block, (0, padded), m, (f * padded, m_pitch), padded // LANES)
        for k in range(POSITIONS):
            starts, pitches = (k * m_pitch, k * v_pitch, k * kernels), (padded, padded, channels)
            product((m, v, weights_gradient), starts, pitches, (filters, count, channels), (False, True), first > 0)
        first = last
        if not needed:
            continue
        for k in range(POSITIONS):
            starts = k * kernels, k * m_pitch, k * v_pitch
            small_product((operands.weights, m, v), starts, (channels, filters, padded), (1, channels, padded, padded))
        for c in range(channels):
            transform_input_gradient(v, (c * padded, v_pitch), block, (0, padded), padded // LANES)
            _add_input_gradient(block, rows, size, padded, target[c])
    _restore_kernels(weights_gradient, memory, gradients.weights)


@njit(cache=True, nogil=True, error_model="numpy")
def transform_kernels(weights: Array, memory: Array, out: Array) -> None:
    """Fill (36 * F * C,) from kernels (F * C, 9); ``memory`` holds 45 * `KERNELS` elements."""
    total = len(weights)
    taps, transformed = memory[: 9 * KERNELS], memory[9 * KERNELS : 45 * KERNELS]
    for start in range(0, total, KERNELS):
        count = min(KERNELS, total - start)
        for k in range(9):
            row = taps[k * KERNELS :]
            for i in range(count):
                row[i] = weights[start + i, k]
        whole = count // LANES * LANES
        transform_kernel(taps, (0, KERNELS), out, (start, total), whole // LANES)
        if whole < count:
            transform_kernel(taps, (whole, KERNELS), transformed, (0, LANES), 1)
            for k in range(POSITIONS):
                for i in range(count - whole):
                    out[k * total + start + whole + i] = transformed[k * LANES + i]


@njit(cache=True, nogil=True, error_model="numpy")
def _restore_kernels(gradient: Array, memory: Array, out: Array) -> None:
    """Fill (F * C, 9) with the gradients of kernels from those of the transformed ones (36 * F * C,)."""
    total = len(out)
    transformed, taps = memory[: POSITIONS * KERNELS], memory[POSITIONS * KERNELS : 45 * KERNELS]
    for start in range(0, total, KERNELS):
        count = min(KERNELS, total - start)
        whole = count // LANES * LANES
        transform_kernel_gradient(gradient, (start, total), taps, (0, KERNELS), whole // LANES)
        if whole < count:
            for k in range(POSITIONS):
                for i in range(count - whole):
                    transformed[k * LANES + i] = gradient[k * total + start + whole + i]
            transform_kernel_gradient(transformed, (0, LANES), taps, (whole, KERNELS), 1)
        for i in range(count):
            for k in range(9):
                out[start + i, k] = taps[k * KERNELS + i]
