"""Depthwise convolution of any size, stride, dilation and number of filters a channel, forward and backward.

An image's channel is copied into a buffer with its zero padding, divided into phases: with stride s, pixel (y, x) lies in phase
(y % s, x % s) at (y // s, x // s). Each tap is then one shift of one phase, and the convolution is a sum of products of long
flattened arrays. The ends of rows need no special case (what is computed there is not used), and LLVM vectorises however narrow the
feature map. Three taps at a time run at 29 GMAC/s on one core; indexed access, which Numba guards against negative indices, runs at
2.5.
"""

import numpy as np

from yolodsc.arrays import Array, Ints
from yolodsc.jit import njit
from yolodsc.training.kernels.arguments import (
    ActivationParams,
    ConvolutionGradients,
    ConvolutionOperands,
    PhaseBuffers,
    PhaseLayout,
    plain_arguments,
)
from yolodsc.training.kernels.piecewise_linear import activated, input_gradient
from yolodsc.training.kernels.reductions import add_three_dots, dot, row_sum

CACHED = 6144
"""Elements of a buffer that several images may share."""


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _add_taps(out: Array, source: Array, starts: Ints, taps: Array) -> None:
    """Add Σ taps[k] * source[starts[k] + i] to out[i]."""
    k = 0
    while k < len(taps):
        a, u = source[starts[k] :], taps[k]
        if k + 2 < len(taps):
            b, c, v, w = source[starts[k + 1] :], source[starts[k + 2] :], taps[k + 1], taps[k + 2]
            for i in range(len(out)):
                out[i] += u * a[i] + v * b[i] + w * c[i]
        elif k + 1 < len(taps):
            b, v = source[starts[k + 1] :], taps[k + 1]
            for i in range(len(out)):
                out[i] += u * a[i] + v * b[i]
        else:
            for i in range(len(out)):
                out[i] += u * a[i]
        k += 3


@njit(cache=True, nogil=True, error_model="numpy")
def _add_taps_gradient(gradient: Array, source: Array, starts: Ints, out: Array) -> None:
    """Add Σ gradient[i] * source[starts[k] + i] to out[k]."""
    triples = len(out) // 3 * 3
    for k in range(0, triples, 3):
        a, b, c = source[starts[k] :], source[starts[k + 1] :], source[starts[k + 2] :]
        add_three_dots(gradient, a, b, c, out[k:])
    for k in range(triples, len(out)):
        out[k] += dot(gradient, source[starts[k] :])


