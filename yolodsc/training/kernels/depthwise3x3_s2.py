"""Depthwise 3x3 with a margin of 1 and stride 2, forward and backward, a few thousand numbers at a time.

As in `three`, but even and odd rows are kept apart, and so are even and odd pixels: each stack holds what the left, the middle and
the right taps see, OW numbers a row. Row y of the output sees odd row y - 1, even row y and odd row y.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.piecewise_linear import unbend_row

BUFFERS = 8
"""Lines of memory that `backward` needs."""


@njit(cache=True, nogil=True, error_model="numpy")
def _split(row: Array, middle: Array, right: Array) -> None:
    """Even pixels (OW,) and odd ones, with a 0 where the row ends on an even one."""
    two, one, pairs = np.uint64(2), np.uint64(1), len(row) // 2
    for j in range(np.uint64(pairs)):
        middle[j] = row[two * j]
        right[j] = row[two * j + one]
    if len(middle) > pairs:
        middle[pairs] = row[2 * pairs]
        right[pairs] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _stack(x: Array, y0: int, y1: int, width: int, parity: int, left: Array, middle: Array, right: Array) -> None:
    """Every second row of (m, H, W): even ones from 2 y0, odd ones from 2 y0 - 1; 0 outside the map."""
    rows = y1 - y0 + 1
    for i in range(len(x)):
        for r in range(rows):
            y, start = 2 * (y0 + r) - parity, (i * rows + r) * width
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


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _two_rows(taps: Array, bias: np.float32, odd: Array, even: Array, line: Array) -> None:
    """The upper six taps, of (3, N) each."""
    a, b, c, d, e, f = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    left, middle, right = odd[0], odd[1], odd[2]
    under_left, under, under_right = even[0], even[1], even[2]
    for i in range(len(line)):
        above = a * left[i] + b * middle[i] + c * right[i]
        line[i] = bias + above + d * under_left[i] + e * under[i] + f * under_right[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _bent_row(taps: Array, line: Array, odd: Array, start: int, bending: tuple[np.float32, np.float32], out: Array) -> None:
    """The lower three taps and the activation."""
    slope, limit = bending
    a, b, c = taps[6], taps[7], taps[8]
    left, middle, right = odd[0, start:], odd[1, start:], odd[2, start:]
    for i in range(len(out)):
        value = line[i] + a * left[i] + b * middle[i] + c * right[i]
        out[i] = min(max(value, slope * value), limit)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _three_dots(gradient: Array, stacks: Array, start: int, out: Array) -> None:
    """Add the products of the gradient with what three taps saw."""
    left, middle, right = stacks[0, start:], stacks[1, start:], stacks[2, start:]
    a = b = c = np.float32(0)
    for i in range(len(gradient)):
        a += gradient[i] * left[i]
        b += gradient[i] * middle[i]
        c += gradient[i] * right[i]
    out[0] += a
    out[1] += b
    out[2] += c


@njit(cache=True, nogil=True, error_model="numpy")
def _slopes(gradient: Array, y0: int, y1: int, place: Array, after: Array) -> None:
    """Rows y0 to y1 of each of (m, OH, OW), 0 below the map, and the same moved by a pixel."""
    height, width = gradient.shape[1:]
    block, bottom = (y1 - y0 + 1) * width, min(y1 + 1, height)
    for i in range(len(gradient)):
        source, part = gradient[i, y0:bottom].reshape(-1), place[i * block : (i + 1) * block]
        for j in range(len(source)):
            part[j] = source[j]
        part[len(source) :] = 0
    moved = place[1:]
    for j in range(len(moved)):
        after[j] = moved[j]
    for start in range(0, len(place), width):
        after[start + width - 1] = 0


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _even_row(taps: Array, here: Array, after: Array, add: bool, row: Array) -> None:
    """Row 2 y of the input: seen by the middle row of the kernel at y."""
    two, one, zero, pairs = np.uint64(2), np.uint64(1), np.float32(0), len(row) // 2
    a, b, c = taps[3], taps[4], taps[5]
    for j in range(np.uint64(pairs)):
        k = two * j
        row[k] = (row[k] if add else zero) + b * here[j]
        row[k + one] = (row[k + one] if add else zero) + c * here[j] + a * after[j]
    if len(row) > 2 * pairs:
        row[2 * pairs] = (row[2 * pairs] if add else zero) + b * here[pairs]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _odd_row(taps: Array, here: Array, after: Array, below: Array, below_after: Array, add: bool, row: Array) -> None:
    """Row 2 y + 1: seen by the lower row of the kernel at y and by the upper one at y + 1."""
    two, one, zero, pairs = np.uint64(2), np.uint64(1), np.float32(0), len(row) // 2
    a, b, c, g, h, k2 = taps[0], taps[1], taps[2], taps[6], taps[7], taps[8]
    for j in range(np.uint64(pairs)):
        k = two * j
        row[k] = (row[k] if add else zero) + h * here[j] + b * below[j]
        row[k + one] = (row[k + one] if add else zero) + k2 * here[j] + g * after[j] + c * below[j] + a * below_after[j]
    if len(row) > 2 * pairs:
        row[2 * pairs] = (row[2 * pairs] if add else zero) + h * here[pairs] + b * below[pairs]


@njit(cache=True, nogil=True, error_model="numpy")
def forward(
    x: Array,
    kernel: Array,
    bias: Array,
    bending: tuple[np.float32, np.float32],
    images: int,
    rows: int,
    memory: Array,
    out: Array,
) -> None:
    """Convolve, add the bias, bend and cut; parameters as in `three.forward`, ``out`` (F, n, OH, OW)."""
    (count, height, width), multiplier = out.shape[1:], len(out) // len(x)
    for c in range(len(x)):
        for start in range(0, count, images):
            m = min(images, count - start)
            for y0 in range(0, height, rows):
                y1 = min(y0 + rows, height)
                block = (y1 - y0 + 1) * width
                odd, even = memory[0:3], memory[3:6]
                shown = x[c, start : start + m]
                _stack(shown, y0, y1, width, 1, odd[0, : m * block], odd[1, : m * block], odd[2, : m * block])
                _stack(shown, y0, y1, width, 0, even[0, : m * block], even[1, : m * block], even[2, : m * block])
                line = memory[6, : m * block - width]
                for f in range(c * multiplier, (c + 1) * multiplier):
                    _two_rows(kernel[f], bias[f], odd, even, line)
                    for i in range(m):
                        place = out[f, start + i, y0:y1].reshape(-1)
                        _bent_row(kernel[f], line[i * block :], odd, i * block + width, bending, place)


@njit(cache=True, nogil=True, error_model="numpy")
def _input_rows(taps: Array, here: Array, after: Array, y0: int, y1: int, add: bool, target: Array) -> None:
    """All rows of the input (m, H, W) that belong to rows y0 to y1 - 1 of the output."""
    width = (target.shape[2] + 1) // 2
    for i in range(len(target)):
        for y in range(y0, y1):
            k = (i * (y1 - y0 + 1) + y - y0) * width
            _even_row(taps, here[k:], after[k:], add, target[i, 2 * y])
            if 2 * y + 1 < target.shape[1]:
                _odd_row(taps, here[k:], after[k:], here[k + width :], after[k + width :], add, target[i, 2 * y + 1])


@njit(cache=True, nogil=True, error_model="numpy")
def backward(
    x: Array,
    out: Array,
    gradient: Array,
    kernel: Array,
    bending: tuple[np.float32, np.float32],
    images: int,
    rows: int,
    memory: Array,
    target: Array,
    add: bool,
    kernel_gradient: Array,
    bias_gradient: Array,
) -> None:
    """Gradients of kernel, bias and input; parameters as in `three.backward`, ``out`` and ``gradient`` (F, n, OH, OW)."""
    (count, height, width), multiplier = out.shape[1:], len(out) // len(x)
    kernel_gradient[:] = 0
    for c in range(len(x)):
        for f in range(c * multiplier, (c + 1) * multiplier):
            bias_gradient[f] = unbend_row(gradient[f].reshape(-1), out[f].reshape(-1), bending)
        for start in range(0, count, images):
            m = min(images, count - start)
            for y0 in range(0, height, rows):
                y1 = min(y0 + rows, height)
                block = (y1 - y0 + 1) * width
                odd, even = memory[0:3], memory[3:6]
                shown = x[c, start : start + m]
                _stack(shown, y0, y1, width, 1, odd[0, : m * block], odd[1, : m * block], odd[2, : m * block])
                _stack(shown, y0, y1, width, 0, even[0, : m * block], even[1, : m * block], even[2, : m * block])
                here, after = memory[6, : m * block], memory[7, : m * block]
                for f in range(c * multiplier, (c + 1) * multiplier):
                    _slopes(gradient[f, start : start + m], y0, y1, here, after)
                    body = here[: m * block - width]
                    _three_dots(body, odd, 0, kernel_gradient[f, 0:3])
                    _three_dots(body, even, 0, kernel_gradient[f, 3:6])
                    _three_dots(body, odd, width, kernel_gradient[f, 6:9])
                    if target.size > 0:
                        _input_rows(kernel[f], here, after, y0, y1, add or f > c * multiplier, target[c, start : start + m])
