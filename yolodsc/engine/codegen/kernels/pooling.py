"""Pooling kernels: maxima of windows, means of channels."""

import math
from functools import reduce

import numpy as np

from yolodsc.engine.codegen.dtypes import BYTES, DType, affine_arguments, loader, storer
from yolodsc.engine.codegen.extent import Column, Columns, Extent, tiled
from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.ir_builder import IRBuilder
from yolodsc.engine.codegen.ordered import Ordered


def _clipped(first: Column, count: Column, stride: Column, shift: Column, size: Column, side: Column) -> tuple[Column, Column]:
    """Return the first pixel and the last + 1 that ``count`` windows from window ``first`` on read along one axis."""
    start, end = first * stride - shift, (first + count - 1) * stride - shift
    return np.maximum(start, 0), np.maximum(np.maximum(end, 0) + 1, np.minimum(end + size, side))


AVERAGE_NAMES = ("x", "y", "blocks", "block_x", "block_y", "rows", "row_x", "pixels", "scale")


class AverageKernel(GeneratedKernel):
    """The mean of each channel: one vector per block. Rows are summed first, which keeps the error of long sums small."""

    lanes: int
    x: DType = "f32"
    y: DType = "f32"

    gathers = False
    fixed = ("lanes", "x_pixel", "y_pixel")

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in the order of a call."""
        return (*AVERAGE_NAMES, *affine_arguments(x=self.x, y=self.y))

    @property
    def x_pixel(self) -> int:
        """Bytes of a pixel of one block of the input."""
        return self.lanes * BYTES[self.x]

    @property
    def y_pixel(self) -> int:
        """Bytes of a pixel of one block of the output."""
        return self.lanes * BYTES[self.y]

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        x, y, blocks = k["x_pixel"], k["y_pixel"], a["blocks"]
        x_walk = ((blocks, a["block_x"]), (a["rows"], a["row_x"]), (a["pixels"], x))
        return [Extent("x", x, x_walk), Extent("y", y, ((blocks, a["block_y"]),), writes=True)]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel; ``scale`` is 1 / (rows * pixels)."""
        c = IRBuilder(name, self.lanes)
        x, y = c.pointer(0), c.pointer(1)
        blocks, block_x, block_y, rows, row_x, pixels = (c.argument(i) for i in range(2, 8))
        scale, zero = c.float_argument(8), c.constant(0.0)
        index = {argument: number for number, argument in enumerate(self.arguments)}
        x_affine, y_affine = ((index.get(f"scale_{n}", 0), index.get(f"zero_{n}", 0)) for n in "xy")
        load, store = loader(c, self.x, x_affine), storer(c, self.y, y_affine)
        with c.loop(blocks, [("ptr", x), ("ptr", y)]) as block:
            x0, y0 = block.carried
            with c.loop(rows, [("ptr", x0), (c.vector, zero)]) as row:
                x1, total = row.carried
                with c.loop(pixels, [("ptr", x1), (c.vector, zero)]) as pixel:
                    x2, part = pixel.carried
                    pixel.next(c.at(x2, self.x_pixel), c.arith("fadd", part, load(x2)))
                row.next(c.at(x1, row_x), c.arith("fadd", total, pixel.carried[1]))
            store(c.arith("fmul", row.carried[1], scale), y0)
            block.next(c.at(x0, block_x), c.at(y0, block_y))
        return c.text()


