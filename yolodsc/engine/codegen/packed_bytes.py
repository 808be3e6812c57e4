"""Storing neighbouring pixels as bytes, four at a time: x86 narrows four vectors with saturation in four instructions.

One vector at a time takes more: the lower limit, and twice as many instructions to narrow. Both ways give the same bytes.
"""

import platform
from collections.abc import Callable, Sequence

from yolodsc.engine.codegen.dtypes import BYTES, DType, storer
from yolodsc.engine.codegen.ir_builder import IRBuilder

TO_INTEGER = {16: "llvm.x86.avx512.mask.cvtps2dq.512", 8: "llvm.x86.avx.cvt.ps2dq.256", 4: "llvm.x86.sse2.cvtps2dq"}
TO_WORDS = {16: "llvm.x86.avx512.packssdw.512", 8: "llvm.x86.avx2.packssdw", 4: "llvm.x86.sse2.packssdw.128"}
TO_BYTES = {16: "llvm.x86.avx512.packuswb.512", 8: "llvm.x86.avx2.packuswb", 4: "llvm.x86.sse2.packuswb.128"}

GROUP = 4
"""Vectors that are narrowed together."""

StoreRun = Callable[[Sequence[str], str], None]
"""``store(values, pointer)``: vectors of neighbouring pixels."""


def run_storer(c: IRBuilder, dtype: DType, affine: tuple[int, int] = (0, 0)) -> StoreRun:
    """Code that stores vectors of neighbouring pixels; ``affine`` as for `storer`."""
    single, pixel = storer(c, dtype, affine), c.lanes * BYTES[dtype]
    grouped = dtype == "u8" and c.lanes in TO_BYTES and platform.machine().lower() in {"x86_64", "amd64"}
    group = _group_storer(c, affine) if grouped else None

    def store(values: Sequence[str], pointer: str) -> None:
        first = 0
        while group and first + GROUP <= len(values):
            group(values[first : first + GROUP], c.at(pointer, first * pixel))
            first += GROUP
        for number in range(first, len(values)):
            single(values[number], pointer, number * pixel)

    return store


def _group_storer(c: IRBuilder, affine: tuple[int, int]) -> StoreRun:
    n = c.lanes
    integers, words, narrow = f"<{n} x i32>", f"<{2 * n} x i16>", f"<{4 * n} x i8>"
    inverse, zero = c.float_argument(affine[0]), c.integer_argument(affine[1])
    high = c.arith("fsub", c.constant(255.0), c.let(f"sitofp {integers} {zero} to {c.vector}"))

    def steps(value: str) -> str:
        inside = c.vector_minimum(c.arith("fmul", value, inverse), high)
        options = (f"{integers} zeroinitializer", "i16 -1", "i32 4") if n == 16 else ()
        return c.let(f"add {integers} {c.call(integers, TO_INTEGER[n], f'{c.vector} {inside}', *options)}, {zero}")

    def store(values: Sequence[str], pointer: str) -> None:
        a, b, d, e = map(steps, values)
        low, high_ = (c.call(words, TO_WORDS[n], f"{integers} {x}", f"{integers} {y}") for x, y in ((a, b), (d, e)))
        mixed = c.let(f"bitcast {narrow} {c.call(narrow, TO_BYTES[n], f'{words} {low}', f'{words} {high_}')} to {integers}")
        # every 128 bits hold four channels of all four pixels
        order = ", ".join(f"i32 {GROUP * part + pixel}" for pixel in range(GROUP) for part in range(n // GROUP))
        ordered = c.let(f"shufflevector {integers} {mixed}, {integers} undef, <{n} x i32> <{order}>")
        c.do(f"store {integers} {ordered}, ptr {pointer}, align 1")

    return store
