"""Maxima of bf16 and of bytes are taken on integers in the order of the numbers."""

import ctypes
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from yolodsc.engine.codegen.kernels.pooling import MaxpoolKernel, WindowKernel
from yolodsc.jit import compiler_for
from yolodsc.jit.isa import available_isas

SPECIAL = np.array([0x7FC0, 0xFFC0, 0x7F81, 0xFFFF, 0x7F80, 0xFF80, 0x0000, 0x8000, 0x0001, 0x8001, 0x3F80, 0xBF80], np.uint16)
"""NaNs of either sign, infinities, zeros, the smallest numbers, 1 and -1."""


def values(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return bf16 or bytes as float32."""
    return (pixels.astype(np.uint32) << 16).view(np.float32) if pixels.dtype == np.uint16 else pixels.astype(np.float32)


def run(kernel: Any, arguments: dict[str, int], x: NDArray[Any], y: NDArray[Any], isa: str) -> None:
    """Call a kernel whose bases are ``x`` and ``y``."""
    address = compiler_for(available_isas()[isa]).load([kernel])[kernel]
    words = np.array([{"x": 0, "y": 1 << 48, **arguments}.get(name, 0) for name in kernel.arguments], np.int64)
    bases = np.array([x.ctypes.data, y.ctypes.data], np.int64)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(address)(words.ctypes.data, bases.ctypes.data)


def pooled(x: NDArray[Any], size: int, stride: int, count: int) -> NDArray[np.float32]:
    """Return maxima of windows of rows and columns, NaN where a window contains NaN."""
    windows = [
        [values(x[i * stride : i * stride + size, j * stride : j * stride + size]) for j in range(count)] for i in range(count)
    ]
    return np.array([[window.max(axis=(0, 1)) for window in row] for row in windows])


@pytest.mark.parametrize("isa", list(available_isas()))
@pytest.mark.parametrize("dtype", ["bf16", "u8"])
@pytest.mark.parametrize(("size", "stride", "pixels"), [(2, 2, 4), (2, 2, 3), (2, 1, 4), (3, 2, 2)])
def test_maxima_of_integers_are_those_of_the_numbers(isa: str, dtype: Any, size: int, stride: int, pixels: int) -> None:
    """Random and special numbers; NaN of either sign stays NaN."""
    rng = np.random.default_rng(size * 10 + stride)
    lanes, count = available_isas()[isa].lanes, pixels
    side = (count - 1) * stride + size
    kind = np.uint16 if dtype == "bf16" else np.uint8
    x = rng.integers(0, 2 ** (8 * kind().itemsize), (side, side, lanes)).astype(kind)
    if dtype == "bf16":
        special = rng.random(x.shape) < 0.5
        x[special] = rng.choice(SPECIAL, special.sum())
    pixel, expected = lanes * kind().itemsize, pooled(x, size, stride, count)
    shared = {"blocks": 1, "rows": count, "row_x": side * pixel, "row_y": count * pixel}
    square, window = np.zeros((count, count, lanes), kind), np.zeros((count, count, lanes), kind)

    tiled = shared | {"step_x": side * pixel * stride, "tiles": 1}
    run(MaxpoolKernel(lanes, size, stride, pixels, dtype), tiled, x, square, isa)
    edges = {
        "columns": count,
        "height": side,
        "width": side,
        "size_y": size,
        "size_x": size,
        "stride_y": stride,
        "stride_x": stride,
    }
    run(WindowKernel(lanes, dtype), shared | edges, x, window, isa)

    np.testing.assert_array_equal(values(square), expected)
    np.testing.assert_array_equal(values(window), expected)
