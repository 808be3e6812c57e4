"""Element-wise kernels: sums, products, scale and shift, zeros.

None of them has arithmetic worth tiling. Each is a nest of loops over blocks, rows and pixels; all strides are arguments, so a
kernel serves whole feature maps, halos and strips.
"""

from typing import Literal

import numpy as np

from yolodsc.engine.codegen.dtypes import BYTES, DType, Load, Store, affine_arguments, loader, storer
from yolodsc.engine.codegen.epilogue import ACTIVATIONS
from yolodsc.engine.codegen.extent import ONE, Columns, Extent, tiled
from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.ir_builder import IRBuilder

PAIR_NAMES = ("x", "r", "y", "blocks", "block_x", "block_r", "block_y", "rows", "row_x", "row_r", "row_y", "pixels")


class PairKernel(GeneratedKernel):
    """``y = activation(x + r)`` or ``activation(x * r)``; for ``gate``, r has one vector per block (squeeze and excite).

    Every operand has its number format, so that ``copy`` converts.
    """

    lanes: int
    operation: Literal["add", "multiply", "gate", "copy"]
    activation: str
    x: DType = "f32"
    r: DType = "f32"
    y: DType = "f32"

    gathers = False
    fixed = ("lanes", "pair", "gated", "x_pixel", "r_pixel", "y_pixel")

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in the order of a call."""
        return (*PAIR_NAMES, *affine_arguments(x=self.x, r=self.r, y=self.y))

    @property
    def x_pixel(self) -> int:
        """Bytes of a pixel of one block of ``x``."""
        return self.lanes * BYTES[self.x]

    @property
    def r_pixel(self) -> int:
        """Bytes of a pixel of one block of ``r``."""
        return self.lanes * BYTES[self.r]

    @property
    def y_pixel(self) -> int:
        """Bytes of a pixel of one block of ``y``."""
        return self.lanes * BYTES[self.y]

    @property
    def pair(self) -> bool:
        """Whether ``r`` has the shape of ``x``."""
        return self.operation in ("add", "multiply")

    @property
    def gated(self) -> bool:
        """Whether ``r`` has one vector per block."""
        return self.operation == "gate"

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        blocks, rows, pixels = a["blocks"], a["rows"], a["pixels"]
        x, r, y = (k[f"{name}_pixel"] for name in "xry")
        r_walk = ((blocks, a["block_r"]), (rows, a["row_r"] * k["pair"]), (pixels, r * k["pair"]))
        return [
            Extent("x", x, ((blocks, a["block_x"]), (rows, a["row_x"]), (pixels, x))),
            Extent("r", r * np.maximum(k["pair"], k["gated"]), r_walk),
            Extent("y", y, ((blocks, a["block_y"]), (rows, a["row_y"]), (pixels, y)), writes=True),
        ]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel."""
        c = IRBuilder(name, self.lanes)
        load_x, load_r, store = self._ends(c)
        x, y = c.pointer(0), c.pointer(2)
        r = c.pointer(1) if self.operation != "copy" else x
        blocks, block_x, block_r, block_y, rows, row_x, row_r, row_y, pixels = (c.argument(i) for i in range(3, 12))
        with c.loop(blocks, [("ptr", x), ("ptr", r), ("ptr", y)]) as block:
            x0, r0, y0 = block.carried
            gate = load_r(r0) if self.gated else ""
            with c.loop(rows, [("ptr", x0), ("ptr", r0), ("ptr", y0)]) as row:
                x1, r1, y1 = row.carried
                with c.loop(pixels, [("ptr", x1), ("ptr", r1), ("ptr", y1)]) as pixel:
                    x2, r2, y2 = pixel.carried
                    value = load_x(x2)
                    if self.operation != "copy":
                        value = c.arith("fadd" if self.operation == "add" else "fmul", value, load_r(r2) if self.pair else gate)
                    store(ACTIVATIONS[self.activation](c, value), y2)
                    pixel.next(c.at(x2, self.x_pixel), c.at(r2, self.r_pixel), c.at(y2, self.y_pixel))
                row.next(c.at(x1, row_x), c.at(r1, row_r), c.at(y1, row_y))
            block.next(c.at(x0, block_x), c.at(r0, block_r), c.at(y0, block_y))
        return c.text()

    def _ends(self, c: IRBuilder) -> tuple[Load, Load, Store]:
        index = {argument: number for number, argument in enumerate(self.arguments)}
        x, r, y = ((index.get(f"scale_{n}", 0), index.get(f"zero_{n}", 0)) for n in "xry")
        return loader(c, self.x, x), loader(c, self.r, r), storer(c, self.y, y)


