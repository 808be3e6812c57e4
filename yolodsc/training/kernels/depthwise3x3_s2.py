"""Depthwise 3x3 with a padding of 1 and stride 2, forward and backward, a few thousand elements at a time.

As in `depthwise3x3_s1`, but even and odd rows are stored apart, and so are even and odd pixels: each stack holds what the left, the
middle and the right taps read, OW elements a row. Row y of the output reads odd row y - 1, even row y and odd row y.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.arguments import ActivationParams, ConvolutionGradients, ConvolutionOperands, Tiling, plain_arguments
from yolodsc.training.kernels.piecewise_linear import activation_backward_inplace
from yolodsc.training.kernels.reductions import add_three_dots

BUFFERS = 8
"""Rows of memory that `backward` needs."""


@njit(cache=True, nogil=True, error_model="numpy")
def _split(row: Array, middle: Array, right: Array) -> None:
    """Copy even pixels (OW,) and odd ones, with a 0 where the row ends on an even one."""
    two, one, pairs = np.uint64(2), np.uint64(1), len(row) // 2
    for j in range(np.uint64(pairs)):
        middle[j] = row[two * j]
        right[j] = row[two * j + one]
    if len(middle) > pairs:
        middle[pairs] = row[2 * pairs]
        right[pairs] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _load_parity(x: Array, rows: tuple[int, int], width: int, parity: int, stacks: Array) -> None:
    """Fill (3, N) with every second row of (m, H, W): even ones from 2 y0, odd ones from 2 y0 - 1; 0 outside the feature map."""
    count = rows[1] - rows[0] + 1
    size = len(x) * count * width
    left, middle, right = stacks[0, :size], stacks[1, :size], stacks[2, :size]
    for i in range(len(x)):
        for r in range(count):
            y, start = 2 * (rows[0] + r) - parity, (i * count + r) * width
            if 0 <= y < x.shape[1]:
                _split(x[i, y], middle[start : start + width], right[start : start + width])
            else:
                middle[start : start + width] = 0
                right[start : start + width] = 0
    rest = left[1:]
    for i in range(len(rest)):
        rest[i] = right[i]
    for start in range(0, len(left), width):
        left[start] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _load(x: Array, rows: tuple[int, int], width: int, memory: Array) -> None:
    """Fill the odd stacks, memory[0:3], and the even ones, memory[3:6]."""
    _load_parity(x, rows, width, 1, memory[0:3])
    _load_parity(x, rows, width, 0, memory[3:6])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _upper_taps(taps: Array, bias: np.float32, odd: Array, even: Array, line: Array) -> None:
    """Sum the upper six taps, of (3, N) each."""
    a, b, c, d, e, f = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    left, middle, right = odd[0], odd[1], odd[2]
    under_left, under, under_right = even[0], even[1], even[2]
    for i in range(len(line)):
        above = a * left[i] + b * middle[i] + c * right[i]
        line[i] = bias + above + d * under_left[i] + e * under[i] + f * under_right[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _lower_taps(taps: Array, line: Array, odd: Array, start: int, activation: ActivationParams, out: Array) -> None:
    """Add the lower three taps and apply the activation."""
    slope, limit = activation
    a, b, c = taps[6], taps[7], taps[8]
    left, middle, right = odd[0, start:], odd[1, start:], odd[2, start:]
    for i in range(len(out)):
        value = line[i] + a * left[i] + b * middle[i] + c * right[i]
        out[i] = min(max(value, slope * value), limit)


@njit(cache=True, nogil=True, error_model="numpy")
def _load_gradient(gradient: Array, rows: tuple[int, int], here: Array, after: Array) -> None:
    """Copy rows y0 to y1 of each of (m, OH, OW), 0 below the feature map, and the same shifted by a pixel."""
    (y0, y1), (height, width) = rows, gradient.shape[1:]
    block, bottom = (y1 - y0 + 1) * width, min(y1 + 1, height)
    for i in range(len(gradient)):
        source, part = gradient[i, y0:bottom].reshape(-1), here[i * block : (i + 1) * block]
        for j in range(len(source)):
            part[j] = source[j]
        part[len(source) :] = 0
    moved = here[1:]
    for j in range(len(moved)):
        after[j] = moved[j]
    for start in range(0, len(here), width):
        after[start + width - 1] = 0


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _even_row(taps: Array, here: Array, after: Array, accumulate: bool, row: Array) -> None:
    """Row 2 y of the input: read by the middle row of the kernel at y."""
    two, one, zero, pairs = np.uint64(2), np.uint64(1), np.float32(0), len(row) // 2
    a, b, c = taps[3], taps[4], taps[5]
    for j in range(np.uint64(pairs)):
        k = two * j
        row[k] = (row[k] if accumulate else zero) + b * here[j]
        row[k + one] = (row[k + one] if accumulate else zero) + c * here[j] + a * after[j]
    if len(row) > 2 * pairs:
        row[2 * pairs] = (row[2 * pairs] if accumulate else zero) + b * here[pairs]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _odd_row(taps: Array, here: Array, after: Array, below: Array, below_after: Array, accumulate: bool, row: Array) -> None:
    """Row 2 y + 1: read by the lower row of the kernel at y and by the upper one at y + 1."""
    two, one, zero, pairs = np.uint64(2), np.uint64(1), np.float32(0), len(row) // 2
    a, b, c, g, h, k2 = taps[0], taps[1], taps[2], taps[6], taps[7], taps[8]
    for j in range(np.uint64(pairs)):
        k = two * j
        row[k] = (row[k] if accumulate else zero) + h * here[j] + b * below[j]
        row[k + one] = (row[k + one] if accumulate else zero) + k2 * here[j] + g * after[j] + c * below[j] + a * below_after[j]
    if len(row) > 2 * pairs:
        row[2 * pairs] = (row[2 * pairs] if accumulate else zero) + h * here[pairs] + b * below[pairs]


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def forward(operands: ConvolutionOperands, tiling: Tiling, memory: Array, out: Array) -> None:
    """Compute convolution, bias and activation; parameters as in `depthwise3x3_s1.forward`, ``out`` (F, n, OH, OW)."""
    operands = ConvolutionOperands(*operands)
    tiling = Tiling(*tiling)
    x, weights, bias, slope, limit = operands
    activation = ActivationParams(slope, limit)
    (count, height, width), multiplier = out.shape[1:], len(out) // len(x)
    for c in range(len(x)):
        for start in range(0, count, tiling.images):
            stop = min(start + tiling.images, count)
            for y0 in range(0, height, tiling.rows):
                rows = y0, min(y0 + tiling.rows, height)
                _load(x[c, start:stop], rows, width, memory)
                for f in range(c * multiplier, (c + 1) * multiplier):
                    _forward_tile(weights[f], bias[f], activation, rows, memory, out[f, start:stop])


@njit(cache=True, nogil=True, error_model="numpy")
def _forward_tile(
    taps: Array, bias: np.float32, activation: ActivationParams, rows: tuple[int, int], memory: Array, out: Array
) -> None:
    """Compute rows of (m, OH, OW) for one filter from what `_load` has put into memory."""
    width = out.shape[2]
    block, odd = (rows[1] - rows[0] + 1) * width, memory[0:3]
    line = memory[6, : len(out) * block - width]
    _upper_taps(taps, bias, odd, memory[3:6], line)
    for i in range(len(out)):
        _lower_taps(taps, line[i * block :], odd, i * block + width, activation, out[i, rows[0] : rows[1]].reshape(-1))


@njit(cache=True, nogil=True, error_model="numpy")
def _input_rows(taps: Array, here: Array, after: Array, rows: tuple[int, int], accumulate: bool, target: Array) -> None:
    """Compute all rows of the input's gradient (m, H, W) that belong to rows y0 to y1 - 1 of the output."""
    (y0, y1), width = rows, (target.shape[2] + 1) // 2
    for i in range(len(target)):
        for y in range(y0, y1):
            k = (i * (y1 - y0 + 1) + y - y0) * width
            _even_row(taps, here[k:], after[k:], accumulate, target[i, 2 * y])
            if 2 * y + 1 < target.shape[1]:
                _odd_row(taps, here[k:], after[k:], here[k + width :], after[k + width :], accumulate, target[i, 2 * y + 1])


