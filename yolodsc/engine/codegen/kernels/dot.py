"""The convolution tile on dot products: pairs of bf16 or groups of bytes instead of single numbers.

An instruction multiplies 4 bytes (or a pair of bf16) of each lane and adds the products to the lane's sum, so a word of 4 bytes of
input is broadcast where the float32 kernel broadcasts one number. The layout of weights is
``[group][segment][word][vectors * lanes][q]`` with ``q`` channels in a word. Sums of bytes are exact in 32 bits. They begin with
the bias in units of the products, from which the share of the input's zero point is subtracted; the epilogue multiplies them by
the value of a unit.
"""

from collections.abc import Mapping

from yolodsc.engine.codegen.dtypes import BYTES, DType, load_integers, real
from yolodsc.engine.codegen.ir_builder import IRBuilder
from yolodsc.engine.codegen.kernels.conv import ConvKernel

CHANNELS = {"vpdpbusd": 4, "pmaddwd": 2, "sdot": 4, "vdpbf16ps": 2, "bfdot": 2}
"""Channels of a word by instruction. ``pmaddwd`` multiplies 16-bit integers, to which bytes are widened."""

PMADDWD = {16: "llvm.x86.avx512.pmaddw.d.512", 8: "llvm.x86.avx2.pmadd.wd", 4: "llvm.x86.sse2.pmadd.wd"}


class DotKernel(ConvKernel):
    """A convolution of bytes or bf16.

    Attributes
    ----------
    x
        Number format of the input.
    method
        The instruction.
    """

    x: DType = "u8"
    method: str = "vpdpbusd"

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments; the products of bytes have scales."""
        names = ConvKernel.arguments.fget(self)  # type: ignore[attr-defined]
        return (*names, "scales") if self.x == "u8" else names

    @property
    def group_bytes(self) -> int:
        """Bytes of a channel group of one pixel; a weight has as many as an input."""
        return self.unroll * BYTES[self.x]

    def _sums(self, c: IRBuilder, at: Mapping[str, str], segments: str) -> list[str]:
        """Accumulate all segments for one tile; return ``vectors * pixels`` values in real units."""
        if self.x == "bf16":
            return ConvKernel._sums(self, c, at, segments)
        kind = f"<{self.lanes} x i32>"
        starts = [load_integers(c, at["biases"], v * self.lanes * 4) for v in range(self.vectors)]
        start = [starts[number // self.pixels] for number in range(self.vectors * self.pixels)]
        sums = self._accumulated_segments(c, at, segments, kind, start)
        units = [c.load(at["scales"], v * self.lanes * 4) for v in range(self.vectors)]
        return [c.arith("fmul", real(c, value), units[number // self.pixels]) for number, value in enumerate(sums)]

    def _accumulated(self, c: IRBuilder, x: str, weights: str, sums: list[str]) -> list[str]:
        """Add the products of one channel group to ``vectors * pixels`` sums."""
        sums, q = list(sums), CHANNELS[self.method]
        step = q * BYTES[self.x]  # bytes of a word as it is stored
        for k in range(self.unroll // q):
            vectors = [self._weights(c, weights, (k * self.vectors + v) * self.lanes * step) for v in range(self.vectors)]
            for p in range(self.pixels):
                word = self._word(c, x, p * self.stride + k * step)
                for v in range(self.vectors):
                    sums[v * self.pixels + p] = self._dot(c, sums[v * self.pixels + p], word, vectors[v])
        return sums

    def _word(self, c: IRBuilder, pointer: str, offset: int) -> str:
        """Load the channels of a word into every lane."""
        at = c.at(pointer, offset)
        if self.method == "pmaddwd":
            pair = c.let(f"zext <2 x i8> {c.let(f'load <2 x i8>, ptr {at}, align 1')} to <2 x i16>")
            return self._cast(c, c.broadcast_integer(c.let(f"bitcast <2 x i16> {pair} to i32")))
        word = c.broadcast_integer(c.let(f"load i32, ptr {at}, align {BYTES[self.x]}"))
        if self.method == "sdot":
            word = c.let(f"xor <{self.lanes} x i32> {word}, {c.integers(-0x7F7F7F80)}")  # 0x80808080: bytes minus 128
        return self._cast(c, word)

    def _weights(self, c: IRBuilder, pointer: str, offset: int) -> str:
        """Load one word of weights for each lane."""
        at, n = c.at(pointer, offset), self.lanes
        if self.method == "pmaddwd":
            narrow = c.let(f"load <{2 * n} x i8>, ptr {at}, align {min(2 * n, 32)}")
            return c.let(f"sext <{2 * n} x i8> {narrow} to <{2 * n} x i16>")
        return self._cast(c, c.let(f"load <{n} x i32>, ptr {at}, align {min(4 * n, 64)}"))

    def _cast(self, c: IRBuilder, words: str) -> str:
        """Words as the instruction's operand."""
        kinds = {"pmaddwd": f"<{2 * self.lanes} x i16>", "sdot": "<16 x i8>", "bfdot": "<8 x bfloat>"}
        kind = kinds.get(self.method)
        return c.let(f"bitcast <{self.lanes} x i32> {words} to {kind}") if kind else words

    def _dot(self, c: IRBuilder, total: str, x: str, w: str) -> str:
        """``total`` plus the dot products of each lane."""
        n = self.lanes
        integers = f"<{n} x i32>"
        if self.method == "vpdpbusd":
            return c.call(
                integers, f"llvm.x86.avx512.vpdpbusd.{32 * n}", f"{integers} {total}", f"{integers} {x}", f"{integers} {w}"
            )
        if self.method == "vdpbf16ps":
            name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * n}"
            return c.call(c.vector, name, f"{c.vector} {total}", f"{integers} {x}", f"{integers} {w}")
        if self.method == "sdot":
            return c.call(integers, "llvm.aarch64.neon.sdot.v4i32.v16i8", f"{integers} {total}", f"<16 x i8> {x}", f"<16 x i8> {w}")
        if self.method == "bfdot":
            name = "llvm.aarch64.neon.bfdot.v4f32.v8bf16"
            return c.call(c.vector, name, f"{c.vector} {total}", f"<8 x bfloat> {x}", f"<8 x bfloat> {w}")
        pairs = f"<{2 * n} x i16>"
        return c.let(f"add {integers} {total}, {c.call(integers, PMADDWD[n], f'{pairs} {x}', f'{pairs} {w}')}")
