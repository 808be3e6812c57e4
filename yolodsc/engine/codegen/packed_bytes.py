"""Storing neighbouring pixels in low precision, several at a time.

x86 narrows four vectors to bytes with saturation in four instructions. One vector at a time takes more: the lower limit, and twice
as many instructions to narrow. It narrows two vectors to bf16 in the time of one. All ways give the same bits.
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

TO_BF16 = "llvm.x86.avx512bf16.cvtne2ps2bf16.512"

StoreRun = Callable[[Sequence[str], str], None]
"""``store(values, pointer)``: vectors of neighbouring pixels."""


def run_storer(
    c: IRBuilder,
    dtype: DType,
    affine: tuple[int, int] = (0, 0),
    *,
    bounded: bool = False,
    from_zero: bool = False,
    step: int = 0,
) -> StoreRun:
    """Code that stores vectors of neighbouring pixels; ``affine`` as for `storer`.

    ``bounded`` promises that no number is NaN or 2^30 steps away from 0, ``from_zero`` that the zero point is 0.
    Pixels are ``step`` bytes apart; 0: contiguous.
    """
    single, pixel = storer(c, dtype, affine), step or c.lanes * BYTES[dtype]
    grouped = dtype == "u8" and c.lanes in TO_BYTES and platform.machine().lower() in {"x86_64", "amd64"}
    group = _group_storer(c, affine, bounded, from_zero, step) if grouped else None
    size = GROUP
    if dtype == "bf16" and c.lanes == 16:  # AVX512-BF16: bf16 is not used with AVX-512 otherwise
        group, size = _pair_storer(c), 2

    def store(values: Sequence[str], pointer: str) -> None:
        first = 0
        while group and first + size <= len(values):
            group(values[first : first + size], c.at(pointer, first * pixel))
            first += size
        for number in range(first, len(values)):
            single(values[number], pointer, number * pixel)

    return store


def _pair_storer(c: IRBuilder) -> StoreRun:
    def store(values: Sequence[str], pointer: str) -> None:
        low, high = values
        both = c.call("<32 x bfloat>", TO_BF16, f"{c.vector} {high}", f"{c.vector} {low}")
        c.do(f"store <32 x bfloat> {both}, ptr {pointer}, align 2")

    return store


def _group_storer(c: IRBuilder, affine: tuple[int, int], bounded: bool, from_zero: bool, step: int) -> StoreRun:
    n = c.lanes
    integers, words, narrow = f"<{n} x i32>", f"<{2 * n} x i16>", f"<{4 * n} x i8>"
    inverse, zero = c.float_argument(affine[0]), c.integer_argument(affine[1])
    high = c.arith("fsub", c.constant(255.0), c.let(f"sitofp {integers} {zero} to {c.vector}"))
    zeros = c.let(f"bitcast {integers} {c.let(f'mul {integers} {zero}, {c.integers(0x10001)}')} to {words}")

    def steps(value: str) -> str:
        scaled = c.arith("fmul", value, inverse)
        options = (f"{integers} zeroinitializer", "i16 -1", "i32 4") if n == 16 else ()
        return c.call(integers, TO_INTEGER[n], f"{c.vector} {scaled if bounded else c.vector_minimum(scaled, high)}", *options)

    def shifted(a: str, b: str) -> str:
        pair = c.call(words, TO_WORDS[n], f"{integers} {a}", f"{integers} {b}")
        if from_zero:
            return pair
        return c.call(words, f"llvm.sadd.sat.v{2 * n}i16", f"{words} {pair}", f"{words} {zeros}")

    def store(values: Sequence[str], pointer: str) -> None:
        a, b, d, e = map(steps, values)
        mixed = c.call(narrow, TO_BYTES[n], f"{words} {shifted(a, b)}", f"{words} {shifted(d, e)}")
        # every 128 bits hold four channels of all four pixels
        order = ", ".join(f"i32 {GROUP * part + pixel}" for pixel in range(GROUP) for part in range(n // GROUP))
        mixed = c.let(f"bitcast {narrow} {mixed} to {integers}")
        ordered = c.let(f"shufflevector {integers} {mixed}, {integers} undef, <{n} x i32> <{order}>")
        if not step:
            return c.do(f"store {integers} {ordered}, ptr {pointer}, align 1")
        part = n // GROUP
        for pixel in range(GROUP):
            chosen = ", ".join(f"i32 {part * pixel + word}" for word in range(part))
            one = c.let(f"shufflevector {integers} {ordered}, {integers} undef, <{part} x i32> <{chosen}>")
            c.do(f"store <{part} x i32> {one}, ptr {c.at(pointer, step * pixel)}, align 1")
        return None

    return store
