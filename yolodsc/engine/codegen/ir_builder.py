"""A builder of LLVM IR, one function at a time, as text.

The compiler reads text, so a kernel needs neither type inference nor optimiser passes, only instruction selection: a kernel of 24
accumulators compiles in 20 to 40 ms (as a Numba function: 0.1 s with `intrinsic`, seconds with loops around it). Values are SSA
names. Loops carry theirs in phi nodes, so no variable is stored in memory.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce

CONFIGURATION = 7
"""Position in a thread's table of bases of the number of its tile configuration (AMX); 0: none."""


class Loop:
    """A loop under construction: ``index`` and ``carried`` are the values of this iteration, `next` sets those of the next one."""

    def __init__(self, index: str, carried: list[str]) -> None:
        self.index = index
        self.carried = carried
        self.next_values: list[str] = []

    def next(self, *values: str) -> None:
        """Set the carried values of the next iteration, and after the last one, of the code that follows."""
        self.next_values = list(values)


class IRBuilder:
    """Builds one function ``void name(ptr args, ptr bases)`` with vectors of ``lanes`` floats."""

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
        """Return an unused name."""
        self.count += 1
        return f"%{stem}{self.count}"

    def let(self, text: str) -> str:
        """Add an instruction and return the name of its value."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Add an instruction that has no value."""
        self.lines.append(f"  {text}")

    def label(self, stem: str) -> str:
        """Return the name of a new basic block, which `begin` starts."""
        return self.fresh(stem)[1:]

    def begin(self, label: str) -> None:
        """Start the basic block ``label``."""
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
        """Minimum of two i64."""
        return self.let(f"call i64 @llvm.smin.i64(i64 {a}, i64 {b})")

    def maximum(self, a: str | int, b: str | int) -> str:
        """Maximum of two i64."""
        return self.let(f"call i64 @llvm.smax.i64(i64 {a}, i64 {b})")

    def at(self, pointer: str, offset: str | int) -> str:
        """``pointer`` plus ``offset`` bytes."""
        return pointer if offset == 0 else self.let(f"getelementptr i8, ptr {pointer}, i64 {offset}")

    def integer(self, pointer: str, offset: str | int = 0) -> str:
        """Load an i64."""
        return self.let(f"load i64, ptr {self.at(pointer, offset)}, align 8")

    def argument(self, index: int) -> str:
        """Load the i64 argument number ``index`` of the call."""
        return self.integer("%args", 8 * index)

    def pointer(self, index: int) -> str:
        """Resolve argument number ``index``, a tagged address."""
        return self.address(self.argument(index))

    def address(self, tagged: str) -> str:
        """Resolve a tagged address: number of a base in the high 16 bits, offset in bytes in the low 48."""
        number = self.let(f"lshr i64 {tagged}, 48")
        slot = self.let(f"getelementptr ptr, ptr %bases, i64 {number}")
        base = self.let(f"load ptr, ptr {slot}, align 8")
        return self.at(base, self.let(f"and i64 {tagged}, {(1 << 48) - 1}"))

    # vectors
    def load(self, pointer: str, offset: str | int = 0) -> str:
        """Load a vector from an address that is a multiple of 4."""
        return self.let(f"load {self.vector}, ptr {self.at(pointer, offset)}, align 4")

    def store(self, value: str, pointer: str, offset: str | int = 0) -> None:
        """Store a vector to an address that is a multiple of 4."""
        self.do(f"store {self.vector} {value}, ptr {self.at(pointer, offset)}, align 4")

    def load_broadcast(self, pointer: str, offset: str | int = 0) -> str:
        """Load one float into every lane."""
        number = self.let(f"load float, ptr {self.at(pointer, offset)}, align 4")
        return self.broadcast(number)

    def broadcast(self, number: str) -> str:
        """Copy a scalar float to every lane."""
        first = self.let(f"insertelement {self.vector} undef, float {number}, i32 0")
        return self.let(f"shufflevector {self.vector} {first}, {self.vector} undef, <{self.lanes} x i32> zeroinitializer")

    def constant(self, number: float) -> str:
        """A constant float in every lane."""
        single = struct.unpack("f", struct.pack("f", number))[0]
        bits = struct.unpack("<Q", struct.pack("<d", single))[0]
        return "<" + ", ".join([f"float 0x{bits:016X}"] * self.lanes) + ">"

    def integers(self, number: int) -> str:
        """A constant i32 in every lane."""
        return "<" + ", ".join([f"i32 {number}"] * self.lanes) + ">"

    def fma(self, a: str, b: str, c: str) -> str:
        """``a * b + c``, fused if the processor supports it."""
        v = self.vector
        return self.let(f"call {v} @llvm.fmuladd.v{self.lanes}f32({v} {a}, {v} {b}, {v} {c})")

    def arith(self, operation: str, a: str, b: str) -> str:
        """``fadd``, ``fsub``, ``fmul`` or ``fdiv``."""
        return self.let(f"{operation} {self.vector} {a}, {b}")

    def vector_maximum(self, a: str, b: str) -> str:
        """Maximum in each lane; ``b`` where either is NaN, as x86's instruction has it."""
        mask = self.let(f"fcmp ogt {self.vector} {a}, {b}")
        return self.select(mask, a, b)

    def vector_minimum(self, a: str, b: str) -> str:
        """Minimum in each lane; ``b`` where either is NaN."""
        mask = self.let(f"fcmp olt {self.vector} {a}, {b}")
        return self.select(mask, a, b)

    def nan_mask(self, *values: str) -> str:
        """Mask of the lanes in which any of the values is NaN; one comparison tests two values."""
        pairs = zip(values[::2], [*values[1::2], *values[-1:]], strict=False)
        masks = [self.let(f"fcmp uno {self.vector} {a}, {b}") for a, b in pairs]
        return reduce(self.mask_or, masks)

    def mask_or(self, a: str, b: str) -> str:
        """Union of two masks."""
        return self.let(f"or <{self.lanes} x i1> {a}, {b}")

    def select(self, mask: str, a: str, b: str) -> str:
        """``a`` where the mask is set, else ``b``."""
        return self.let(f"select <{self.lanes} x i1> {mask}, {self.vector} {a}, {self.vector} {b}")

    # control flow
    @contextmanager
    def loop(self, count: str | int, carried: Sequence[tuple[str, str]] = ()) -> Iterator[Loop]:
        """Run the body ``count`` >= 1 times; ``carried`` lists (type, first value), and after the loop holds the last values."""
        head, before = self.label("loop"), self.block
        self.do(f"br label %{head}")
        self.begin(head)
        index = self.fresh("i")
        names = [self.fresh("c") for _ in carried]
        phis = len(self.lines)
        self.lines += [""] * (1 + len(names))
        state = Loop(index, list(names))
        yield state
        step = self.add(index, 1)
        end, after = self.block, self.label("after")
        self.lines[phis] = f"  {index} = phi i64 [ 0, %{before} ], [ {step}, %{end} ]"
        for number, (name, (kind, first), new) in enumerate(zip(names, carried, state.next_values, strict=True)):
            self.lines[phis + 1 + number] = f"  {name} = phi {kind} [ {first}, %{before} ], [ {new}, %{end} ]"
        more = self.let(f"icmp slt i64 {step}, {count}")
        self.do(f"br i1 {more}, label %{head}, label %{after}")
        self.begin(after)
        state.carried = list(state.next_values)

    @contextmanager
    def branch(self, condition: str) -> Iterator[None]:
        """Run the body if an i1 is true; it leaves no values."""
        then, after = self.label("then"), self.label("after")
        self.do(f"br i1 {condition}, label %{then}, label %{after}")
        self.begin(then)
        yield
        self.do(f"br label %{after}")
        self.begin(after)

    def float_argument(self, index: int) -> str:
        """Load argument number ``index``, whose low half holds the bits of a float, into every lane."""
        bits = self.let(f"trunc i64 {self.argument(index)} to i32")
        return self.broadcast(self.let(f"bitcast i32 {bits} to float"))

    def integer_argument(self, index: int) -> str:
        """Load the low half of argument number ``index``, an i32, into every lane."""
        return self.broadcast_integer(self.let(f"trunc i64 {self.argument(index)} to i32"))

    def broadcast_integer(self, number: str) -> str:
        """Copy a scalar i32 to every lane."""
        kind = f"<{self.lanes} x i32>"
        first = self.let(f"insertelement {kind} undef, i32 {number}, i32 0")
        return self.let(f"shufflevector {kind} {first}, {kind} undef, <{self.lanes} x i32> zeroinitializer")

    def call(self, result: str, function: str, *arguments: str) -> str:
        """Call a function of LLVM; ``arguments`` are types and values. Return the name of the result, if there is one."""
        kinds = ", ".join(argument[: argument.rindex(" ")] for argument in arguments)
        self.declared.add(f"declare {result} @{function}({kinds})")
        text = f"call {result} @{function}({', '.join(arguments)})"
        if result == "void":
            self.do(text)
            return ""
        return self.let(text)

    def text(self) -> str:
        """Return the module."""
        body = "\n".join(self.lines)
        declared = "".join(f"{line}\n" for line in sorted(self.declared))
        v, n = self.vector, self.lanes
        return (
            f"declare {v} @llvm.fmuladd.v{n}f32({v}, {v}, {v})\n"
            "declare i64 @llvm.smin.i64(i64, i64)\ndeclare i64 @llvm.smax.i64(i64, i64)\n"
            f"{declared}define void @{self.name}({self.signature}) #0 {{\nentry:\n{body}\n  ret void\n}}\n"
            'attributes #0 = { nounwind "min-legal-vector-width"="512" "prefer-vector-width"="512" "frame-pointer"="none" }\n'
        )
