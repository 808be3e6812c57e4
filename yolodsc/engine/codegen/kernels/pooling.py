"""Pooling kernels: maxima of windows, means of channels."""

import math
from functools import reduce

import numpy as np

from yolodsc.engine.codegen.extent import Column, Columns, Extent, tiled
from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.ir_builder import IRBuilder


def _clipped(first: Column, count: Column, stride: Column, shift: Column, size: Column, side: Column) -> tuple[Column, Column]:
    """Return the first pixel and the last + 1 that ``count`` windows from window ``first`` on read along one axis."""
    start, end = first * stride - shift, (first + count - 1) * stride - shift
    return np.maximum(start, 0), np.maximum(np.maximum(end, 0) + 1, np.minimum(end + size, side))


class AverageKernel(GeneratedKernel):
    """The mean of each channel: one vector per block. Rows are summed first, which keeps the error of long sums small."""

    lanes: int

    arguments = ("x", "y", "blocks", "block_x", "block_y", "rows", "row_x", "pixels", "scale")
    gathers = False
    fixed = ("lanes",)

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        width, blocks = k["lanes"] * 4, a["blocks"]
        x_walk = ((blocks, a["block_x"]), (a["rows"], a["row_x"]), (a["pixels"], width))
        return [Extent("x", width, x_walk), Extent("y", width, ((blocks, a["block_y"]),), writes=True)]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel; ``scale`` is 1 / (rows * pixels)."""
        c = IRBuilder(name, self.lanes)
        x, y = c.pointer(0), c.pointer(1)
        blocks, block_x, block_y, rows, row_x, pixels = (c.argument(i) for i in range(2, 8))
        scale, zero = c.float_argument(8), c.constant(0.0)
        with c.loop(blocks, [("ptr", x), ("ptr", y)]) as block:
            x0, y0 = block.carried
            with c.loop(rows, [("ptr", x0), (c.vector, zero)]) as row:
                x1, total = row.carried
                with c.loop(pixels, [("ptr", x1), (c.vector, zero)]) as pixel:
                    x2, part = pixel.carried
                    pixel.next(c.at(x2, self.lanes * 4), c.arith("fadd", part, c.load(x2)))
                row.next(c.at(x1, row_x), c.arith("fadd", total, pixel.carried[1]))
            c.store(c.arith("fmul", row.carried[1], scale), y0)
            block.next(c.at(x0, block_x), c.at(y0, block_y))
        return c.text()


class WindowKernel(GeneratedKernel):
    """Maxima of windows clipped at the edges of the tensor (any size, stride and shift; no window may be empty)."""

    lanes: int

    arguments = (
        "x", "y", "blocks", "block_x", "block_y", "row_x", "row_y", "first_row", "rows", "first_column", "columns",
        "height", "width", "size_y", "size_x", "stride_y", "stride_x", "shift_y", "shift_x",
    )  # fmt: skip
    gathers = False
    fixed = ("lanes",)

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write; an empty window still reads one pixel."""
        width, blocks, walk = k["lanes"] * 4, a["blocks"], (a["blocks"], a["block_x"])
        top, bottom = _clipped(a["first_row"], a["rows"], a["stride_y"], a["shift_y"], a["size_y"], a["height"])
        left, right = _clipped(a["first_column"], a["columns"], a["stride_x"], a["shift_x"], a["size_x"], a["width"])
        first, last = top * a["row_x"] + left * width, (bottom - 1) * a["row_x"] + (right - 1) * width
        y_walk = ((blocks, a["block_y"]), (a["rows"], a["row_y"]), (a["columns"], width))
        return [Extent("x", width, (walk,), first, last), Extent("y", width, y_walk, writes=True)]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel; ``y`` points to the pixel (first_row, first_column)."""
        c = IRBuilder(name, self.lanes)
        width = self.lanes * 4
        x, y = c.pointer(0), c.pointer(1)
        g = {n: c.argument(i) for i, n in enumerate(self.arguments) if i > 1}
        with c.loop(g["blocks"], [("ptr", x), ("ptr", y)]) as block:
            x0, y0 = block.carried
            with c.loop(g["rows"], [("ptr", y0)]) as row:
                top, tall = self._window(c, row.index, g, "first_row", "_y", "height")
                above = c.at(x0, c.mul(top, g["row_x"]))
                with c.loop(g["columns"], [("ptr", row.carried[0])]) as column:
                    left, wide = self._window(c, column.index, g, "first_column", "_x", "width")
                    corner = c.at(above, c.mul(left, width))
                    c.store(self._window_maximum(c, corner, tall, wide, g["row_x"]), column.carried[0])
                    column.next(c.at(column.carried[0], width))
                row.next(c.at(row.carried[0], g["row_y"]))
            block.next(c.at(x0, g["block_x"]), c.at(y0, g["block_y"]))
        return c.text()

    def _window(self, c: IRBuilder, index: str, g: dict[str, str], first: str, axis: str, side: str) -> tuple[str, str]:
        """Return start and length of a window along one axis, clipped to the tensor."""
        start = c.sub(c.mul(c.add(index, g[first]), g["stride" + axis]), g["shift" + axis])
        low, high = c.maximum(start, 0), c.minimum(c.add(start, g["size" + axis]), g[side])
        return low, c.sub(high, low)

    def _window_maximum(self, c: IRBuilder, corner: str, tall: str, wide: str, row_x: str) -> str:
        """Return the maximum of a window; NaN, which no maximum keeps, is tracked in parallel at no cost in time."""
        kind, bits = c.vector, f"<{c.lanes} x i32>"
        with c.loop(tall, [("ptr", corner), (kind, c.constant(-math.inf)), (bits, c.integers(0))]) as down:
            x1, *so_far = down.carried
            with c.loop(wide, [("ptr", x1), (kind, so_far[0]), (bits, so_far[1])]) as right:
                x2, best, nan = right.carried
                value = c.load(x2)
                mask = c.let(f"sext <{c.lanes} x i1> {c.nan_mask(value)} to {bits}")
                right.next(c.at(x2, self.lanes * 4), c.vector_maximum(best, value), c.let(f"or {bits} {nan}, {mask}"))
            down.next(c.at(x1, row_x), *right.carried[1:])
        _, best, nan = down.carried
        whole = c.let(f"or {bits} {nan}, {c.let(f'bitcast {kind} {best} to {bits}')}")
        return c.let(f"bitcast {bits} {whole} to {kind}")


class MaxpoolKernel(GeneratedKernel):
    """Maxima of ``size`` x ``size`` windows inside the tensor, ``pixels`` windows at a time."""

    lanes: int
    size: int
    stride: int
    pixels: int

    arguments = ("x", "y", "blocks", "block_x", "block_y", "rows", "row_x", "step_x", "row_y", "tiles", "tile_last")
    gathers = False
    fixed = ("lanes", "size", "stride", "pixels")

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        width, blocks, rows, tiles = k["lanes"] * 4, a["blocks"], a["rows"], (a["tiles"], 0 * k["lanes"])
        x_shift, y_shift = tiled(a["tile_last"], k["stride"] * width), tiled(a["tile_last"], width)
        columns = (k["pixels"] - 1) * k["stride"] + k["size"]
        x_walk = ((blocks, a["block_x"]), (rows, a["step_x"]), (k["size"], a["row_x"]), tiles)
        y_walk = ((blocks, a["block_y"]), (rows, a["row_y"]), tiles)
        return [Extent("x", columns * width, x_walk, *x_shift), Extent("y", k["pixels"] * width, y_walk, *y_shift, writes=True)]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel; ``step_x`` is ``stride`` rows."""
        c = IRBuilder(name, self.lanes)
        width = self.lanes * 4
        x, y = c.pointer(0), c.pointer(1)
        blocks, block_x, block_y, rows, row_x, step_x, row_y, tiles, last = (c.argument(i) for i in range(2, 11))
        with c.loop(blocks, [("ptr", x), ("ptr", y)]) as block:
            x0, y0 = block.carried
            with c.loop(rows, [("ptr", x0), ("ptr", y0)]) as row:
                x1, y1 = row.carried
                with c.loop(tiles) as tile:
                    first = c.minimum(c.mul(tile.index, self.pixels), last)
                    self._tile(c, c.at(x1, c.mul(first, self.stride * width)), row_x, c.at(y1, c.mul(first, width)))
                row.next(c.at(x1, step_x), c.at(y1, row_y))
            block.next(c.at(x0, block_x), c.at(y0, block_y))
        return c.text()

    def _tile(self, c: IRBuilder, x: str, row_x: str, y: str) -> None:
        width = self.lanes * 4
        columns: list[list[str]] = [[] for _ in range((self.pixels - 1) * self.stride + self.size)]
        for _ in range(self.size):
            for k, column in enumerate(columns):
                column.append(c.load(x, k * width))
            x = c.at(x, row_x)
        maxima, nan = [reduce(c.vector_maximum, column) for column in columns], [c.nan_mask(*column) for column in columns]
        for p in range(self.pixels):
            window = slice(p * self.stride, p * self.stride + self.size)
            best = c.select(reduce(c.mask_or, nan[window]), c.constant(math.nan), reduce(c.vector_maximum, maxima[window]))
            c.store(best, y, p * width)