@njit(cache=True, nogil=True, error_model="numpy")
def _add_taps_gradient(gradient: Array, stacks: Array, start: int, out: Array) -> None:
    """Add the products of the gradient with what three taps read to (3,)."""
    add_three_dots(gradient, stacks[0, start:], stacks[1, start:], stacks[2, start:], out)


@njit(cache=True, nogil=True, error_model="numpy")
def _backward_tile(
    taps: Array, rows: tuple[int, int], memory: Array, gradient: Array, accumulate: bool, target: Array, taps_gradient: Array
) -> None:
    """Add rows of one filter to the gradients of its taps, and of the input (m, H, W) where ``target`` is not empty."""
    width = gradient.shape[2]
    size = len(gradient) * (rows[1] - rows[0] + 1) * width
    odd, even, here, after = memory[0:3], memory[3:6], memory[6, :size], memory[7, :size]
    _load_gradient(gradient, rows, here, after)
    body = here[: size - width]
    _add_taps_gradient(body, odd, 0, taps_gradient[0:3])
    _add_taps_gradient(body, even, 0, taps_gradient[3:6])
    _add_taps_gradient(body, odd, width, taps_gradient[6:9])
    if target.size > 0:
        _input_rows(taps, here, after, rows, accumulate, target)


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def backward(operands: ConvolutionOperands, gradients: ConvolutionGradients, tiling: Tiling, memory: Array, out: Array) -> None:
    """Compute the gradients of weights, bias and input; parameters as in `depthwise3x3_s1.backward`."""
    operands = ConvolutionOperands(*operands)
    gradients = ConvolutionGradients(*gradients)
    tiling = Tiling(*tiling)
    x, weights = operands.x, operands.weights
    (count, height, width), multiplier = out.shape[1:], len(out) // len(x)
    gradients.weights[:] = 0
    for c in range(len(x)):
        for f in range(c * multiplier, (c + 1) * multiplier):
            flat = gradients.out[f].reshape(-1)
            gradients.bias[f] = activation_backward_inplace(
                flat, out[f].reshape(-1), ActivationParams(operands.slope, operands.limit)
            )
        for start in range(0, count, tiling.images):
            stop = min(start + tiling.images, count)
            for y0 in range(0, height, tiling.rows):
                rows, target = (y0, min(y0 + tiling.rows, height)), gradients.x[c, start:stop]
                _load(x[c, start:stop], rows, width, memory)
                for f in range(c * multiplier, (c + 1) * multiplier):
                    gradient, accumulate = gradients.out[f, start:stop], gradients.accumulate or f > c * multiplier
                    _backward_tile(weights[f], rows, memory, gradient, accumulate, target, gradients.weights[f])
