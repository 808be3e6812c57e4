"""Kernels that copy feature maps: from one layout to another, and enlarged."""

from collections.abc import Callable

from yolodsc.engine.codegen.dtypes import BYTES, DType, affine_arguments, loader, quantizer, storer
from yolodsc.engine.codegen.extent import ONE, Columns, Extent, tiled
from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.ir_builder import IRBuilder

LANE_NAMES = ("x", "y", "channels", "channel_x", "channel_y", "rows", "row_x", "row_y", "pixels", "pixel_x", "pixel_y")


class LaneKernel(GeneratedKernel):
    """Channels from one layout to another: pixels ``pixel_x`` bytes apart to pixels ``pixel_y`` bytes apart, converted."""

    lanes: int = 1
    x: DType = "f32"
    y: DType = "f32"

    gathers = False
    fixed = ("x_bytes", "y_bytes")

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in the order of a call."""
        return (*LANE_NAMES, *affine_arguments(x=self.x, y=self.y))

    @property
    def x_bytes(self) -> int:
        """Bytes that are loaded at once."""
        return self.lanes * BYTES[self.x]

    @property
    def y_bytes(self) -> int:
        """Bytes that are stored at once."""
        return self.lanes * BYTES[self.y]

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        counts = [a[n] for n in ("channels", "rows", "pixels")]
        x, y = (tuple(zip(counts, (a[f"{n}_{end}"] for n in ("channel", "row", "pixel")), strict=True)) for end in "xy")
        return [Extent("x", k["x_bytes"], x), Extent("y", k["y_bytes"], y, writes=True)]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel."""
        c = IRBuilder(name, self.lanes)
        x, y = c.pointer(0), c.pointer(1)
        channels, channel_x, channel_y, rows, row_x, row_y, pixels, pixel_x, pixel_y = (c.argument(i) for i in range(2, 11))
        index = {argument: number for number, argument in enumerate(self.arguments)}
        x_affine, y_affine = ((index.get(f"scale_{n}", 0), index.get(f"zero_{n}", 0)) for n in "xy")
        load, store = loader(c, self.x, x_affine), storer(c, self.y, y_affine)
        with c.loop(channels, [("ptr", x), ("ptr", y)]) as channel:
            x0, y0 = channel.carried
            with c.loop(rows, [("ptr", x0), ("ptr", y0)]) as row:
                x1, y1 = row.carried
                with c.loop(pixels, [("ptr", x1), ("ptr", y1)]) as pixel:
                    x2, y2 = pixel.carried
                    store(load(x2), y2)
                    pixel.next(c.at(x2, pixel_x), c.at(y2, pixel_y))
                row.next(c.at(x1, row_x), c.at(y1, row_y))
            channel.next(c.at(x0, channel_x), c.at(y0, channel_y))
        return c.text()


class UpsampleKernel(GeneratedKernel):
    """Nearest-neighbour upsampling: every pixel becomes ``factor`` x ``factor`` pixels; a pixel has ``lanes`` x 4 bytes."""

    lanes: int
    factor: int

    arguments = ("x", "y", "blocks", "block_x", "block_y", "rows", "row_x", "row_y", "pixels")
    gathers = False
    fixed = ("lanes", "factor")

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        width, blocks, rows, pixels, factor = k["lanes"] * 4, a["blocks"], a["rows"], a["pixels"], k["factor"]
        y_walk = ((blocks, a["block_y"]), (rows * factor, a["row_y"]), (pixels * factor, width))
        return [
            Extent("x", width, ((blocks, a["block_x"]), (rows, a["row_x"]), (pixels, width))),
            Extent("y", width, y_walk, writes=True),
        ]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel; ``rows`` and ``pixels`` count the input's."""
        c = IRBuilder(name, self.lanes)
        width = self.lanes * 4
        x, y = c.pointer(0), c.pointer(1)
        blocks, block_x, block_y, rows, row_x, row_y, pixels = (c.argument(i) for i in range(2, 9))
        with c.loop(blocks, [("ptr", x), ("ptr", y)]) as block:
            x0, y0 = block.carried
            with c.loop(rows, [("ptr", x0), ("ptr", y0)]) as row:
                x1, y1 = row.carried
                with c.loop(pixels, [("ptr", x1), ("ptr", y1)]) as pixel:
                    x2, y2 = pixel.carried
                    self._store_square(c, c.load(x2), y2, row_y)
                    pixel.next(c.at(x2, width), c.at(y2, self.factor * width))
                row.next(c.at(x1, row_x), c.at(y1, c.mul(row_y, self.factor)))
            block.next(c.at(x0, block_x), c.at(y0, block_y))
        return c.text()

    def _store_square(self, c: IRBuilder, value: str, y: str, row_y: str) -> None:
        for _ in range(self.factor):
            for p in range(self.factor):
                c.store(value, y, p * self.lanes * 4)
            y = c.at(y, row_y)


