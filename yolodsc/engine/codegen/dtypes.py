"""Number formats of tensors, and how kernels load and store them as vectors of float32.

A byte stands for ``(byte - zero) * scale``. Loading takes two roundings at most, storing one before the rounding to the nearest
integer (to even between two): no step is contracted, so NumPy repeats them bit for bit. bf16 is the upper half of a float32.
"""

import math
import struct
from collections.abc import Callable, Mapping
from typing import Literal

from yolodsc.engine.codegen.ir_builder import IRBuilder
from yolodsc.values import Value

DType = Literal["f32", "bf16", "u8"]

BYTES: Mapping[DType, int] = {"f32": 4, "bf16": 2, "u8": 1}


def bits(number: float) -> int:
    """A float32's bits, as arguments carry them."""
    return int(struct.unpack("<I", struct.pack("<f", number))[0])


class Element(Value):
    """How the numbers of a tensor are stored.

    Attributes
    ----------
    scale, zero_point
        A byte stands for ``(byte - zero_point) * scale``.
    """

    dtype: DType = "f32"
    scale: float = 1.0
    zero_point: int = 0

    @property
    def size(self) -> int:
        """Bytes of one number."""
        return BYTES[self.dtype]

    @property
    def limit(self) -> float:
        """Largest magnitude of a number."""
        return 255.0 * self.scale if self.dtype == "u8" else math.inf

    @property
    def from_zero(self) -> bool:
        """Whether a byte of 0 stands for 0."""
        return self.dtype == "u8" and self.zero_point == 0

    @property
    def fill(self) -> int:
        """The 32 bits that stand for zeros."""
        return self.zero_point * 0x01010101

    def absorbs(self, activation: str) -> bool:
        """Whether rounding to bytes does what an activation does: bytes from 0 on clip at 0, and at 6 if 6 needs more than 255."""
        if not self.from_zero:
            return False
        return activation == "relu" or (activation == "relu6" and _single(6.0 * _single(1.0 / self.scale)) >= 255)

    def bounds(self, limit: float) -> bool:
        """Whether activations of numbers of magnitude ``limit`` at most, doubled at most, are less than 2^30 steps of bytes."""
        return self.dtype == "u8" and 2 * max(limit, 1.0) / self.scale < 2**30

    def read_as(self, operand: str) -> dict[str, int]:
        """Arguments of a kernel that loads numbers through ``operand``."""
        return {f"scale_{operand}": bits(self.scale), f"zero_{operand}": self.zero_point} if self.dtype == "u8" else {}

    def written_as(self, operand: str) -> dict[str, int]:
        """Arguments of a kernel that stores numbers through ``operand``."""
        return self.read_as(operand) | {f"scale_{operand}": bits(1.0 / self.scale)} if self.dtype == "u8" else {}


F32, BF16 = Element(), Element("bf16")

MAGIC = 1.5 * 2**23
"""Adding it to a number of at most 255 leaves the nearest integer in the low bits."""

MAGIC_BITS = 0x4B400000

Load = Callable[..., str]
"""``load(pointer, offset=0)``: a vector of float32."""

Store = Callable[..., None]
"""``store(value, pointer, offset=0)``."""


def _single(number: float) -> float:
    """``number`` rounded to float32."""
    return float(struct.unpack("<f", struct.pack("<f", number))[0])


def affine_arguments(**dtypes: DType) -> tuple[str, ...]:
    """Names of the arguments that describe the operands stored as bytes: ``scale_x``, ``zero_x`` for ``x="u8"``."""
    return tuple(f"{part}_{name}" for name, dtype in dtypes.items() if dtype == "u8" for part in ("scale", "zero"))


