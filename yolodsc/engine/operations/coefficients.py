"""Weights of a convolution in the precision of its products, and the instruction that multiplies them."""

import math
from typing import Any, Self

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.engine.codegen.dtypes import DType
from yolodsc.jit import Isa
from yolodsc.values import Value

FMA, AMX = "fma", "amx"
"""Methods besides those of `DotKernel`: multiply-adds of float32, tile registers."""

DEEP = 128
"""Products of a sum of bytes from which AMX is faster than ``vpdpbusd`` row by row: below, moving sums to memory takes longer."""

BLOCK = 16
"""Channels that one AMX instruction contracts: a whole block."""


class Coefficients(Value, eq=False):
    """Weights and bias of a convolution.

    Attributes
    ----------
    kernel
        (F, C, K, K): float32, batch norm folded in; int8 for products of bytes.
    bias
        (F,): float32; for products of bytes int64, in units of the products.
    dtype
        Number format of the input: bf16 rounds the kernel when it is packed.
    unit
        (F,) float32: value of 1 in a sum of products of bytes.
    zero_point
        Byte of the input that stands for 0.
    """

    kernel: NDArray[Any]
    bias: NDArray[Any]
    dtype: DType = "f32"
    unit: Array | None = None
    zero_point: int = 0

    def filters(self, first: int, last: int | None, step: int = 1) -> Self:
        """Output channels ``first`` to ``last`` - 1 only, or every ``step``-th of them."""
        chosen = slice(first, last, step)
        unit = None if self.unit is None else self.unit[chosen]
        return replace(self, kernel=self.kernel[chosen], bias=self.bias[chosen], unit=unit)

    def tiled(self, kernel: NDArray[Any], times: int, filters: int) -> Self:
        """``kernel`` with the bias and unit of these weights, filled up to ``filters``, so many ``times``."""
        arrays = {"kernel": kernel, "bias": self.bias} | ({} if self.unit is None else {"unit": self.unit})
        missing = filters - len(self.bias)
        repeated = {name: np.tile(np.pad(arrays[name], (0, missing)), times) for name in arrays.keys() - {"kernel"}}
        return replace(self, kernel=kernel, **repeated)

    def start(self, method: str) -> NDArray[Any]:
        """What the sums begin with or get added, (F,): the bias without the share of the zero point; ``sdot`` reads bytes - 128."""
        if self.dtype != "u8":
            return self.bias
        zero = self.zero_point - (128 if method == "sdot" else 0)
        sums = self.kernel.sum(axis=(1, 2, 3), dtype=np.int64)
        return (self.bias - zero * sums).astype(np.int32)

    @property
    def limit(self) -> float:
        """Largest magnitude of a sum of products of bytes in real units."""
        if self.unit is None:
            return math.inf
        sums = np.abs(self.kernel.astype(np.int64)).sum(axis=(1, 2, 3))
        return float(np.max((510 * sums + np.abs(self.bias)) * self.unit.astype(np.float64), initial=0.0))

    def method(self, isa: Isa, *lanes: int, deep: int = DEEP) -> str:
        """The fastest instruction for tensors of these vector lengths; AMX for sums of ``deep`` products of bytes and more."""
        if self.dtype == "f32":
            return FMA
        methods = isa.bf16 if self.dtype == "bf16" else isa.int8
        tiled = set(lanes) == {BLOCK} and (self.dtype == "bf16" or self._depth >= deep or len(methods) == 1)
        return next(method for method in methods if method != AMX or tiled)

    @property
    def _depth(self) -> int:
        """Products of a sum."""
        return int(self.kernel[0].size)


def channels_of_word(dtype: DType, method: str) -> int:
    """Channels that one instruction contracts in one lane."""
    if method == AMX:
        return 4 if dtype == "u8" else 2
    from yolodsc.engine.codegen.kernels.dot import CHANNELS

    return CHANNELS[method]


def channel_group(method: str, unroll: int) -> int:
    """Channels that a segment of the table counts as one unit; ``unroll`` but for AMX."""
    return BLOCK if method == AMX else unroll
