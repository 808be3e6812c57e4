"""Kernels that walk over maps vector by vector: sums, products, copies, pools, and the moves between layouts.

None of them has arithmetic worth tiling; each is a nest of loops over blocks, rows and pixels with all strides as arguments, so
that any map, margin or strip will do.
"""

from dataclasses import dataclass
from typing import Literal

from yolodsc.engine.code import Code
from yolodsc.engine.epilogue import ACTIVATIONS

LOWEST = -3.4028234663852886e38
"""Darknet's -FLT_MAX: what cells outside the map count as in a maximum."""


@dataclass(frozen=True, slots=True)
class PairKernel:
    """``y = activation(x + r)`` or ``x * r``; for ``gate``, r holds one vector a block (squeeze and excite)."""

    lanes: int
    operation: Literal["add", "multiply", "gate", "copy"]
    activation: str

    arguments = ("x", "r", "y", "blocks", "block_x", "block_r", "block_y", "rows", "row_x", "row_r", "row_y", "pixels")

    def emit(self, name: str) -> str:
        """LLVM IR of the kernel."""
        c = Code(name, self.lanes)
        width = self.lanes * 4
        pair = self.operation in ("add", "multiply")
        x, y = c.pointer(0), c.pointer(2)
        r = c.pointer(1) if self.operation != "copy" else x
        blocks, block_x, block_r, block_y, rows, row_x, row_r, row_y, pixels = (c.argument(i) for i in range(3, 12))
        with c.loop(blocks, [("ptr", x), ("ptr", r), ("ptr", y)]) as block:
            x0, r0, y0 = block.carried
            gate = c.load(r0) if self.operation == "gate" else ""
            with c.loop(rows, [("ptr", x0), ("ptr", r0), ("ptr", y0)]) as row:
                x1, r1, y1 = row.carried
                with c.loop(pixels, [("i64", "0")]) as pixel:
                    value = c.load(x1, pixel.carried[0])
                    other = c.load(r1, pixel.carried[0]) if pair else gate
                    if self.operation != "copy":
                        value = c.arith("fadd" if self.operation == "add" else "fmul", value, other)
                    c.store(ACTIVATIONS[self.activation](c, value), y1, pixel.carried[0])
                    pixel.again(c.add(pixel.carried[0], width))
                row.again(c.at(x1, row_x), c.at(r1, row_r), c.at(y1, row_y))
            block.again(c.at(x0, block_x), c.at(r0, block_r), c.at(y0, block_y))
        return c.text()


@dataclass(frozen=True, slots=True)
class ClearKernel:
    """Zeros for ``blocks`` x ``rows`` x ``vectors``: the margins that a k x k consumer reads."""

    lanes: int

    arguments = ("y", "blocks", "block_y", "rows", "row_y", "vectors")

    def emit(self, name: str) -> str:
        """LLVM IR of the kernel."""
        c = Code(name, self.lanes)
        y = c.pointer(0)
        blocks, block_y, rows, row_y, vectors = (c.argument(i) for i in range(1, 6))
        with c.loop(blocks, [("ptr", y)]) as block:
            with c.loop(rows, [("ptr", block.carried[0])]) as row:
                with c.loop(vectors, [("ptr", row.carried[0])]) as vector:
                    c.store(c.constant(0.0), vector.carried[0])
                    vector.again(c.at(vector.carried[0], self.lanes * 4))
                row.again(c.at(row.carried[0], row_y))
            block.again(c.at(block.carried[0], block_y))
        return c.text()


@dataclass(frozen=True, slots=True)
class SpanKernel:
    """``y = activation(x) * scale + shift`` over planes of rows of floats; the last vector of a row overlaps the one before."""

    lanes: int
    activation: str

    arguments = ("x", "y", "planes", "plane_x", "plane_y", "rows", "row_x", "row_y", "floats", "scale", "shift")

    def emit(self, name: str) -> str:
        """LLVM IR of the kernel; ``floats`` must be at least ``lanes``."""
        c = Code(name, self.lanes)
        x, y = c.pointer(0), c.pointer(1)
        planes, plane_x, plane_y, rows, row_x, row_y, floats = (c.argument(i) for i in range(2, 9))
        scale, shift = c.number(9), c.number(10)
        turns = c.let(f"sdiv i64 {c.add(floats, self.lanes - 1)}, {self.lanes}")
        last = c.sub(floats, self.lanes)
        with c.loop(planes, [("ptr", x), ("ptr", y)]) as plane:
            x0, y0 = plane.carried
            with c.loop(rows, [("ptr", x0), ("ptr", y0)]) as row:
                x1, y1 = row.carried
                with c.loop(turns) as turn:
                    place = c.mul(c.least(c.mul(turn.index, self.lanes), last), 4)
                    value = ACTIVATIONS[self.activation](c, c.load(x1, place))
                    c.store(c.fma(value, scale, shift), y1, place)
                row.again(c.at(x1, row_x), c.at(y1, row_y))
            plane.again(c.at(x0, plane_x), c.at(y0, plane_y))
        return c.text()