def loader(c: IRBuilder, dtype: DType, affine: tuple[int, int] | None = None) -> Load:
    """Code that loads vectors; ``affine`` are the positions of the arguments scale (float32 bits) and zero point of bytes.

    Without them, the bytes themselves are loaded as numbers.
    """
    n, integers = c.lanes, f"<{c.lanes} x i32>"
    if dtype == "f32":
        return c.load
    if dtype == "bf16":

        def upper(pointer: str, offset: str | int = 0) -> str:
            bits = c.let(f"load <{n} x i16>, ptr {c.at(pointer, offset)}, align 2")
            wide = c.let(f"shl {integers} {c.let(f'zext <{n} x i16> {bits} to {integers}')}, {c.integers(16)}")
            return c.let(f"bitcast {integers} {wide} to {c.vector}")

        return upper

    def number(pointer: str, offset: str | int = 0) -> str:
        return real(c, c.let(f"zext <{n} x i8> {load_bytes(c, pointer, offset)} to {integers}"))

    if affine is None:
        return number
    scale, zero = c.float_argument(affine[0]), _float_zero(c, affine[1])
    return lambda pointer, offset=0: c.arith("fmul", c.arith("fsub", number(pointer, offset), zero), scale)


def storer(c: IRBuilder, dtype: DType, affine: tuple[int, int] = (0, 0)) -> Store:
    """Code that stores vectors of float32; ``affine`` are the positions of the arguments 1 / scale and zero point of bytes."""
    n = c.lanes
    if dtype == "f32":
        return c.store
    if dtype == "bf16":

        def rounded(value: str, pointer: str, offset: str | int = 0) -> None:
            half = c.let(f"fptrunc {c.vector} {value} to <{n} x bfloat>")
            c.do(f"store <{n} x bfloat> {half}, ptr {c.at(pointer, offset)}, align 2")

        return rounded
    steps = quantizer(c, affine)

    def quantized(value: str, pointer: str, offset: str | int = 0) -> None:
        store_bytes(c, c.let(f"trunc <{n} x i32> {steps(value)} to <{n} x i8>"), pointer, offset)

    return quantized


def quantizer(c: IRBuilder, affine: tuple[int, int]) -> Callable[[str], str]:
    """Code that rounds vectors of float32 to steps of a tensor of bytes, 0 to 255 as i32; NaN gives 0 or 255."""
    integers = f"<{c.lanes} x i32>"
    inverse, zero = c.float_argument(affine[0]), _float_zero(c, affine[1])
    low, high = c.arith("fsub", c.constant(0.0), zero), c.arith("fsub", c.constant(255.0), zero)
    shift = c.let(f"sub {integers} {c.integer_argument(affine[1])}, {c.integers(MAGIC_BITS)}")

    def steps(value: str) -> str:
        inside = c.vector_minimum(c.vector_maximum(c.arith("fmul", value, inverse), low), high)
        bits = c.let(f"bitcast {c.vector} {c.arith('fadd', inside, c.constant(MAGIC))} to {integers}")
        return c.let(f"add {integers} {bits}, {shift}")

    return steps


def load_bytes(c: IRBuilder, pointer: str, offset: str | int = 0) -> str:
    """Load a vector of bytes."""
    return c.let(f"load <{c.lanes} x i8>, ptr {c.at(pointer, offset)}, align 1")


def load_integers(c: IRBuilder, pointer: str, offset: str | int = 0) -> str:
    """Load a vector of i32."""
    return c.let(f"load <{c.lanes} x i32>, ptr {c.at(pointer, offset)}, align 4")


def real(c: IRBuilder, integers: str) -> str:
    """A vector of i32 as float32."""
    return c.let(f"sitofp <{c.lanes} x i32> {integers} to {c.vector}")


def store_bytes(c: IRBuilder, value: str, pointer: str, offset: str | int = 0) -> None:
    """Store a vector of bytes."""
    c.do(f"store <{c.lanes} x i8> {value}, ptr {c.at(pointer, offset)}, align 1")


def _float_zero(c: IRBuilder, index: int) -> str:
    return c.let(f"sitofp <{c.lanes} x i32> {c.integer_argument(index)} to {c.vector}")
