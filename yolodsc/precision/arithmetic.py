"""Rounding as the kernels do it: bytes, bf16, and the fused multiply-add of float32, exact in NumPy."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import activate
from yolodsc.precision.quantization import MAX_LEVEL, Bytes, TensorScale


def quantize(x: Array, scale: TensorScale) -> Bytes:
    """Bytes nearest to float32 values (to even between two), saturating."""
    with np.errstate(over="ignore"):
        steps = np.rint(x * scale.inverse) + np.float32(scale.zero_point)
    return np.clip(steps, 0, MAX_LEVEL).astype(np.uint8)


def dequantize(x: Bytes, scale: TensorScale) -> Array:
    """Real values of bytes: one exact difference, one rounded product."""
    return (x.astype(np.float32) - np.float32(scale.zero_point)) * np.float32(scale.scale)


def round_bf16(x: Array) -> Array:
    """float32 values rounded to bf16 (8 bits of significand, to even between two), as float32; NaN stays NaN."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), x, rounded.view(np.float32))


def fma(a: Array, b: Array, c: Array) -> Array:
    """``a * b + c`` of float32 values, rounded once to float32.

    The product is exact in float64. The sum is rounded to odd there (Boldo & Melquiond 2008), so that the rounding to float32
    gives the nearest value of the exact sum. Finite values only.
    """
    product = a.astype(np.float64) * b.astype(np.float64)
    addend = np.broadcast_to(c.astype(np.float64), product.shape)
    total = product + addend
    part = total - product
    error = (product - (total - part)) + (addend - part)  # TwoSum: total + error is the exact sum
    even = (total.view(np.int64) & 1) == 0
    odd = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
    return np.where((error != 0) & even, odd, total).astype(np.float32)


def activated(x: Array, activation: str) -> Array:
    """``x`` through an activation with the roundings of the vector kernels.

    The piecewise-linear ones equal the kernels bit for bit. All others are those of the reference.
    """
    if activation in ("leaky", "revleaky"):
        return np.maximum(x, x * np.float32(0.1))
    if activation == "relie":
        return np.maximum(x, x * np.float32(0.01))
    if activation == "ramp":
        return fma(x, np.float32(0.1).reshape(1), np.maximum(x, np.float32(0)))
    return activate(x, activation)