@dataclass(frozen=True, slots=True)
class LaneKernel:
    """One channel from one layout to the other: floats ``pixel_x`` bytes apart to floats ``pixel_y`` bytes apart."""

    lanes: int = 1

    arguments = ("x", "y", "channels", "channel_x", "channel_y", "rows", "row_x", "row_y", "pixels", "pixel_x", "pixel_y")

    def emit(self, name: str) -> str:
        """LLVM IR of the kernel."""
        c = Code(name, self.lanes)
        x, y = c.pointer(0), c.pointer(1)
        channels, channel_x, channel_y, rows, row_x, row_y, pixels, pixel_x, pixel_y = (c.argument(i) for i in range(2, 11))
        with c.loop(channels, [("ptr", x), ("ptr", y)]) as channel:
            x0, y0 = channel.carried
            with c.loop(rows, [("ptr", x0), ("ptr", y0)]) as row:
                x1, y1 = row.carried
                with c.loop(pixels, [("ptr", x1), ("ptr", y1)]) as pixel:
                    x2, y2 = pixel.carried
                    c.store(c.load(x2), y2)
                    pixel.again(c.at(x2, pixel_x), c.at(y2, pixel_y))
                row.again(c.at(x1, row_x), c.at(y1, row_y))
            channel.again(c.at(x0, channel_x), c.at(y0, channel_y))
        return c.text()


@dataclass(frozen=True, slots=True)
class UpsampleKernel:
    """Every pixel becomes ``factor`` x ``factor`` pixels."""

    lanes: int
    factor: int

    arguments = ("x", "y", "blocks", "block_x", "block_y", "rows", "row_x", "row_y", "pixels")

    def emit(self, name: str) -> str:
        """LLVM IR of the kernel; ``rows`` and ``pixels`` count the input's."""
        c = Code(name, self.lanes)
        width = self.lanes * 4
        x, y = c.pointer(0), c.pointer(1)
        blocks, block_x, block_y, rows, row_x, row_y, pixels = (c.argument(i) for i in range(2, 9))
        with c.loop(blocks, [("ptr", x), ("ptr", y)]) as block:
            x0, y0 = block.carried
            with c.loop(rows, [("ptr", x0), ("ptr", y0)]) as row:
                x1, y1 = row.carried
                with c.loop(pixels, [("ptr", x1), ("ptr", y1)]) as pixel:
                    x2, y2 = pixel.carried
                    value, below = c.load(x2), y2
                    for _ in range(self.factor):
                        for p in range(self.factor):
                            c.store(value, below, p * width)
                        below = c.at(below, row_y)
                    pixel.again(c.at(x2, width), c.at(y2, self.factor * width))
                row.again(c.at(x1, row_x), c.at(y1, c.mul(row_y, self.factor)))
            block.again(c.at(x0, block_x), c.at(y0, block_y))
        return c.text()


@dataclass(frozen=True, slots=True)
class AverageKernel:
    """The mean of each channel: one vector a block. Sums of rows are added up, which keeps the error of long sums small."""

    lanes: int

    arguments = ("x", "y", "blocks", "block_x", "block_y", "rows", "row_x", "pixels", "scale")

    def emit(self, name: str) -> str:
        """LLVM IR of the kernel; ``scale`` is 1 / (rows * pixels)."""
        c = Code(name, self.lanes)
        x, y = c.pointer(0), c.pointer(1)
        blocks, block_x, block_y, rows, row_x, pixels = (c.argument(i) for i in range(2, 8))
        scale, zero = c.number(8), c.constant(0.0)
        with c.loop(blocks, [("ptr", x), ("ptr", y)]) as block:
            x0, y0 = block.carried
            with c.loop(rows, [("ptr", x0), (c.vector, zero)]) as row:
                x1, total = row.carried
                with c.loop(pixels, [("ptr", x1), (c.vector, zero)]) as pixel:
                    x2, part = pixel.carried
                    pixel.again(c.at(x2, self.lanes * 4), c.arith("fadd", part, c.load(x2)))
                row.again(c.at(x1, row_x), c.arith("fadd", total, pixel.carried[1]))
            c.store(c.arith("fmul", row.carried[1], scale), y0)
            block.again(c.at(x0, block_x), c.at(y0, block_y))
        return c.text()