class WindowKernel(GeneratedKernel):
    """Maxima of windows clipped at the edges of the tensor (any size, stride and shift; no window may be empty)."""

    lanes: int
    dtype: DType = "f32"

    arguments = (
        "x", "y", "blocks", "block_x", "block_y", "row_x", "row_y", "first_row", "rows", "first_column", "columns",
        "height", "width", "size_y", "size_x", "stride_y", "stride_x", "shift_y", "shift_x",
    )  # fmt: skip
    gathers = False
    fixed = ("pixel",)

    @property
    def pixel(self) -> int:
        """Bytes of a pixel of one block."""
        return self.lanes * BYTES[self.dtype]

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write; an empty window still reads one pixel."""
        width, blocks, walk = k["pixel"], a["blocks"], (a["blocks"], a["block_x"])
        top, bottom = _clipped(a["first_row"], a["rows"], a["stride_y"], a["shift_y"], a["size_y"], a["height"])
        left, right = _clipped(a["first_column"], a["columns"], a["stride_x"], a["shift_x"], a["size_x"], a["width"])
        first, last = top * a["row_x"] + left * width, (bottom - 1) * a["row_x"] + (right - 1) * width
        y_walk = ((blocks, a["block_y"]), (a["rows"], a["row_y"]), (a["columns"], width))
        return [Extent("x", width, (walk,), first, last), Extent("y", width, y_walk, writes=True)]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel; ``y`` points to the pixel (first_row, first_column)."""
        c = IRBuilder(name, self.lanes)
        width = self.pixel
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
                    self._window_maximum(c, corner, column.carried[0], tall, wide, g["row_x"])
                    column.next(c.at(column.carried[0], width))
                row.next(c.at(row.carried[0], g["row_y"]))
            block.next(c.at(x0, g["block_x"]), c.at(y0, g["block_y"]))
        return c.text()

    def _window(self, c: IRBuilder, index: str, g: dict[str, str], first: str, axis: str, side: str) -> tuple[str, str]:
        """Return start and length of a window along one axis, clipped to the tensor."""
        start = c.sub(c.mul(c.add(index, g[first]), g["stride" + axis]), g["shift" + axis])
        low, high = c.maximum(start, 0), c.minimum(c.add(start, g["size" + axis]), g[side])
        return low, c.sub(high, low)

    def _window_maximum(self, c: IRBuilder, corner: str, y: str, tall: str, wide: str, row_x: str) -> None:
        """Store the maximum of a window."""
        if self.dtype != "f32":
            return self._integer_maximum(c, corner, y, tall, wide, row_x)
        kind, bits = c.vector, f"<{c.lanes} x i32>"
        # NaN, which no maximum keeps, is tracked in parallel at no cost in time
        with c.loop(tall, [("ptr", corner), (kind, c.constant(-math.inf)), (bits, c.integers(0))]) as down:
            x1, *so_far = down.carried
            with c.loop(wide, [("ptr", x1), (kind, so_far[0]), (bits, so_far[1])]) as right:
                x2, best, nan = right.carried
                value = c.load(x2)
                mask = c.let(f"sext <{c.lanes} x i1> {c.nan_mask(value)} to {bits}")
                right.next(c.at(x2, self.pixel), c.vector_maximum(best, value), c.let(f"or {bits} {nan}, {mask}"))
            down.next(c.at(x1, row_x), *right.carried[1:])
        _, best, nan = down.carried
        whole = c.let(f"or {bits} {nan}, {c.let(f'bitcast {kind} {best} to {bits}')}")
        return c.store(c.let(f"bitcast {bits} {whole} to {kind}"), y)

    def _integer_maximum(self, c: IRBuilder, corner: str, y: str, tall: str, wide: str, row_x: str) -> None:
        numbers = Ordered(c, self.dtype, c.lanes)
        with c.loop(tall, [("ptr", corner), (numbers.kind, "zeroinitializer")]) as down:
            with c.loop(wide, [("ptr", down.carried[0]), (numbers.kind, down.carried[1])]) as right:
                x2, best = right.carried
                right.next(c.at(x2, self.pixel), numbers.maximum(best, numbers.load(x2)))
            down.next(c.at(down.carried[0], row_x), right.carried[1])
        numbers.store(down.carried[1], y)


