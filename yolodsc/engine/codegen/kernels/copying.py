"""Kernels that copy feature maps: from one layout to another, and enlarged."""

from yolodsc.engine.codegen.extent import Columns, Extent
from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.ir_builder import IRBuilder


class LaneKernel(GeneratedKernel):
    """Channels from one layout to another: pixels ``pixel_x`` bytes apart to pixels ``pixel_y`` bytes apart."""

    lanes: int = 1

    arguments = ("x", "y", "channels", "channel_x", "channel_y", "rows", "row_x", "row_y", "pixels", "pixel_x", "pixel_y")
    gathers = False
    fixed = ("lanes",)

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        counts = [a[n] for n in ("channels", "rows", "pixels")]
        x, y = (tuple(zip(counts, (a[f"{n}_{end}"] for n in ("channel", "row", "pixel")), strict=True)) for end in "xy")
        return [Extent("x", 4 * k["lanes"], x), Extent("y", 4 * k["lanes"], y, writes=True)]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel."""
        c = IRBuilder(name, self.lanes)
        x, y = c.pointer(0), c.pointer(1)
        channels, channel_x, channel_y, rows, row_x, row_y, pixels, pixel_x, pixel_y = (c.argument(i) for i in range(2, 11))
        with c.loop(channels, [("ptr", x), ("ptr", y)]) as channel:
            x0, y0 = channel.carried
            with c.loop(rows, [("ptr", x0), ("ptr", y0)]) as row:
                x1, y1 = row.carried
                with c.loop(pixels, [("ptr", x1), ("ptr", y1)]) as pixel:
                    x2, y2 = pixel.carried
                    c.store(c.load(x2), y2)
                    pixel.next(c.at(x2, pixel_x), c.at(y2, pixel_y))
                row.next(c.at(x1, row_x), c.at(y1, row_y))
            channel.next(c.at(x0, channel_x), c.at(y0, channel_y))
        return c.text()


class UpsampleKernel(GeneratedKernel):
    """Nearest-neighbour upsampling: every pixel becomes ``factor`` x ``factor`` pixels."""

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
