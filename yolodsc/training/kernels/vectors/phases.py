"""Planes divided into phases with zero padding, and back.

With stride s, pixel (y, x) of the padded map lies in phase (y % s, x % s) at (y // s, x // s). Each tap of a convolution then reads
one phase at one offset.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.vectors.rows import INDEX, LANES, Vectors, copy_rows, data, index, is_row, types

cgutils: Any = untyped_cgutils

Shape = tuple[int, int, int, int]
"""Vertical and horizontal phases, rows and pitch of a phase."""


def _halved(emit: Any) -> Any:
    """Return an intrinsic over one row of pixels and its even and odd ones; further arguments: three starts, the width, a flag."""

    def typed(typing_context: Any, row: Any, halves: Any, starts: Any, width: Any, flag: Any) -> Any:
        if not (is_row(row) and is_row(halves)):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            v, kinds = Vectors(builder), signature.args
            at, even, odd = cgutils.unpack_tuple(builder, arguments[2])
            whole, half = data(context, builder, kinds[0], arguments[0]), data(context, builder, kinds[1], arguments[1])
            count = builder.udiv(builder.add(arguments[3], index(2 * LANES - 1)), index(2 * LANES))
            with cgutils.for_range(builder, count, intp=INDEX) as loop:
                x = builder.mul(loop.index, index(LANES))
                left = builder.sub(arguments[3], builder.mul(x, index(2)))
                first = builder.gep(whole, [builder.add(at, builder.mul(x, index(2)))])
                pairs = builder.udiv(left, index(2))
                evens = builder.gep(half, [builder.add(even, x)]), v.mask(builder.sub(left, pairs))
                odds = builder.gep(half, [builder.add(odd, x)]), v.mask(pairs)
                pixels = [(first, v.mask(left)), (builder.gep(first, [index(LANES)]), v.mask(builder.sub(left, index(LANES))))]
                emit(v, pixels, evens, odds, arguments[4])
            return context.get_dummy_value()

        return types.none(row, halves, starts, width, flag), generate

    return intrinsic(typed)


def _emit_split(v: Vectors, pixels: Any, evens: Any, odds: Any, flag: Any) -> None:
    low, high = (v.load(*part) for part in pixels)
    v.store(v.shuffled(low, high, list(range(0, 2 * LANES, 2))), *evens)
    v.store(v.shuffled(low, high, list(range(1, 2 * LANES, 2))), *odds)


def _emit_merge(v: Vectors, pixels: Any, evens: Any, odds: Any, flag: Any) -> None:
    even, odd = v.load(*evens), v.load(*odds)
    zero = ir.Constant(even.type, None)
    for part, start in zip(pixels, (0, LANES // 2), strict=True):
        value = v.shuffled(even, odd, [start + lane // 2 + LANES * (lane % 2) for lane in range(LANES)])
        kept = cgutils.alloca_once_value(v.builder, zero)
        v.builder.store(zero, kept)
        with v.builder.if_then(flag):
            v.builder.store(v.load(*part), kept)
        v.store(v.builder.fadd(value, v.builder.load(kept)), *part)


_split_row: Any = _halved(_emit_split)
_merge_row: Any = _halved(_emit_merge)


@njit(cache=True, nogil=True, error_model="numpy")
def split(x: Array, start: int, size: tuple[int, int], padding: int, shape: Shape, phases: Array, at: int) -> None:
    """Copy a map (H, W), which begins at ``x[start]``, into phases that begin at ``phases[at]``; the padding is not written."""
    (height, width), (sy, sx, rows, pitch) = size, shape
    if (sy, sx) == (1, 1):
        position = at + padding * pitch + padding, pitch
        copy_rows(
            (x, phases), ((start, width), position), (min(height, rows - padding), min(width, pitch - padding)), (np.float32(0),)
        )
        return
    for y in range(min(height, rows * sy - padding)):
        row, source = at + ((y + padding) % sy * sx * rows + (y + padding) // sy) * pitch, start + y * width
        if sx == 2:
            starts = source, row + _column(0, padding, 2, rows * pitch), row + _column(1, padding, 2, rows * pitch)
            _split_row(x, phases, starts, min(width, 2 * pitch - padding), False)
            continue
        for i in range(min(width, sx * pitch - padding)):
            phases[row + _column(i, padding, sx, rows * pitch)] = x[source + i]


@njit(cache=True, nogil=True, error_model="numpy")
def merge(
    phases: Array, at: int, shape: Shape, padding: int, x: Array, start: int, size: tuple[int, int], accumulate: bool
) -> None:
    """The inverse of `split`: store a map, or add to it; pixels that no tap reads get 0 or nothing."""
    (height, width), (sy, sx, rows, pitch) = size, shape
    for y in range(height):
        row, target = at + ((y + padding) % sy * sx * rows + (y + padding) // sy) * pitch, start + y * width
        read = min(width, sx * pitch - padding) if y + padding < rows * sy else 0
        if not accumulate:
            x[target + read : target + width] = 0
        if sx == 2 and read > 0:
            starts = target, row + _column(0, padding, 2, rows * pitch), row + _column(1, padding, 2, rows * pitch)
            _merge_row(x, phases, starts, read, accumulate)
            continue
        for i in range(read):
            value = phases[row + _column(i, padding, sx, rows * pitch)]
            x[target + i] = x[target + i] + value if accumulate else value


@njit(cache=True, nogil=True, error_model="numpy")
def _column(pixel: int, padding: int, stride: int, area: int) -> int:
    """Return the offset of a pixel of a row from the row's start in the first phase."""
    return (pixel + padding) % stride * area + (pixel + padding) // stride
