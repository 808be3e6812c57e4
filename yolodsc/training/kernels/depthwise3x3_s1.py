"""Depthwise 3x3 with a margin of 1 and stride 1, forward and backward, a few thousand numbers at a time.

A stack of rows is kept three times, as it is and moved by a pixel to either side, with zeros for what comes from beyond the row's
end. All nine taps are then shifts by whole rows, and a convolution a sum of products of flat arrays, whatever the width of the map.
The gradient of the input is the same sum of the output's gradient with the kernel turned round.

Between images, and above and below the map, lies one row of zeros; of tall maps the neighbouring rows lie there instead.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.piecewise_linear import unbend_row

BUFFERS = 7
"""Lines of memory that `backward` needs."""


@njit(cache=True, nogil=True, error_model="numpy")
def _copy(source: Array, place: Array) -> None:
    for i in range(len(place)):
        place[i] = source[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _stack(x: Array, y0: int, y1: int, place: Array) -> None:
    """Rows y0 - 1 to y1 of each of (m, H, W), 0 outside the map; images share the row between them."""
    height, width = x.shape[1:]
    block = (y1 - y0 + 1) * width
    top, bottom = max(y0 - 1, 0), min(y1 + 1, height)
    place[:width] = 0
    for i in range(len(x)):
        start = i * block + (top - y0 + 1) * width
        stop = start + (bottom - top) * width
        _copy(x[i, top:bottom].reshape(-1), place[start:stop])
        if bottom == y1:
            place[stop : stop + width] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _sides(centre: Array, width: int, left: Array, right: Array) -> None:
    """Each pixel's left and right neighbours."""
    _copy(centre, left[1:])
    _copy(centre[1:], right[: len(right) - 1])
    for start in range(0, len(centre), width):
        left[start] = 0
        right[start + width - 1] = 0


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _two_rows(taps: Array, bias: np.float32, left: Array, centre: Array, right: Array, width: int, line: Array) -> None:
    """The upper six taps: LLVM's check for overlaps, which it makes before vector code, ends at eight arrays."""
    a, b, c, d, e, f = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    under_left, under, under_right = left[width:], centre[width:], right[width:]
    for i in range(len(line)):
        above = a * left[i] + b * centre[i] + c * right[i]
        line[i] = bias + above + d * under_left[i] + e * under[i] + f * under_right[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _bent_row(
    taps: Array, line: Array, left: Array, centre: Array, right: Array, slope: np.float32, limit: np.float32, out: Array
) -> None:
    """The lower three taps and the activation."""
    a, b, c = taps[6], taps[7], taps[8]
    for i in range(len(out)):
        value = line[i] + a * left[i] + b * centre[i] + c * right[i]
        out[i] = min(max(value, slope * value), limit)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _put_row(taps: Array, line: Array, left: Array, centre: Array, right: Array, add: bool, out: Array) -> None:
    """The lower three taps, stored or added."""
    a, b, c = taps[6], taps[7], taps[8]
    if add:
        for i in range(len(out)):
            out[i] += line[i] + a * left[i] + b * centre[i] + c * right[i]
    else:
        for i in range(len(out)):
            out[i] = line[i] + a * left[i] + b * centre[i] + c * right[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _dots(gradient: Array, left: Array, centre: Array, right: Array, out: Array) -> None:
    """Add the products of the gradient with what three taps saw."""
    a = b = c = np.float32(0)
    for i in range(len(gradient)):
        a += gradient[i] * left[i]
        b += gradient[i] * centre[i]
        c += gradient[i] * right[i]
    out[0] += a
    out[1] += b
    out[2] += c


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
    """Convolve, add the bias, bend and cut.

    Parameters
    ----------
    x : (C, n, H, W)
    kernel : (F, 9)
        F = C * multiplier; filter f sees channel f // multiplier.
    bending
        Slope below 0 and greatest value of the activation.
    images, rows
        Of the output, at a time; several images only with all their rows.
    memory : (BUFFERS, at least (images * (rows + 1) + 1) * W)
    out : (F, n, H, W)
    """
    channels, count, height, width = x.shape
    multiplier = len(out) // channels
    for c in range(channels):
        for start in range(0, count, images):
            m = min(images, count - start)
            for y0 in range(0, height, rows):
                y1 = min(y0 + rows, height)
                block = (y1 - y0 + 1) * width
                left, centre, right = memory[0, : m * block + width], memory[1, : m * block + width], memory[2, : m * block + width]
                _stack(x[c, start : start + m], y0, y1, centre)
                _sides(centre, width, left, right)
                line = memory[3, : m * block - width]
                for f in range(c * multiplier, (c + 1) * multiplier):
                    _two_rows(kernel[f], bias[f], left, centre, right, width, line)
                    for i in range(m):
                        low = i * block + 2 * width
                        place = out[f, start + i, y0:y1].reshape(-1)
                        _bent_row(
                            kernel[f], line[i * block :], left[low:], centre[low:], right[low:], bending[0], bending[1], place
                        )


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
    """Gradients of kernel (F, 9), bias (F,) and, where ``target`` (C, n, H, W) is not empty, of the input; others as in `forward`.

    The gradient of the output (F, n, H, W) is overwritten with that before the activation.
    """
    channels, count, height, width = x.shape
    multiplier = len(out) // channels
    kernel_gradient[:] = 0
    for c in range(channels):
        for f in range(c * multiplier, (c + 1) * multiplier):
            bias_gradient[f] = unbend_row(gradient[f].reshape(-1), out[f].reshape(-1), bending)
        for start in range(0, count, images):
            m = min(images, count - start)
            for y0 in range(0, height, rows):
                y1 = min(y0 + rows, height)
                block = (y1 - y0 + 1) * width
                size = m * block + width
                left, centre, right = memory[0, :size], memory[1, :size], memory[2, :size]
                before, here, after = memory[3, :size], memory[4, :size], memory[5, :size]
                line = memory[6, : size - 2 * width]
                _stack(x[c, start : start + m], y0, y1, centre)
                _sides(centre, width, left, right)
                for f in range(c * multiplier, (c + 1) * multiplier):
                    _stack(gradient[f, start : start + m], y0, y1, here)
                    body = here[width : size - width]
                    for ky in range(3):
                        row, goal = ky * width, kernel_gradient[f, 3 * ky : 3 * ky + 3]
                        _dots(body, left[row:], centre[row:], right[row:], goal)
                    if target.size == 0:
                        continue
                    _sides(here, width, before, after)
                    taps = kernel[f, ::-1].copy()
                    _two_rows(taps, np.float32(0), before, here, after, width, line)
                    for i in range(m):
                        low, more = i * block + 2 * width, add or f > c * multiplier
                        place = target[c, start + i, y0:y1].reshape(-1)
                        _put_row(taps, line[i * block :], before[low:], here[low:], after[low:], more, place)
