"""Depthwise 3x3 with a padding of 1 and stride 1, forward and backward, a few thousand elements at a time.

A tile of rows is stored three times: as it is, and shifted by a pixel to either side, with zeros for pixels beyond the ends of the
row. All nine taps are then shifts by whole rows, and a convolution is a sum of products of flattened arrays, whatever the width of
the feature map. The gradient of the input is the same sum of the output's gradient with the reversed kernel.

One row of zeros lies between images, and above and below the feature map. In tall feature maps the neighbouring rows lie there.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.arguments import ActivationParams, ConvolutionGradients, ConvolutionOperands, Tiling, plain_arguments
from yolodsc.training.kernels.piecewise_linear import activation_backward_in_place
from yolodsc.training.kernels.reductions import add_three_dots

BUFFERS = 7
"""Rows of memory that `backward` needs."""


@njit(cache=True, nogil=True, error_model="numpy")
def _copy(source: Array, target: Array) -> None:
    for i in range(len(target)):
        target[i] = source[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _load(x: Array, rows: tuple[int, int], tile: Array) -> None:
    """Copy rows y0 - 1 to y1 of each of (m, H, W), 0 outside the feature map; images share the row between them."""
    (y0, y1), (height, width) = rows, x.shape[1:]
    block = (y1 - y0 + 1) * width
    top, bottom = max(y0 - 1, 0), min(y1 + 1, height)
    tile[:width] = 0
    for i in range(len(x)):
        start = i * block + (top - y0 + 1) * width
        stop = start + (bottom - top) * width
        _copy(x[i, top:bottom].reshape(-1), tile[start:stop])
        if bottom == y1:
            tile[stop : stop + width] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _shift(centre: Array, width: int, left: Array, right: Array) -> None:
    """Copy each pixel's left and right neighbours."""
    _copy(centre, left[1:])
    _copy(centre[1:], right[: len(right) - 1])
    for start in range(0, len(centre), width):
        left[start] = 0
        right[start + width - 1] = 0


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _upper_taps(taps: Array, bias: np.float32, left: Array, centre: Array, right: Array, width: int, line: Array) -> None:
    """Sum the upper six taps: LLVM's check for overlaps, which vectorisation needs, is limited to eight arrays."""
    a, b, c, d, e, f = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    under_left, under, under_right = left[width:], centre[width:], right[width:]
    for i in range(len(line)):
        above = a * left[i] + b * centre[i] + c * right[i]
        line[i] = bias + above + d * under_left[i] + e * under[i] + f * under_right[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _lower_taps_activated(
    taps: Array, line: Array, left: Array, centre: Array, right: Array, activation: ActivationParams, out: Array
) -> None:
    """Add the lower three taps and apply the activation."""
    slope, limit = activation
    a, b, c = taps[6], taps[7], taps[8]
    for i in range(len(out)):
        value = line[i] + a * left[i] + b * centre[i] + c * right[i]
        out[i] = min(max(value, slope * value), limit)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _lower_taps(taps: Array, line: Array, left: Array, centre: Array, right: Array, accumulate: bool, out: Array) -> None:
    """Add the lower three taps; store the sum, or add it to the output."""
    a, b, c = taps[6], taps[7], taps[8]
    if accumulate:
        for i in range(len(out)):
            out[i] += line[i] + a * left[i] + b * centre[i] + c * right[i]
    else:
        for i in range(len(out)):
            out[i] = line[i] + a * left[i] + b * centre[i] + c * right[i]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _load_shifted(x: Array, rows: tuple[int, int], memory: Array) -> None:
    """Fill memory[0:3] from (m, H, W): what the left, the middle and the right taps read."""
    size = _size(x, rows)
    left, centre, right = memory[0, :size], memory[1, :size], memory[2, :size]  # memory[0:3, :size] is not contiguous: scalar code
    _load(x, rows, centre)
    _shift(centre, x.shape[2], left, right)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _forward_tile(
    taps: Array, bias: np.float32, activation: ActivationParams, rows: tuple[int, int], memory: Array, out: Array
) -> None:
    """Compute rows of (m, H, W) for one filter from what `_load_shifted` has put into memory."""
    width, size = out.shape[2], _size(out, rows)
    block = (rows[1] - rows[0] + 1) * width
    left, centre, right, line = memory[0, :size], memory[1, :size], memory[2, :size], memory[3, : size - 2 * width]
    _upper_taps(taps, bias, left, centre, right, width, line)
    for i in range(len(out)):
        low, target = i * block + 2 * width, out[i, rows[0] : rows[1]].reshape(-1)
        _lower_taps_activated(taps, line[i * block :], left[low:], centre[low:], right[low:], activation, target)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _size(x: Array, rows: tuple[int, int]) -> int:
    """Elements of a tile of (m, H, W) with the rows around it."""
    return (len(x) * (rows[1] - rows[0] + 1) + 1) * x.shape[2]


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def forward(operands: ConvolutionOperands, tiling: Tiling, memory: Array, out: Array) -> None:
    """Compute convolution, bias and activation.

    Parameters
    ----------
    operands
        With weights (F, 9), F = C * multiplier; filter f reads channel f // multiplier.
    memory : (BUFFERS, at least (images * (rows + 1) + 1) * W)
    out : (F, n, H, W)
    """
    operands = ConvolutionOperands(*operands)
    tiling = Tiling(*tiling)
    x, weights, bias, slope, limit = operands
    activation = ActivationParams(slope, limit)
    (channels, count, height), multiplier = x.shape[:3], len(out) // len(x)
    for c in range(channels):
        for start in range(0, count, tiling.images):
            stop = min(start + tiling.images, count)
            for y0 in range(0, height, tiling.rows):
                rows = y0, min(y0 + tiling.rows, height)
                _load_shifted(x[c, start:stop], rows, memory)
                for f in range(c * multiplier, (c + 1) * multiplier):
                    _forward_tile(weights[f], bias[f], activation, rows, memory, out[f, start:stop])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _backward_tile(
    taps: Array, rows: tuple[int, int], memory: Array, gradient: Array, accumulate: bool, target: Array, taps_gradient: Array
) -> None:
    """Add rows of one filter to the gradients of its taps, and of the input (m, H, W) where ``target`` is not empty."""
    width, size = gradient.shape[2], _size(gradient, rows)
    block = (rows[1] - rows[0] + 1) * width
    before, here, after, line = memory[3, :size], memory[4, :size], memory[5, :size], memory[6, : size - 2 * width]
    _load(gradient, rows, here)
    for ky in range(3):
        left, centre, right = memory[0, ky * width :], memory[1, ky * width :], memory[2, ky * width :]
        add_three_dots(here[width : size - width], left, centre, right, taps_gradient[3 * ky : 3 * ky + 3])
    if target.size == 0:
        return
    _shift(here, width, before, after)
    reversed_taps = taps[::-1].copy()
    _upper_taps(reversed_taps, np.float32(0), before, here, after, width, line)
    for i in range(len(target)):
        low, row = i * block + 2 * width, target[i, rows[0] : rows[1]].reshape(-1)
        _lower_taps(reversed_taps, line[i * block :], before[low:], here[low:], after[low:], accumulate, row)


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def backward(operands: ConvolutionOperands, gradients: ConvolutionGradients, tiling: Tiling, memory: Array, out: Array) -> None:
    """Compute the gradients of weights (F, 9) and bias, and of the input where it is needed; parameters as in `forward`.

    The gradient of the output is overwritten with that of the activation's input.
    """
    operands = ConvolutionOperands(*operands)
    gradients = ConvolutionGradients(*gradients)
    tiling = Tiling(*tiling)
    x, weights = operands.x, operands.weights
    (channels, count, height), multiplier = x.shape[:3], len(out) // len(x)
    gradients.weights[:] = 0
    for c in range(channels):
        for f in range(c * multiplier, (c + 1) * multiplier):
            flat = gradients.out[f].reshape(-1)
            gradients.bias[f] = activation_backward_in_place(
                flat, out[f].reshape(-1), ActivationParams(operands.slope, operands.limit)
            )
        for start in range(0, count, tiling.images):
            stop = min(start + tiling.images, count)
            target = gradients.x[c, start:stop]
            for y0 in range(0, height, tiling.rows):
                rows = y0, min(y0 + tiling.rows, height)
                _load_shifted(x[c, start:stop], rows, memory)
                for f in range(c * multiplier, (c + 1) * multiplier):
                    gradient, accumulate = gradients.out[f, start:stop], gradients.accumulate or f > c * multiplier
                    _backward_tile(weights[f], rows, memory, gradient, accumulate, target, gradients.weights[f])
