"""Named tuples of arrays and numbers that the kernels take as arguments."""

from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from yolodsc.arrays import Array, Floats, Ints


def plain_arguments(kernel: Any) -> Any:
    """Return a function that passes named tuples to a compiled kernel as plain tuples; the kernel adds the names again.

    Numba 0.68 determines the type of a named tuple in Python at every call, which takes longer than a small kernel, and never
    releases it.
    """

    @wraps(kernel)
    def call(*arguments: Any) -> None:
        kernel(*[tuple(argument) if isinstance(argument, tuple) else argument for argument in arguments])

    return call


class ActivationParams(NamedTuple):
    """The activation ``min(max(v, slope * v), limit)``.

    Attributes
    ----------
    slope
        Derivative below 0: 1 is linear, 0.1 leaky, 0 relu and relu6.
    limit
        Upper limit: 6 for relu6, infinity for the others.
    """

    slope: np.float32
    limit: np.float32


class ConvolutionOperands(NamedTuple):
    """What the forward pass reads.

    Attributes
    ----------
    x : (C, n, H, W)
    weights
        (F, C / G * K * K); (G, F / G, C / G * K * K) in `im2col`.
    bias : (F,)
    slope, limit
        The `ActivationParams` after the bias.
    moments : (F, 3) float64
        Filled with the pivot and the sums of distances and squared distances of the output, for batch norm; (0, 3) if they are not
        needed.
    """

    x: Array
    weights: Array
    bias: Array
    slope: np.float32
    limit: np.float32
    moments: Floats


class ConvolutionGradients(NamedTuple):
    """Gradients of a convolution's arrays.

    Attributes
    ----------
    out : (F, n, OH, OW)
        Gradient of the output. The backward pass reads it, and may overwrite it.
    x : (C, n, H, W)
        Gradient of the input; (C, 0, 0, 0) if it is not needed.
    accumulate
        Whether the gradient of the input is added to what ``x`` holds.
    weights, bias
        Gradients of the shapes of the operands; overwritten.
    normalization : (F, 7)
        With live batch norm, ``out`` is the gradient of its activated output. The gradient of the convolution follows from mean,
        factor and shift of batch norm, the mean gradient, the product, and slope and limit of the activation. Otherwise (0, 7).
    """

    out: Array
    x: Array
    accumulate: bool
    weights: Array
    bias: Array
    normalization: Array


class ConvolutionGeometry(NamedTuple):
    """Size, strides, padding in pixels and dilation of a square kernel."""

    size: int
    stride_y: int
    stride_x: int
    padding: int
    dilation: int


class WinogradTiles(NamedTuple):
    """The number of images, and the rows of tiles of 4x4 output pixels that are computed together, over all images."""

    images: int
    rows: int


class PhaseLayout(NamedTuple):
    """Where pixels and taps lie in the phases of a buffer.

    Attributes
    ----------
    padding
        In pixels.
    shape
        Vertical and horizontal phases, rows and pitch of a phase.
    starts : (taps,)
        Offset of the first element of each tap in the flattened phases.
    order : (K * K,)
        The taps of a channel sorted by phase; those of phase p are ``order[parts[p] : parts[p + 1]]``.
    shifts : (K * K,)
        Offset of the first element of each sorted tap in the gradient of the output, for the gradient of a phase; not positive.
    parts : (s * s + 1,)
    """

    padding: int
    shape: tuple[int, int, int, int]
    starts: Ints
    order: Ints
    shifts: Ints
    parts: Ints


class PhaseBuffers(NamedTuple):
    """Memory for one image, flattened.

    Attributes
    ----------
    phases
        The padding must be 0; kernels do not write it.
    line
        For the gradient of the output, 0 wherever no pixel lies.
    head
        Element of ``line`` where the output's first pixel lies; the elements before it stay 0.
    sums
        For the gradient of the input.
    """

    phases: Array
    line: Array
    head: int
    sums: Array


class Normalization(NamedTuple):
    """The function ``activation((x - mean) * factor + bias)``; arrays (C,)."""

    mean: Array
    factor: Array
    bias: Array
    slope: np.float32
    limit: np.float32


class PoolingWindow(NamedTuple):
    """Size, strides, and padding before the first pixel of a square window."""

    size: int
    stride_y: int
    stride_x: int
    padding: int
