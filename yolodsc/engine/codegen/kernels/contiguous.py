"""Blocks of channels to contiguous pixels: AMX contracts 64 bytes in the time that it takes for the 16 of one block."""

from yolodsc.engine.codegen.extent import Columns, Extent
from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.ir_builder import IRBuilder


class ContiguousKernel(GeneratedKernel):
    """Copies ``filled`` blocks side by side for each pixel, followed by zeros for ``parts - filled`` more.

    Attributes
    ----------
    part
        Bytes of a pixel of one block.
    """

    part: int
    filled: int
    parts: int

    gathers = False
    fixed = ("part", "parts")

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in the order of a call: one source for each block."""
        return ("y", "rows", "row_x", "row_y", "pixels", "pixel_y", *(f"x{number}" for number in range(self.filled)))

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        rows, pixels = a["rows"], a["pixels"]
        return [
            *(Extent(x, k["part"], ((rows, a["row_x"]), (pixels, k["part"]))) for x in a if x[0] == "x"),
            Extent("y", k["part"] * k["parts"], ((rows, a["row_y"]), (pixels, a["pixel_y"])), writes=True),
        ]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel."""
        c = IRBuilder(name, self.part // 4)
        rows, row_x, row_y, pixels, pixel_y = (c.argument(number) for number in range(1, 6))
        starts = [("ptr", c.pointer(number)) for number in (0, *range(6, 6 + self.filled))]
        with c.loop(rows, starts) as row:
            with c.loop(pixels, [("ptr", pointer) for pointer in row.carried]) as pixel:
                y, *sources = pixel.carried
                values = [c.load(source) for source in sources] + [c.constant(0.0)] * (self.parts - self.filled)
                for number, value in enumerate(values):
                    c.store(value, y, number * self.part)
                pixel.next(c.at(y, pixel_y), *(c.at(source, self.part) for source in sources))
            y, *sources = row.carried
            row.next(c.at(y, row_y), *(c.at(source, row_x) for source in sources))
        return c.text()