@dataclass(frozen=True, slots=True)
class WindowKernel:
    """Largest value of windows cut off at the map's edges (any size, stride and shift; no window may be empty)."""

    lanes: int

    arguments = (
        "x", "y", "blocks", "block_x", "block_y", "row_x", "row_y", "first_row", "rows", "first_column", "columns",
        "height", "width", "size_y", "size_x", "stride_y", "stride_x", "shift_y", "shift_x",
    )  # fmt: skip

    def emit(self, name: str) -> str:
        """LLVM IR of the kernel; ``y`` points to the pixel (first_row, first_column)."""
        c = Code(name, self.lanes)
        width = self.lanes * 4
        x, y = c.pointer(0), c.pointer(1)
        g = {n: c.argument(i) for i, n in enumerate(self.arguments) if i > 1}
        with c.loop(g["blocks"], [("ptr", x), ("ptr", y)]) as block:
            x0, y0 = block.carried
            with c.loop(g["rows"], [("ptr", y0)]) as row:
                top, tall = self._span(c, row.index, g, "first_row", "_y", "height")
                above = c.at(x0, c.mul(top, g["row_x"]))
                with c.loop(g["columns"], [("ptr", row.carried[0])]) as column:
                    left, wide = self._span(c, column.index, g, "first_column", "_x", "width")
                    corner = c.at(above, c.mul(left, width))
                    c.store(self._largest(c, corner, tall, wide, g["row_x"]), column.carried[0])
                    column.again(c.at(column.carried[0], width))
                row.again(c.at(row.carried[0], g["row_y"]))
            block.again(c.at(x0, g["block_x"]), c.at(y0, g["block_y"]))
        return c.text()

    def _span(self, c: Code, index: str, g: dict[str, str], first: str, axis: str, side: str) -> tuple[str, str]:
        """Start and length of a window along one axis, cut to the map."""
        start = c.sub(c.mul(c.add(index, g[first]), g["stride" + axis]), g["shift" + axis])
        low, high = c.most(start, 0), c.least(c.add(start, g["size" + axis]), g[side])
        return low, c.sub(high, low)

    def _largest(self, c: Code, corner: str, tall: str, wide: str, row_x: str) -> str:
        with c.loop(tall, [("ptr", corner), (c.vector, c.constant(LOWEST))]) as down:
            x1, best = down.carried
            with c.loop(wide, [("ptr", x1), (c.vector, best)]) as right:
                x2, best = right.carried
                right.again(c.at(x2, self.lanes * 4), c.greater(best, c.load(x2)))
            down.again(c.at(x1, row_x), right.carried[1])
        return down.carried[1]


@dataclass(frozen=True, slots=True)
class MaxpoolKernel:
    """Largest value of ``size`` x ``size`` windows that lie inside the map; ``pixels`` windows at a time."""

    lanes: int
    size: int
    stride: int
    pixels: int

    arguments = ("x", "y", "blocks", "block_x", "block_y", "rows", "row_x", "step_x", "row_y", "tiles", "tile_last")

    def emit(self, name: str) -> str:
        """LLVM IR of the kernel; ``step_x`` is ``stride`` rows."""
        c = Code(name, self.lanes)
        width = self.lanes * 4
        x, y = c.pointer(0), c.pointer(1)
        blocks, block_x, block_y, rows, row_x, step_x, row_y, tiles, last = (c.argument(i) for i in range(2, 11))
        with c.loop(blocks, [("ptr", x), ("ptr", y)]) as block:
            x0, y0 = block.carried
            with c.loop(rows, [("ptr", x0), ("ptr", y0)]) as row:
                x1, y1 = row.carried
                with c.loop(tiles) as tile:
                    first = c.least(c.mul(tile.index, self.pixels), last)
                    self._tile(c, c.at(x1, c.mul(first, self.stride * width)), row_x, c.at(y1, c.mul(first, width)))
                row.again(c.at(x1, step_x), c.at(y1, row_y))
            block.again(c.at(x0, block_x), c.at(y0, block_y))
        return c.text()

    def _tile(self, c: Code, x: str, row_x: str, y: str) -> None:
        width = self.lanes * 4
        columns = (self.pixels - 1) * self.stride + self.size
        tall = [c.load(x, k * width) for k in range(columns)]
        for _ in range(self.size - 1):
            x = c.at(x, row_x)
            tall = [c.greater(value, c.load(x, k * width)) for k, value in enumerate(tall)]
        for p in range(self.pixels):
            best = tall[p * self.stride]
            for k in range(1, self.size):
                best = c.greater(best, tall[p * self.stride + k])
            c.store(best, y, p * width)