@njit(cache=True, nogil=True, error_model="numpy")
def _phase_row(width: int, padding: int, phase: int, stride: int, pitch: int) -> tuple[int, int, int]:
    """Return the first column of a phase that a row of pixels fills, the first pixel, and the count."""
    first = max((padding - phase + stride - 1) // stride, 0)
    left = first * stride + phase - padding
    return first, left, min((width - left + stride - 1) // stride, pitch - first)


@njit(cache=True, nogil=True, error_model="numpy")
def _split(image: Array, padding: int, phases: Array) -> None:
    """Copy (H, W) into (s, s, rows, pitch); the padding is not written."""
    (height, width), (sy, sx, rows, pitch) = image.shape, phases.shape
    for y in range(min(height, rows * sy - padding)):
        for phase in range(sx):
            target = phases[(y + padding) % sy, phase, (y + padding) // sy]
            first, left, count = _phase_row(width, padding, phase, sx, pitch)
            source, line = image[y, left:], target[first:]
            if sx == 1:
                for x in range(count):
                    line[x] = source[x]
            elif sx == 2:
                for x in range(count):
                    line[x] = source[2 * x]
            else:
                for x in range(count):
                    line[x] = source[sx * x]


@njit(cache=True, nogil=True, error_model="numpy")
def _merge(phases: Array, padding: int, image: Array, accumulate: bool) -> None:
    """Store (s, s, rows, pitch) in (H, W), or add it; pixels that no tap reads get 0 or nothing."""
    (height, width), (sy, sx, rows, pitch) = image.shape, phases.shape
    base = np.float32(1 if accumulate else 0)
    for y in range(height):
        if not accumulate:
            image[y] = 0
        if y + padding >= rows * sy:
            continue
        for phase in range(sx):
            source = phases[(y + padding) % sy, phase, (y + padding) // sy]
            first, left, count = _phase_row(width, padding, phase, sx, pitch)
            line, target = source[first:], image[y, left:]
            if sx == 1:
                for x in range(count):
                    target[x] = base * target[x] + line[x]
            elif sx == 2:
                for x in range(count):
                    target[2 * x] = base * target[2 * x] + line[x]
            else:
                for x in range(count):
                    target[sx * x] = base * target[sx * x] + line[x]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _store_activated(line: Array, activation: ActivationParams, block: int, pitch: int, out: Array) -> None:
    """Fill (m, OH, OW) with the activation of what lies in a line, ``block`` elements an image and ``pitch`` a row."""
    for i in range(len(out)):
        for y in range(out.shape[1]):
            source, row = line[i * block + y * pitch :], out[i, y]
            for x in range(len(row)):
                row[x] = activated(source[x], activation)


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
    buffers = PhaseBuffers(*buffers)
    x, weights, bias, slope, limit = operands
    activation = ActivationParams(slope, limit)
    phases, line, _ = buffers
    images, height, width = out.shape[1:]
    multiplier, m, pitch, block = len(out) // len(x), len(phases), phases.shape[4], phases[0].size
    for c in range(len(x)):
        for start in range(0, images, m):
            count = min(m, images - start)
            for i in range(count):
                _split(x[c, start + i], layout.padding, phases[i])
            used = line[: (count - 1) * block + (height - 1) * pitch + width]
            for f in range(c * multiplier, (c + 1) * multiplier):
                used[:] = bias[f]
                _add_taps(used, phases.reshape(-1), layout.starts, weights[f])
                _store_activated(used, activation, block, pitch, out[f, start : start + count])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _load_gradient(gradient: Array, out: Array, activation: ActivationParams, block: int, pitch: int, line: Array) -> None:
    """Copy gradients (m, OH, OW) through the activation into a line."""
    for i in range(gradient.shape[0]):
        for y in range(gradient.shape[1]):
            g, v, part = gradient[i, y], out[i, y], line[i * block + y * pitch :]
            for x in range(gradient.shape[2]):
                part[x] = input_gradient(g[x], v[x], activation)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_input_gradient(taps: Array, layout: PhaseLayout, line: Array, sums: Array) -> None:
    """Add one filter's part of the gradient of the input to its phases (count, s, s, rows, pitch)."""
    area, block = sums.shape[3] * sums.shape[4], sums[0].size
    head, sorted_taps, shifts = len(line) - len(sums) * block, taps[layout.order], layout.starts[layout.order] % area
    for i in range(len(sums)):
        flat = sums[i].reshape(-1)
        for p in range(len(layout.parts) - 1):
            first, last = layout.parts[p], layout.parts[p + 1]
            _add_taps(flat[p * area : (p + 1) * area], line, head + i * block - shifts[first:last], sorted_taps[first:last])


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
    x, weights, _, slope, limit = operands
    activation = ActivationParams(slope, limit)
    phases, line, sums = buffers
    images, height, width = out.shape[1:]
    multiplier, m, pitch, block = len(out) // len(x), len(phases), phases.shape[4], phases[0].size
    head = len(line) - m * block
    gradients.weights[:] = 0
    gradients.bias[:] = 0
    for c in range(len(x)):
        for start in range(0, images, m):
            stop = min(start + m, images)
            count = stop - start
            for i in range(count):
                _split(x[c, start + i], layout.padding, phases[i])
            used = line[head : head + (count - 1) * block + (height - 1) * pitch + width]
            sums[:] = 0
            for f in range(c * multiplier, (c + 1) * multiplier):
                _load_gradient(gradients.out[f, start:stop], out[f, start:stop], activation, block, pitch, line[head:])
                gradients.bias[f] += row_sum(used)
                _add_taps_gradient(used, phases.reshape(-1), layout.starts, gradients.weights[f])
                if gradients.x.size > 0:
                    _add_input_gradient(weights[f], layout, line[: head + count * block], sums[:count])
            if gradients.x.size > 0:
                for i in range(count):
                    _merge(sums[i], layout.padding, gradients.x[c, start + i], gradients.accumulate)
