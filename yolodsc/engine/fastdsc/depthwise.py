"""Depthwise convolution as one Numba kernel.

Each output row is accumulated over the kernel's rows. The taps of a row are unrolled for the usual sizes (3 and 5), so the inner
loop is a sum of shifted products, which LLVM vectorises: a loop over single taps takes 3.6 to 4.3 times as long (all depthwise
layers of two MobileNetV2 detectors, one thread). Bias and piecewise-linear activations are applied while the row is in the cache.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.engine.fastdsc.piecewise_linear import LOWEST
from yolodsc.jit import njit


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def depthwise(  # noqa: PLR0912 - as a function of its own the inner part is compiled without knowing that rows do not overlap
    padded: Array,
    kernel: Array,
    bias: Array,
    stride: tuple[int, int],
    dilation: int,
    slope: np.float32,
    limit: np.float32,
    out: Array,
) -> None:
    """Convolve every channel with its own filters, add the bias, apply a piecewise-linear activation.

    Parameters
    ----------
    padded : (C, H + padding, W + padding)
        Zero-padded input.
    kernel : (F, K, K)
        F = C * multiplier; filter f reads channel f // multiplier.
    bias : (F,)
    stride
        Rows, columns.
    slope, limit
        Of the activation max(v, slope * v), at most limit: 1 and infinity are linear, 0.1 leaky, 0 relu, 0 and 6 relu6.
    out : (F, OH, OW)
    """
    filters, size, _ = kernel.shape
    multiplier = filters // padded.shape[0]
    height, width = out.shape[1:]
    step = stride[1]
    floor = np.float32(-np.inf) if slope else LOWEST
    for f in range(filters):
        plane = padded[f // multiplier]
        for y in range(height):
            row = out[f, y]
            row[:] = bias[f]
            for ky in range(size):
                source, w = plane[y * stride[0] + ky * dilation], kernel[f, ky]
                if size == 3 and dilation == 1 and step == 1:
                    for x in range(width):
                        row[x] += w[0] * source[x] + w[1] * source[x + 1] + w[2] * source[x + 2]
                elif size == 3 and dilation == 1 and step == 2:
                    for x in range(width):
                        row[x] += w[0] * source[2 * x] + w[1] * source[2 * x + 1] + w[2] * source[2 * x + 2]
                elif size == 5 and dilation == 1 and step == 1:
                    for x in range(width):
                        first = w[0] * source[x] + w[1] * source[x + 1] + w[2] * source[x + 2]
                        row[x] += first + w[3] * source[x + 3] + w[4] * source[x + 4]
                else:
                    for kx in range(size):
                        for x in range(width):
                            row[x] += w[kx] * source[kx * dilation + x * step]
            for x in range(width):
                low = floor if row[x] < floor else row[x]
                row[x] = min(max(row[x], slope * low), limit)
