"""stb_image's integer inverse cosine transform (``stbi__idct_block``), eight columns or rows of a block at once.

Integer sums do not depend on their order, and 32 bits give the same result as 64 unless a sum overflows. No pass overflows if its
inputs fit 16 bits: the coefficients of the transform are at most 5681, and eight of them times 32768, rounding included, stay below
2**31. The coefficients of ordinary images always fit. Damaged files may exceed 16 bits; their blocks are transformed with 64 bits.
"""

from collections.abc import Sequence
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from yolodsc.jit import Lanes, instruction, pointer

_K = np.array([0.5411961, -1.847759065, 0.765366865, 1.175875602, 0.298631336, 2.053119869, 3.072711026, 1.501321110,
               -0.899976223, -2.562915447, -1.961570560, -0.390180644])  # fmt: skip
A, B, C, D, K0, K1, K2, K3, P1, P2, P3, P4 = (int(value * 4096 + 0.5) for value in _K)  # C's cast: towards zero
"""The constants of the transform in units of 1/4096."""
_CENTRE = 65536 + (128 << 17)
"""Rounding of the second pass, and samples are centred on 128."""


class _Block(Lanes):
    """Eight columns or rows of a block."""

    def transformed(self, s: Sequence[Any], rounding: int, shift: int) -> list[Any]:
        """Transform eight vectors in one dimension: even and odd half, then their sums and differences."""
        add, sub, times = self.add, self.sub, self.times
        p1 = times(add(s[2], s[6]), A)
        t2, t3 = add(p1, times(s[6], B)), add(p1, times(s[2], C))
        t0 = self.plus(self.left(add(s[0], s[4]), 12), rounding)
        t1 = self.plus(self.left(sub(s[0], s[4]), 12), rounding)
        even = [add(t0, t3), add(t1, t2), sub(t1, t2), sub(t0, t3)]
        p3, p4, p1, p2 = add(s[7], s[3]), add(s[5], s[1]), add(s[7], s[1]), add(s[5], s[3])
        p5 = times(add(p3, p4), D)
        p1, p2, p3, p4 = add(p5, times(p1, P1)), add(p5, times(p2, P2)), times(p3, P3), times(p4, P4)
        odd = [
            add(times(s[1], K3), add(p1, p4)),
            add(times(s[3], K2), add(p2, p3)),
            add(times(s[5], K1), add(p2, p4)),
            add(times(s[7], K0), add(p1, p3)),
        ]
        sums = [self.right(add(x, t), shift) for x, t in zip(even, odd, strict=True)]
        differences = [self.right(sub(x, t), shift) for x, t in zip(even, odd, strict=True)]
        return sums + differences[::-1]

    def transposed(self, r: Sequence[Any]) -> list[Any]:
        """Transpose eight vectors of eight lanes, in steps of one, two and four lanes."""
        for low, high, step in (
            ((0, 8, 1, 9, 4, 12, 5, 13), (2, 10, 3, 11, 6, 14, 7, 15), 1),
            ((0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15), 2),
            ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15), 4),
        ):
            pairs = [i for i in range(8) if not i & step]
            out: list[Any] = [None] * 8
            for i in pairs:
                out[i] = self.shuffled(r[i], r[i + step], low)
                out[i + step] = self.shuffled(r[i], r[i + step], high)
            r = out
        return [r[i] for i in _ORDER]

    def beyond_16_bits(self, vectors: Sequence[Any]) -> Any:
        """Return bits that are set if the number of any lane exceeds 16 bits."""
        mask = self.constant(0)
        for vector in vectors:
            mask = self.builder.or_(mask, self.plus(vector, 1 << 15))
        return self.builder.and_(mask, self.constant(-1 << 16))

    def rows(self, columns: Sequence[Any]) -> list[Any]:
        """Return four vectors of two rows each, clipped to 0..255, from eight vectors of one column each."""
        o = [self.bytes(v) for v in columns]
        whole = [k // 2 + 8 * (k % 2) for k in range(16)]
        low, high = [k // 2 + 16 * (k % 2) for k in range(16)], [8 + k // 2 + 16 * (k % 2) for k in range(16)]
        p = [self.shuffled(o[i], o[i + 4], whole) for i in range(4)]
        q = [self.shuffled(p[i], p[i + 2], mask) for i in (0, 1) for mask in (low, high)]
        return [self.shuffled(q[i], q[i + 2], mask) for i in (0, 1) for mask in (low, high)]


_ORDER = (0, 2, 1, 3, 4, 6, 5, 7)
"""Columns of a block after the three steps."""


def _transform(bits: int) -> Any:
    @instruction  # type: ignore[untyped-decorator]
    def transform(typing: Any, block: Any, first: Any, table: Any, entry: Any, out: Any, corner: Any, stride: Any) -> Any:
        """Write the samples of a block; return 0 if an intermediate number exceeds 16 bits."""

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            block, first, table, entry, out, corner, stride = arguments
            kinds = signature.args
            lanes = _Block(builder, bits, 8)
            i8, i16, i32, i64 = (ir.IntType(size) for size in (8, 16, 32, 64))
            numbers = pointer(context, builder, kinds[0], block, first, i16, elements=64)
            factors = pointer(context, builder, kinds[2], table, entry, i32, elements=64)
            rows = []
            for k in range(8):
                offset = [ir.Constant(i64, 8 * k)]
                rows.append(builder.mul(lanes.load(builder.gep(numbers, offset), 16), lanes.load(builder.gep(factors, offset), 32)))
            middle = lanes.transformed(rows, 512, 10)
            beyond = builder.or_(lanes.beyond_16_bits(rows), lanes.beyond_16_bits(middle))
            pairs = lanes.rows(lanes.transformed(lanes.transposed(middle), _CENTRE, 17))
            elements = builder.add(builder.mul(stride, ir.Constant(i64, 7)), ir.Constant(i64, 8))
            address = pointer(context, builder, kinds[4], out, corner, i8, elements=elements)
            for y in range(8):
                half = lanes.shuffled(pairs[y // 2], pairs[y // 2], range(8 * (y % 2), 8 * (y % 2) + 8))
                at = builder.gep(address, [builder.mul(stride, ir.Constant(i64, y))])
                lanes.store(half, at)
            whole = builder.bitcast(beyond, ir.IntType(8 * bits))
            return builder.zext(builder.icmp_unsigned("==", whole, ir.Constant(whole.type, 0)), i64)

        return types.int64(block, first, table, entry, out, corner, stride), code

    return transform


_narrow, _wide = _transform(32), _transform(64)


@instruction  # type: ignore[untyped-decorator]
def _busy(typing: Any, block: Any, first: Any) -> Any:
    """Return whether a block has coefficients besides the first."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.VectorType(ir.IntType(16), 64)
        block, first = arguments
        numbers = builder.load(pointer(context, builder, signature.args[0], block, first, kind, elements=64), align=2)
        others = builder.and_(numbers, ir.Constant(kind, [0] + [-1] * 63))
        whole = builder.bitcast(others, ir.IntType(1024))
        return builder.icmp_unsigned("!=", whole, ir.Constant(whole.type, 0))

    return types.boolean(block, first), code


@nb.njit(forceinline=True)
def samples_of(
    coefficients: NDArray[np.int16],
    row: int,
    tables: NDArray[np.int32],
    table: int,
    out: NDArray[np.uint8],
    corner: int,
    stride: int,
) -> None:  # pragma: no cover
    """Write the samples of the block ``coefficients[row]`` (natural order) to ``out`` from ``corner`` on, rows ``stride`` apart."""
    if _busy(coefficients, 64 * row):
        if not _narrow(coefficients, 64 * row, tables, 64 * table, out, corner, stride):
            _wide(coefficients, 64 * row, tables, 64 * table, out, corner, stride)
        return
    level = (np.int64(coefficients[row, 0]) * tables[table, 0] * 4 * 4096 + _CENTRE) >> 17
    level = 0 if level < 0 else 255 if level > 255 else level
    for y in range(8):
        for x in range(8):
            out[corner + y * stride + x] = level
