"""Instructions on vectors of integers, for loops that LLVM does not vectorise."""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir


class Lanes:
    """Instructions on vectors of ``count`` integers of ``bits`` bits."""

    def __init__(self, builder: Any, bits: int, count: int) -> None:
        self.builder = builder
        self.count = count
        self.type = ir.VectorType(ir.IntType(bits), count)
        self.add, self.sub = builder.add, builder.sub

    def constant(self, number: int) -> Any:
        """The same number in every lane."""
        return ir.Constant(self.type, [number] * self.count)

    def plus(self, a: Any, number: int) -> Any:
        """Add a constant."""
        return self.builder.add(a, self.constant(number))

    def times(self, a: Any, number: int) -> Any:
        """Multiply by a constant."""
        return self.builder.mul(a, self.constant(number))

    def left(self, a: Any, shift: int) -> Any:
        """Shift to the left."""
        return self.builder.shl(a, self.constant(shift))

    def right(self, a: Any, shift: int) -> Any:
        """Arithmetic shift to the right."""
        return self.builder.ashr(a, self.constant(shift))

    def shuffled(self, a: Any, b: Any, mask: Sequence[int]) -> Any:
        """Select lanes of two vectors by number."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(mask)), list(mask)))

    def load(self, address: Any, bits: int, *, signed: bool = True) -> Any:
        """Load integers of at most as many ``bits`` as the lanes have, from any address."""
        kind = ir.VectorType(ir.IntType(bits), self.count)
        vector = self.builder.load(self.builder.bitcast(address, kind.as_pointer()), align=1)
        if kind == self.type:
            return vector
        return (self.builder.sext if signed else self.builder.zext)(vector, self.type)

    def store(self, vector: Any, address: Any) -> None:
        """Store a vector of any type to any address."""
        self.builder.store(vector, self.builder.bitcast(address, vector.type.as_pointer()), align=1)

    def bytes(self, a: Any) -> Any:
        """Clamp to 0..255 and truncate to bytes."""
        b, zero, maximum = self.builder, self.constant(0), self.constant(255)
        a = b.select(b.icmp_signed(">", a, zero), a, zero)
        return b.trunc(b.select(b.icmp_signed("<", a, maximum), a, maximum), ir.VectorType(ir.IntType(8), self.count))
