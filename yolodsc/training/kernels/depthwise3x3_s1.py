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
from yolodsc.training.kernels.piecewise_linear import activation_backward_inplace

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
    taps: Array, line: Array, left: Array, centre: Array, right: Array, slope: np.float32, limit: np.float32, out: Array
) -> None:
    """Add the lower three taps and apply the activation."""
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


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _add_taps_gradient(gradient: Array, left: Array, centre: Array, right: Array, out: Array) -> None:
    """Add the products of the gradient with what three taps read to (3,)."""
    a = b = c = np.float32(0)
    for i in range(len(gradient)):
        a += gradient[i] * left[i]
        b += gradient[i] * centre[i]
        c += gradient[i] * right[i]
    out[0] += a
    out[1] += b
    out[2] += c


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
    x, weights, bias, slope, limit = operands
    images, rows = tiling
    (channels, count, height, width), multiplier = x.shape, len(out) // len(x)
    for c in range(channels):
        for start in range(0, count, images):
            for y0 in range(0, height, rows):
                stop, y1 = min(start + images, count), min(y0 + rows, height)
                block = (y1 - y0 + 1) * width
                size = (stop - start) * block + width
                left, centre, right, line = memory[0, :size], memory[1, :size], memory[2, :size], memory[3, : size - 2 * width]
                _load(x[c, start:stop], (y0, y1), centre)
                _shift(centre, width, left, right)
                for f in range(c * multiplier, (c + 1) * multiplier):
                    taps = weights[f]
                    _upper_taps(taps, bias[f], left, centre, right, width, line)
                    for i in range(stop - start):
                        low, target = i * block + 2 * width, out[f, start + i, y0:y1].reshape(-1)
                        _lower_taps_activated(taps, line[i * block :], left[low:], centre[low:], right[low:], slope, limit, target)


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def backward(operands: ConvolutionOperands, gradients: ConvolutionGradients, tiling: Tiling, memory: Array, out: Array) -> None:
    """Compute the gradients of weights (F, 9) and bias, and of the input where it is needed; parameters as in `forward`.

    The gradient of the output is overwritten with that of the activation's input.
    """
    x, weights, _, slope, limit = operands
    activation = ActivationParams(slope, limit)
    out_gradient, target, add, weights_gradient, bias_gradient = gradients
    images, rows = tiling
    (channels, count, height, width), multiplier = x.shape, len(out) // len(x)
    weights_gradient[:] = 0
    for c in range(channels):
        for f in range(c * multiplier, (c + 1) * multiplier):
            bias_gradient[f] = activation_backward_inplace(out_gradient[f].reshape(-1), out[f].reshape(-1), activation)
        for start in range(0, count, images):
            for y0 in range(0, height, rows):
                stop, y1 = min(start + images, count), min(y0 + rows, height)
                block = (y1 - y0 + 1) * width
                size = (stop - start) * block + width
                left, centre, right = memory[0, :size], memory[1, :size], memory[2, :size]
                before, here, after, line = memory[3, :size], memory[4, :size], memory[5, :size], memory[6, : size - 2 * width]
                _load(x[c, start:stop], (y0, y1), centre)
                _shift(centre, width, left, right)
                for f in range(c * multiplier, (c + 1) * multiplier):
                    _load(out_gradient[f, start:stop], (y0, y1), here)
                    body = here[width : size - width]
                    for ky in range(3):
                        row, total = ky * width, weights_gradient[f, 3 * ky : 3 * ky + 3]
                        _add_taps_gradient(body, left[row:], centre[row:], right[row:], total)
                    if target.size == 0:
                        continue
                    _shift(here, width, before, after)
                    taps = weights[f, ::-1].copy()
                    _upper_taps(taps, np.float32(0), before, here, after, width, line)
                    for i in range(stop - start):
                        low, accumulate = i * block + 2 * width, add or f > c * multiplier
                        row_target = target[c, start + i, y0:y1].reshape(-1)
                        _lower_taps(taps, line[i * block :], before[low:], here[low:], after[low:], accumulate, row_target)
