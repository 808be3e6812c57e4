"""Depthwise convolution of stacks of planes, forward and backward.

A plane is copied into a buffer with its zero margins, cut into phases: with stride s, pixel (y, x) lies in phase (y % s, x % s) at
(y // s, x // s). Seen so, every tap is one shift of one phase, and convolution a sum of products of long flat arrays: row ends
need no care (what is computed there is not used), and LLVM makes vector code however narrow the map. Three taps at a time run at
29 GMAC/s on one core where indexed access, which Numba guards against negative indices, runs at 2.5.
"""

import numpy as np

from yolodsc.arrays import Array, Ints
from yolodsc.jit import njit
from yolodsc.training.kernels.piecewise_linear import unbent

CACHED = 6144
"""How many numbers a buffer may hold for several images to share it."""


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _sum(out: Array, source: Array, starts: Ints, taps: Array) -> None:
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


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _dots(gradient: Array, source: Array, starts: Ints, out: Array) -> None:
    """Add Σ gradient[i] * source[starts[k] + i] to out[k]."""
    k, zero = 0, np.float32(0)
    while k < len(out):
        a, p, q, r = source[starts[k] :], zero, zero, zero
        if k + 2 < len(out):
            b, c = source[starts[k + 1] :], source[starts[k + 2] :]
            for i in range(len(gradient)):
                p += gradient[i] * a[i]
                q += gradient[i] * b[i]
                r += gradient[i] * c[i]
            out[k + 1] += q
            out[k + 2] += r
        elif k + 1 < len(out):
            b = source[starts[k + 1] :]
            for i in range(len(gradient)):
                p += gradient[i] * a[i]
                q += gradient[i] * b[i]
            out[k + 1] += q
        else:
            for i in range(len(gradient)):
                p += gradient[i] * a[i]
        out[k] += p
        k += 3