class ClearKernel(GeneratedKernel):
    """Zeros for ``blocks`` x ``rows`` x ``vectors``: the halo that a k x k convolution reads.

    A vector has ``lanes`` x 4 bytes, whatever the number format; the low 32 bits of ``value`` are what zeros are stored as.
    """

    lanes: int

    arguments = ("y", "blocks", "block_y", "rows", "row_y", "vectors", "value")
    gathers = False
    fixed = ("lanes",)

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        width = k["lanes"] * 4
        walk = ((a["blocks"], a["block_y"]), (a["rows"], a["row_y"]), (a["vectors"], width))
        return [Extent("y", width, walk, writes=True)]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel."""
        c = IRBuilder(name, self.lanes)
        y = c.pointer(0)
        blocks, block_y, rows, row_y, vectors = (c.argument(i) for i in range(1, 6))
        value = c.float_argument(6)
        with c.loop(blocks, [("ptr", y)]) as block:
            with c.loop(rows, [("ptr", block.carried[0])]) as row:
                with c.loop(vectors, [("ptr", row.carried[0])]) as vector:
                    c.store(value, vector.carried[0])
                    vector.next(c.at(vector.carried[0], self.lanes * 4))
                row.next(c.at(row.carried[0], row_y))
            block.next(c.at(block.carried[0], block_y))
        return c.text()


class AffineKernel(GeneratedKernel):
    """``y = activation(x) * scale + shift`` over the rows of planar tensors; the last vector of a row overlaps the one before."""

    lanes: int
    activation: str

    arguments = ("x", "y", "channels", "channel_x", "channel_y", "rows", "row_x", "row_y", "floats", "scale", "shift")
    gathers = False
    fixed = ("lanes",)

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write; a row shorter than a vector would begin before its first float."""
        channels, rows, row = a["channels"], a["rows"], (a["floats"], 0 * k["lanes"])
        first, last = tiled(a["floats"] - k["lanes"], 4 * ONE)
        x_walk = ((channels, a["channel_x"]), (rows, a["row_x"]), row)
        y_walk = ((channels, a["channel_y"]), (rows, a["row_y"]), row)
        size = k["lanes"] * 4
        return [Extent("x", size, x_walk, first, last), Extent("y", size, y_walk, first, last, writes=True)]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel; ``floats`` must be at least ``lanes``."""
        c = IRBuilder(name, self.lanes)
        x, y = c.pointer(0), c.pointer(1)
        channels, channel_x, channel_y, rows, row_x, row_y, floats = (c.argument(i) for i in range(2, 9))
        scale, shift = c.float_argument(9), c.float_argument(10)
        count = c.let(f"sdiv i64 {c.add(floats, self.lanes - 1)}, {self.lanes}")
        last = c.sub(floats, self.lanes)
        with c.loop(channels, [("ptr", x), ("ptr", y)]) as channel:
            x0, y0 = channel.carried
            with c.loop(rows, [("ptr", x0), ("ptr", y0)]) as row:
                x1, y1 = row.carried
                with c.loop(count) as vector:
                    offset = c.mul(c.minimum(c.mul(vector.index, self.lanes), last), 4)
                    value = ACTIVATIONS[self.activation](c, c.load(x1, offset))
                    c.store(c.fma(value, scale, shift), y1, offset)
                row.next(c.at(x1, row_x), c.at(y1, row_y))
            channel.next(c.at(x0, channel_x), c.at(y0, channel_y))
        return c.text()
