"""The convolution tile on AMX: matrices of 16 rows in tile registers.

One instruction multiplies 16 pixels x 16 channels by 16 channels x 16 filters; so one block of one pixel is a row of a tile, and a
segment of the table is one instruction for each 16 pixels and 16 filters. The rows of an accumulator are stored to the stack, from
where the epilogue of the other kernels takes them. Weights lie as for `DotKernel`.

Configuring the tile registers takes 250 cycles, so a kernel does it only if the kernel before it on this thread used another
configuration: the thread's table of bases holds the number of the present one. The worker releases the registers.
"""

from collections.abc import Mapping
from typing import ClassVar

from yolodsc.engine.codegen.dtypes import load_integers, real
from yolodsc.engine.codegen.epilogue import ACTIVATIONS
from yolodsc.engine.codegen.ir_builder import CONFIGURATION, IRBuilder
from yolodsc.engine.codegen.kernels.dot import DotKernel

ROWS = 16
"""Rows of a tile register: pixels of an input, words of a row of weights."""

INPUTS, WEIGHTS = 4, 6
"""First tile register of the inputs and of the weights; those before hold sums."""


class TiledKernel(DotKernel):
    """A convolution of bytes or bf16 with ``vectors`` x 16 channels and one or two tiles of pixels; ``unroll`` is 16."""

    method: str = "amx"

    multiply: ClassVar[Mapping[str, str]] = {"u8": "llvm.x86.tdpbusd", "bf16": "llvm.x86.tdpbf16ps"}

    @property
    def heights(self) -> int:
        """Tiles of pixels."""
        return -(-self.pixels // ROWS)

    @property
    def rows(self) -> int:
        """Pixels of a tile; all tiles have the same number."""
        return self.pixels // self.heights

    def _begin(self, c: IRBuilder) -> None:
        """Configure the tile registers if they have another configuration."""
        c.do(f"%sums = alloca [{self.vectors * self.pixels * 64} x i8], align 64")
        c.do("%configuration = alloca [64 x i8], align 64")
        number = self.rows * 256 + self.group_bytes
        slot = c.at("%bases", 8 * CONFIGURATION)
        same = c.let(f"icmp eq i64 {c.integer(slot)}, {number}")
        configure, ready = c.label("configure"), c.label("ready")
        c.do(f"br i1 {same}, label %{ready}, label %{configure}")
        c.begin(configure)
        shapes = [(self.rows, 64)] * INPUTS + [(self.rows, self.group_bytes)] * 2 + [(self.group_bytes // 4, 64)] * 2
        widths = b"".join(columns.to_bytes(2, "little") for _, columns in shapes)
        image = bytes([1]).ljust(16, b"\0") + widths.ljust(32, b"\0") + bytes(rows for rows, _ in shapes).ljust(16, b"\0")
        for position in range(0, 64, 8):
            word = int.from_bytes(image[position : position + 8], "little", signed=True)
            c.do(f"store i64 {word}, ptr {c.at('%configuration', position)}, align 8")
        c.call("void", "llvm.x86.ldtilecfg", "ptr %configuration")
        c.do(f"store i64 {number}, ptr {slot}, align 8")
        c.do(f"br label %{ready}")
        c.begin(ready)

    def _tile(self, c: IRBuilder, at: Mapping[str, str], g: Mapping[str, str], index: Mapping[str, int]) -> None:
        """Accumulate in tile registers, store them, and finish row by row."""
        self._multiplied(c, at, g["segments"])
        self._finished(c, at, g, index)

    def _multiplied(self, c: IRBuilder, at: Mapping[str, str], segments: str) -> None:
        """Sums of all segments, on the stack as ``[vectors][pixels][16]``."""
        sums = [(v, h) for v in range(self.vectors) for h in range(self.heights)]
        for number in range(len(sums)):
            c.call("void", "llvm.x86.tilezero", f"i8 {number}")
        step = str(self.vectors * 64)
        with c.loop(segments, [("ptr", at["weights"]), ("ptr", at["table"])]) as segment:
            w, entry = segment.carried
            offset, channel_groups = c.integer(entry), c.integer(entry, 8)
            with c.loop(channel_groups, [("ptr", c.at(at["x"], offset)), ("ptr", w)]) as channel_group:
                x1, w1 = channel_group.carried
                for h in range(self.heights):
                    self._load(c, INPUTS + h, c.at(x1, h * self.rows * self.stride), str(self.stride))
                for v in range(self.vectors):
                    register = WEIGHTS + v % 2
                    self._load(c, register, c.at(w1, v * 64), step)
                    for h in range(self.heights):
                        total = v * self.heights + h
                        c.call("void", self.multiply[self.x], f"i8 {total}", f"i8 {INPUTS + h}", f"i8 {register}")
                channel_group.next(c.at(x1, self.group_bytes), c.at(w1, self.group_weights))
            segment.next(channel_group.carried[1], c.at(entry, 16))
        for number, (v, h) in enumerate(sums):
            pointer = c.at("%sums", (v * self.pixels + h * self.rows) * 64)
            c.call("void", "llvm.x86.tilestored64", f"i8 {number}", f"ptr {pointer}", "i64 64")

    def _load(self, c: IRBuilder, register: int, pointer: str, stride: str) -> None:
        c.call("void", "llvm.x86.tileloadd64", f"i8 {register}", f"ptr {pointer}", f"i64 {stride}")

    def _finished(self, c: IRBuilder, at: Mapping[str, str], g: Mapping[str, str], index: Mapping[str, int]) -> None:
        """Add the bias or multiply by the scale, apply the activation, add the residual, store."""
        activate = ACTIVATIONS[self.activation]
        load, store = self.ends(c, index)
        step = max(n for n in (8, 7, 6, 5, 4, 3, 2, 1) if self.pixels % n == 0)
        y, residual = at["y"], at.get("residual", "")
        for v in range(self.vectors):
            bias = load_integers(c, at["biases"], v * 64) if self.x == "u8" else c.load(at["biases"], v * 64)
            unit = c.load(at["scales"], v * 64) if self.x == "u8" else ""
            carried = [("ptr", c.at("%sums", v * self.pixels * 64)), ("ptr", y), *([("ptr", residual)] if residual else [])]
            with c.loop(self.pixels // step, carried) as rows:
                sums, y1, *r1 = rows.carried
                values = []
                for p in range(step):
                    value = activate(c, self._real(c, sums, p * 64, bias, unit))
                    values.append(c.arith("fadd", value, load(r1[0], p * self.r_pixel)) if residual else value)
                store(values, y1)
                rows.next(c.at(sums, step * 64), c.at(y1, step * self.y_pixel), *(c.at(r, step * self.r_pixel) for r in r1))
            if v + 1 < self.vectors:
                y = c.at(y, g["block_y"])
                residual = residual and c.at(residual, g["block_residual"])

    def _real(self, c: IRBuilder, sums: str, offset: int, bias: str, unit: str) -> str:
        if self.x == "bf16":
            return c.arith("fadd", c.load(sums, offset), bias)
        total = c.let(f"add <16 x i32> {load_integers(c, sums, offset)}, {bias}")
        return c.arith("fmul", real(c, total), unit)