@njit(cache=True, nogil=True, error_model="numpy")
def _spread(plane: Array, margin: int, strides: tuple[int, int], phases: Array) -> None:
    """Copy (H, W) into its places in (s, s, rows, pitch); margins stay as they are."""
    height, width = plane.shape
    sy, sx, rows, pitch = phases.shape[0], phases.shape[1], phases.shape[2], phases.shape[3]
    for y in range(min(height, rows * sy - margin)):
        py = y + margin
        for phase in range(sx):
            target = phases[py % sy, phase, py // sy]
            first = max((margin - phase + sx - 1) // sx, 0)
            left = first * sx + phase - margin
            count = min((width - left + sx - 1) // sx, pitch - first)
            source, line = plane[y, left:], target[first:]
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
def _collect(phases: Array, margin: int, strides: tuple[int, int], plane: Array, add: bool) -> None:
    """The way back: from (s, s, rows, pitch) to (H, W), 0 or nothing for pixels that no tap sees."""
    height, width = plane.shape
    sy, sx, rows, pitch = phases.shape[0], phases.shape[1], phases.shape[2], phases.shape[3]
    base = np.float32(1 if add else 0)
    for y in range(height):
        row = plane[y]
        py = y + margin
        if not add:
            row[:] = 0
        if py >= rows * sy:
            continue
        for phase in range(sx):
            source = phases[py % sy, phase, py // sy]
            first = max((margin - phase + sx - 1) // sx, 0)
            left = first * sx + phase - margin
            count = min((width - left + sx - 1) // sx, pitch - first)
            line, target = source[first:], row[left:]
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
def forward(
    x: Array,
    kernel: Array,
    bias: Array,
    bending: tuple[np.float32, np.float32],
    margin: int,
    strides: tuple[int, int],
    starts: Ints,
    phases: Array,
    line: Array,
    out: Array,
) -> None:
    """Convolve, add the bias, bend and cut.

    Parameters
    ----------
    x : (C, n, H, W)
    kernel : (F, K * K)
        F = C * multiplier; filter f sees channel f // multiplier.
    bending
        Slope below 0 and greatest value of the activation.
    starts : (K * K,)
        Where each tap's first number lies in ``phases``, flat.
    phases : (m, s, s, rows, pitch)
        Memory for m images; its margins must be 0 and stay so.
    line : (m * s * s * rows * pitch,)
        Memory.
    out : (F, n, OH, OW)
    """
    filters, images, height, width = out.shape
    multiplier = filters // x.shape[0]
    m, pitch = len(phases), phases.shape[4]
    block = phases[0].size
    source = phases.reshape(-1)
    slope, limit = bending
    for c in range(x.shape[0]):
        for start in range(0, images, m):
            count = min(m, images - start)
            for i in range(count):
                _spread(x[c, start + i], margin, strides, phases[i])
            used = line[: (count - 1) * block + (height - 1) * pitch + width]
            for f in range(c * multiplier, (c + 1) * multiplier):
                used[:] = bias[f]
                _sum(used, source, starts, kernel[f])
                for i in range(len(used)):
                    used[i] = min(max(used[i], slope * used[i]), limit)
                for i in range(count):
                    for y in range(height):
                        row, place = out[f, start + i, y], i * block + y * pitch
                        part = line[place:]
                        for j in range(width):
                            row[j] = part[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _unbent(gradient: Array, out: Array, bending: tuple[np.float32, np.float32], block: int, pitch: int, line: Array) -> np.float32:
    """Gradients (m, OH, OW) through the activation into their places of a line; returns their sum."""
    total = np.float32(0)
    for i in range(gradient.shape[0]):
        for y in range(gradient.shape[1]):
            g, v, part = gradient[i, y], out[i, y], line[i * block + y * pitch :]
            for x in range(gradient.shape[2]):
                value = unbent(g[x], v[x], bending)
                part[x] = value
                total += value
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def backward(
    x: Array,
    out: Array,
    gradient: Array,
    kernel: Array,
    bending: tuple[np.float32, np.float32],
    margin: int,
    strides: tuple[int, int],
    starts: Ints,
    order: Ints,
    parts: Ints,
    phases: Array,
    line: Array,
    sums: Array,
    target: Array,
    add: bool,
    kernel_gradient: Array,
    bias_gradient: Array,
) -> None:
    """Gradients of kernel (F, K * K), bias (F,) and, where ``target`` (C, n, H, W) is not empty, of the input.

    Parameters
    ----------
    order : (K * K,)
        The taps sorted by phase; those of phase p are ``order[parts[p] : parts[p + 1]]``.
    line : (margin of zeros + m * s * s * rows * pitch,)
        Memory for the output's gradient, 0 wherever no pixel lies; the margin is as long as the greatest shift.
    sums
        Memory of the shape of ``phases``.
    """
    filters, images = out.shape[:2]
    multiplier = filters // x.shape[0]
    m, pitch, block = len(phases), phases.shape[4], phases[0].size
    area = phases.shape[3] * pitch
    source, shifts = phases.reshape(-1), starts % area
    head = len(line) - m * block
    taps = np.empty(len(starts), np.float32)
    back = np.empty(len(starts), np.int64)
    kernel_gradient[:] = 0
    bias_gradient[:] = 0
    for c in range(x.shape[0]):
        for start in range(0, images, m):
            count = min(m, images - start)
            for i in range(count):
                _spread(x[c, start + i], margin, strides, phases[i])
            used = line[head : head + (count - 1) * block + (out.shape[2] - 1) * pitch + out.shape[3]]
            sums[:] = 0
            for f in range(c * multiplier, (c + 1) * multiplier):
                stop = start + count
                bias_gradient[f] += _unbent(gradient[f, start:stop], out[f, start:stop], bending, block, pitch, line[head:])
                _dots(used, source, starts, kernel_gradient[f])
                if target.size == 0:
                    continue
                for k in range(len(order)):
                    taps[k] = kernel[f, order[k]]
                for i in range(count):
                    for p in range(len(parts) - 1):
                        for k in range(parts[p], parts[p + 1]):
                            back[k] = head + i * block - shifts[order[k]]
                        goal = sums[i].reshape(-1)[p * area : (p + 1) * area]
                        _sum(goal, line, back[parts[p] : parts[p + 1]], taps[parts[p] : parts[p + 1]])
            if target.size > 0:
                for i in range(count):
                    _collect(sums[i], margin, strides, target[c, start + i], add)
