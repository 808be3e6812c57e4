"""Numbers as unsigned integers in the same order: maxima of bf16 without a conversion to float32, and of bytes.

Adding 0x7F81 to a bf16, whose bits but the sign are inverted if it is negative, puts minus infinity at 0 and NaNs of either sign
above infinity, so that a maximum of integers keeps NaN.
"""

from yolodsc.engine.codegen.dtypes import BYTES, DType
from yolodsc.engine.codegen.ir_builder import IRBuilder

SHIFT = 0x7F81


class Ordered:
    """Vectors of ``count`` numbers of a format that is not float32, as integers."""

    def __init__(self, c: IRBuilder, dtype: DType, count: int) -> None:
        self.c, self.count, self.rounds = c, count, dtype == "bf16"
        self.width = 8 * BYTES[dtype]
        self.kind = f"<{count} x i{self.width}>"

    def constant(self, number: int) -> str:
        """The same integer in every lane."""
        return "<" + ", ".join([f"i{self.width} {number}"] * self.count) + ">"

    def load(self, pointer: str, offset: str | int = 0) -> str:
        """Load numbers as integers in their order."""
        raw = self.c.let(f"load {self.kind}, ptr {self.c.at(pointer, offset)}, align {self.width // 8}")
        return self.c.let(f"add {self.kind} {self._flipped(raw)}, {self.constant(SHIFT)}") if self.rounds else raw

    def store(self, value: str, pointer: str, offset: str | int = 0) -> None:
        """Store what `load` returned."""
        c = self.c
        raw = self._flipped(c.let(f"sub {self.kind} {value}, {self.constant(SHIFT)}")) if self.rounds else value
        c.do(f"store {self.kind} {raw}, ptr {c.at(pointer, offset)}, align {self.width // 8}")

    def maximum(self, a: str, b: str) -> str:
        """Maximum in each lane."""
        return self.c.call(self.kind, f"llvm.umax.v{self.count}i{self.width}", f"{self.kind} {a}", f"{self.kind} {b}")

    def _flipped(self, raw: str) -> str:
        """The bits with all but the sign inverted where it is set; its own inverse."""
        sign = self.c.let(f"ashr {self.kind} {raw}, {self.constant(self.width - 1)}")
        return self.c.let(f"xor {self.kind} {raw}, {self.c.let(f'and {self.kind} {sign}, {self.constant(0x7FFF)}')}")
