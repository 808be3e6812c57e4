"""One function of LLVM IR, written line by line.

Kernels are written as text because text is what the compiler reads: no type inference, no optimiser passes, nothing but
instruction selection stands between a kernel and the machine, and a kernel of 24 accumulators is made in 20 to 40 ms (as a Numba
function: 0.1 s with `intrinsic`, seconds with loops around it). Values are SSA names; loops carry theirs in phi nodes, so no
variable ever lives in memory.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce


class Loop:
    """A loop under construction: ``index`` and ``carried`` are its values now, `next` sets their values in the next iteration."""

    def __init__(self, index: str, carried: list[str]) -> None:
        self.index = index
        self.carried = carried
        self.next_values: list[str] = []

    def next(self, *values: str) -> None:
        """Set the carried values of the next turn (and, after the last, of what follows)."""
        self.next_values = list(values)


class IRBuilder:
    """Text of one function ``void name(ptr args, ptr bases)`` whose vectors have ``lanes`` floats."""

    def __init__(self, name: str, lanes: int, *, signature: str = "ptr %args, ptr %bases") -> None:
        self.name = name
        self.lanes = lanes
        self.signature = signature
        self.vector = f"<{lanes} x float>"
        self.lines: list[str] = []
        self.declared: set[str] = set()
        self.block = "entry"
        self.count = 0

    def fresh(self, stem: str = "v") -> str:
        """A name not used before."""
        self.count += 1
        return f"%{stem}{self.count}"

    def let(self, text: str) -> str:
        """Name the value of an instruction."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Add an instruction without a value."""
        self.lines.append(f"  {text}")

    def label(self, stem: str) -> str:
        """A new block's name (not yet placed)."""
        return self.fresh(stem)[1:]

    def begin(self, label: str) -> None:
        """Begin the block called ``label``."""
        self.lines.append(f"{label}:")
        self.block = label

    # integers and pointers
    def add(self, a: str | int, b: str | int) -> str:
        """Sum of two i64."""
        return self.let(f"add i64 {a}, {b}")

    def sub(self, a: str | int, b: str | int) -> str:
        """Difference of two i64."""
        return self.let(f"sub i64 {a}, {b}")

    def mul(self, a: str | int, b: str | int) -> str:
        """Product of two i64."""
        return self.let(f"mul i64 {a}, {b}")

    def minimum(self, a: str | int, b: str | int) -> str:
        """Smaller of two i64."""
        return self.let(f"call i64 @llvm.smin.i64(i64 {a}, i64 {b})")

    def maximum(self, a: str | int, b: str | int) -> str:
        """Larger of two i64."""
        return self.let(f"call i64 @llvm.smax.i64(i64 {a}, i64 {b})")

    def at(self, pointer: str, offset: str | int) -> str:
        """``pointer`` plus bytes."""
        return pointer if offset == 0 else self.let(f"getelementptr i8, ptr {pointer}, i64 {offset}")

    def integer(self, pointer: str, offset: str | int = 0) -> str:
        """Load an i64."""
        return self.let(f"load i64, ptr {self.at(pointer, offset)}, align 8")

    def argument(self, index: int) -> str:
        """The i64 at place ``index`` of the step's arguments."""
        return self.integer("%args", 8 * index)

    def pointer(self, index: int) -> str:
        """The address at place ``index`` of the arguments: number of a base in the high 16 bits, bytes from it in the low 48."""
        return self.address(self.argument(index))

    def address(self, word: str) -> str:
        """The address that a tape word stands for."""
        slot = self.let(f"lshr i64 {word}, 48")
        place = self.let(f"getelementptr ptr, ptr %bases, i64 {slot}")
        base = self.let(f"load ptr, ptr {place}, align 8")
        return self.at(base, self.let(f"and i64 {word}, {(1 << 48) - 1}"))

    # vectors
    def load(self, pointer: str, offset: str | int = 0) -> str:
        """A vector, at any alignment of 4."""
        return self.let(f"load {self.vector}, ptr {self.at(pointer, offset)}, align 4")

    def store(self, value: str, pointer: str, offset: str | int = 0) -> None:
        """Write a vector."""
        self.do(f"store {self.vector} {value}, ptr {self.at(pointer, offset)}, align 4")

    def load_broadcast(self, pointer: str, offset: str | int = 0) -> str:
        """One float, in every lane."""
        number = self.let(f"load float, ptr {self.at(pointer, offset)}, align 4")
        return self.broadcast(number)

    def broadcast(self, number: str) -> str:
        """A scalar float in every lane."""
        first = self.let(f"insertelement {self.vector} undef, float {number}, i32 0")
        return self.let(f"shufflevector {self.vector} {first}, {self.vector} undef, <{self.lanes} x i32> zeroinitializer")

    def constant(self, number: float) -> str:
        """The same number in every lane."""
        single = struct.unpack("f", struct.pack("f", number))[0]
        bits = struct.unpack("<Q", struct.pack("<d", single))[0]
        return "<" + ", ".join([f"float 0x{bits:016X}"] * self.lanes) + ">"

    def integers(self, number: int) -> str:
        """The same i32 in every lane."""
        return "<" + ", ".join([f"i32 {number}"] * self.lanes) + ">"

    def fma(self, a: str, b: str, c: str) -> str:
        """``a * b + c``, fused where the machine can."""
        v = self.vector
        return self.let(f"call {v} @llvm.fmuladd.v{self.lanes}f32({v} {a}, {v} {b}, {v} {c})")

    def arith(self, operation: str, a: str, b: str) -> str:
        """``fadd``, ``fsub``, ``fmul`` or ``fdiv``."""
        return self.let(f"{operation} {self.vector} {a}, {b}")

    def vector_maximum(self, a: str, b: str) -> str:
        """Larger of each lane (the second where one is NaN, as the machine's own instruction)."""
        mask = self.let(f"fcmp ogt {self.vector} {a}, {b}")
        return self.select(mask, a, b)

    def vector_minimum(self, a: str, b: str) -> str:
        """Smaller of each lane."""
        mask = self.let(f"fcmp olt {self.vector} {a}, {b}")
        return self.select(mask, a, b)

    def nan_mask(self, *values: str) -> str:
        """Mask of the lanes in which any of the values is NaN; a comparison sees two of them."""
        pairs = zip(values[::2], [*values[1::2], *values[-1:]], strict=False)
        masks = [self.let(f"fcmp uno {self.vector} {a}, {b}") for a, b in pairs]
        return reduce(self.mask_or, masks)

    def mask_or(self, a: str, b: str) -> str:
        """Union of two masks."""
        return self.let(f"or <{self.lanes} x i1> {a}, {b}")

    def select(self, mask: str, a: str, b: str) -> str:
        """``a`` where the mask is set, else ``b``."""
        return self.let(f"select <{self.lanes} x i1> {mask}, {self.vector} {a}, {self.vector} {b}")

    # control
    @contextmanager
    def loop(self, turns: str | int, carried: Sequence[tuple[str, str]] = ()) -> Iterator[Loop]:
        """Run the body ``turns`` >= 1 times; ``carried`` are (type, first value); afterwards ``.carried`` holds the last ones."""
        head, before = self.label("loop"), self.block
        self.do(f"br label %{head}")
        self.begin(head)
        index = self.fresh("i")
        names = [self.fresh("c") for _ in carried]
        holes = len(self.lines)
        self.lines += [""] * (1 + len(names))
        state = Loop(index, list(names))
        yield state
        step = self.add(index, 1)
        end, after = self.block, self.label("after")
        self.lines[holes] = f"  {index} = phi i64 [ 0, %{before} ], [ {step}, %{end} ]"
        for place, (name, (kind, first), new) in enumerate(zip(names, carried, state.next_values, strict=True)):
            self.lines[holes + 1 + place] = f"  {name} = phi {kind} [ {first}, %{before} ], [ {new}, %{end} ]"
        more = self.let(f"icmp slt i64 {step}, {turns}")
        self.do(f"br i1 {more}, label %{head}, label %{after}")
        self.begin(after)
        state.carried = list(state.next_values)

    def float_argument(self, index: int) -> str:
        """The float whose bits are the low half of the argument at ``index``, in every lane."""
        bits = self.let(f"trunc i64 {self.argument(index)} to i32")
        return self.broadcast(self.let(f"bitcast i32 {bits} to float"))

    def text(self) -> str:
        """The whole module."""
        body = "\n".join(self.lines)
        v, n = self.vector, self.lanes
        return (
            f"declare {v} @llvm.fmuladd.v{n}f32({v}, {v}, {v})\n"
            "declare i64 @llvm.smin.i64(i64, i64)\ndeclare i64 @llvm.smax.i64(i64, i64)\n"
            f"define void @{self.name}({self.signature}) #0 {{\nentry:\n{body}\n  ret void\n}}\n"
            'attributes #0 = { nounwind "min-legal-vector-width"="512" "prefer-vector-width"="512" "frame-pointer"="none" }\n'
        )