class InterleaveKernel(GeneratedKernel):
    """Up to four planar float32 channels to pixels of four numbers; the last vector of a row overlaps the one before."""

    lanes: int
    channels: int
    y: DType

    gathers = False
    fixed = ("lanes", "channels", "pixel")

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in the order of a call."""
        return ("x", "y", "channel_x", "rows", "row_x", "row_y", "pixels", *affine_arguments(y=self.y))

    @property
    def pixel(self) -> int:
        """Bytes of a pixel of the output."""
        return 4 * BYTES[self.y]

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write; a row shorter than a vector would begin before its first pixel."""
        rows, row = a["rows"], (a["pixels"], 0 * k["lanes"])
        last = a["pixels"] - k["lanes"]
        x_walk = ((k["channels"], a["channel_x"]), (rows, a["row_x"]), row)
        return [
            Extent("x", k["lanes"] * 4, x_walk, *tiled(last, 4 * ONE)),
            Extent("y", k["lanes"] * k["pixel"], ((rows, a["row_y"]), row), *tiled(last, k["pixel"]), writes=True),
        ]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel; ``pixels`` must be at least ``lanes``."""
        c = IRBuilder(name, self.lanes)
        x, y = c.pointer(0), c.pointer(1)
        channel_x, rows, row_x, row_y, pixels = (c.argument(i) for i in range(2, 7))
        rounded = self._rounded(c)
        count = c.let(f"sdiv i64 {c.add(pixels, self.lanes - 1)}, {self.lanes}")
        last = c.sub(pixels, self.lanes)
        with c.loop(rows, [("ptr", x), ("ptr", y)]) as row:
            x0, y0 = row.carried
            with c.loop(count) as vector:
                first = c.minimum(c.mul(vector.index, self.lanes), last)
                source = c.at(x0, c.mul(first, 4))
                numbers = []
                for _ in range(self.channels):
                    numbers.append(rounded(c.load(source)))
                    source = c.at(source, channel_x)
                self._store(c, numbers, c.at(y0, c.mul(first, self.pixel)))
            row.next(c.at(x0, row_x), c.at(y0, row_y))
        return c.text()

    def _rounded(self, c: IRBuilder) -> Callable[[str], str]:
        """Code that gives the bits of a number in the low part of an i32."""
        if self.y == "u8":
            steps, low = quantizer(c, (7, 8)), c.integers(255)
            return lambda value: c.let(f"and <{c.lanes} x i32> {steps(value)}, {low}")

        def half(value: str) -> str:
            bits = c.let(
                f"bitcast <{c.lanes} x bfloat> {c.let(f'fptrunc {c.vector} {value} to <{c.lanes} x bfloat>')} to <{c.lanes} x i16>"
            )
            return c.let(f"zext <{c.lanes} x i16> {bits} to <{c.lanes} x i32>")

        return half

    def _store(self, c: IRBuilder, numbers: list[str], y: str) -> None:
        """Put the numbers of each pixel side by side."""
        n, kind, width = c.lanes, f"<{c.lanes} x i32>", 8 * BYTES[self.y]
        words = ["zeroinitializer"] * BYTES[self.y]
        for number, value in enumerate(numbers):
            word, position = divmod(number * width, 32)
            shifted = c.let(f"shl {kind} {value}, {c.integers(position)}") if position else value
            words[word] = c.let(f"or {kind} {words[word]}, {shifted}")
        if len(words) == 1:
            return c.do(f"store {kind} {words[0]}, ptr {y}, align 1")
        order = ", ".join(f"i32 {lane + n * half}" for lane in range(n) for half in range(2))
        mixed = c.let(f"shufflevector {kind} {words[0]}, {kind} {words[1]}, <{2 * n} x i32> <{order}>")
        return c.do(f"store <{2 * n} x i32> {mixed}, ptr {y}, align 1")