class MaxpoolKernel(GeneratedKernel):
    """Maxima of ``size`` x ``size`` windows inside the tensor, ``pixels`` windows at a time."""

    lanes: int
    size: int
    stride: int
    pixels: int
    dtype: DType = "f32"

    arguments = ("x", "y", "blocks", "block_x", "block_y", "rows", "row_x", "step_x", "row_y", "tiles", "tile_last")
    gathers = False
    fixed = ("pixel", "size", "stride", "pixels")

    @property
    def pixel(self) -> int:
        """Bytes of a pixel of one block."""
        return self.lanes * BYTES[self.dtype]

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        width, blocks, rows, tiles = k["pixel"], a["blocks"], a["rows"], (a["tiles"], 0 * k["pixel"])
        x_shift, y_shift = tiled(a["tile_last"], k["stride"] * width), tiled(a["tile_last"], width)
        columns = (k["pixels"] - 1) * k["stride"] + k["size"]
        x_walk = ((blocks, a["block_x"]), (rows, a["step_x"]), (k["size"], a["row_x"]), tiles)
        y_walk = ((blocks, a["block_y"]), (rows, a["row_y"]), tiles)
        return [Extent("x", columns * width, x_walk, *x_shift), Extent("y", k["pixels"] * width, y_walk, *y_shift, writes=True)]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel; ``step_x`` is ``stride`` rows."""
        c = IRBuilder(name, self.lanes)
        width = self.pixel
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
        if self.dtype == "f32":
            return self._float_tile(c, x, row_x, y)
        if self.size == self.stride == 2 and self.pixels % 2 == 0:
            return self._paired_tile(c, x, row_x, y)
        numbers = Ordered(c, self.dtype, c.lanes)
        maxima = self._columns(c, numbers, x, row_x, (self.pixels - 1) * self.stride + self.size)
        for p in range(self.pixels):
            window = maxima[p * self.stride : p * self.stride + self.size]
            numbers.store(reduce(numbers.maximum, window), y, p * self.pixel)
        return None

    def _paired_tile(self, c: IRBuilder, x: str, row_x: str, y: str) -> None:
        """Two pixels in a vector; windows of two pixels are the halves of two vectors."""
        n, numbers = c.lanes, Ordered(c, self.dtype, 2 * c.lanes)
        pairs = self._columns(c, numbers, x, row_x, self.pixels)
        even, odd = (list(range(first, first + n)) + list(range(2 * n + first, 3 * n + first)) for first in (0, n))
        for p in range(0, self.pixels, 2):
            halves = [self._shuffled(c, numbers.kind, pairs[p], pairs[p + 1], order) for order in (even, odd)]
            numbers.store(numbers.maximum(*halves), y, p * self.pixel)

    def _shuffled(self, c: IRBuilder, kind: str, a: str, b: str, order: list[int]) -> str:
        return c.let(f"shufflevector {kind} {a}, {kind} {b}, <{len(order)} x i32> <{', '.join(f'i32 {k}' for k in order)}>")

    def _columns(self, c: IRBuilder, numbers: Ordered, x: str, row_x: str, count: int) -> list[str]:
        """Maxima over the rows of a window of ``count`` neighbouring vectors."""
        step = numbers.count * BYTES[self.dtype]
        maxima = [numbers.load(x, k * step) for k in range(count)]
        for _ in range(self.size - 1):
            x = c.at(x, row_x)
            maxima = [numbers.maximum(best, numbers.load(x, k * step)) for k, best in enumerate(maxima)]
        return maxima

    def _float_tile(self, c: IRBuilder, x: str, row_x: str, y: str) -> None:
        width = self.pixel
        columns: list[list[str]] = [[] for _ in range((self.pixels - 1) * self.stride + self.size)]
        for _ in range(self.size):
            for k, column in enumerate(columns):
                column.append(c.load(x, k * width))
            x = c.at(x, row_x)
        maxima = [reduce(c.vector_maximum, column) for column in columns]
        nan = [c.nan_mask(*column) for column in columns]
        for p in range(self.pixels):
            window = slice(p * self.stride, p * self.stride + self.size)
            best = reduce(c.vector_maximum, maxima[window])
            c.store(c.select(reduce(c.mask_or, nan[window]), c.constant(math.nan), best), y, p * width)
