"""From blocks to planar channels: squares of pixels and channels, transposed in registers."""

from yolodsc.engine.codegen.dtypes import BYTES, DType, affine_arguments, loader
from yolodsc.engine.codegen.extent import ONE, Columns, Extent, tiled
from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.ir_builder import IRBuilder

TRANSPOSE_NAMES = ("x", "y", "channel_y", "rows", "row_x", "row_y", "pixels")


class TransposeKernel(GeneratedKernel):
    """The first ``channels`` channels of a block as float32 rows, ``lanes`` pixels at a time; the last square of a row overlaps.

    A number at a time, as `LaneKernel` copies, takes three times as long.
    """

    lanes: int
    channels: int
    x: DType = "f32"

    gathers = False
    fixed = ("lanes", "channels", "pixel")

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in the order of a call."""
        return (*TRANSPOSE_NAMES, *affine_arguments(x=self.x))

    @property
    def pixel(self) -> int:
        """Bytes of a pixel of the block."""
        return self.lanes * BYTES[self.x]

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write; a row shorter than a square would begin before its first pixel."""
        rows, row, last = a["rows"], (a["pixels"], 0 * k["lanes"]), a["pixels"] - k["lanes"]
        y_walk = ((k["channels"], a["channel_y"]), (rows, a["row_y"]), row)
        return [
            Extent("x", k["lanes"] * k["pixel"], ((rows, a["row_x"]), row), *tiled(last, k["pixel"])),
            Extent("y", k["lanes"] * 4, y_walk, *tiled(last, 4 * ONE), writes=True),
        ]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel; ``pixels`` must be at least ``lanes``."""
        c = IRBuilder(name, self.lanes)
        x, y = c.pointer(0), c.pointer(1)
        channel_y, rows, row_x, row_y, pixels = (c.argument(i) for i in range(2, 7))
        load = loader(c, self.x, (7, 8))
        count = c.let(f"sdiv i64 {c.add(pixels, self.lanes - 1)}, {self.lanes}")
        last = c.sub(pixels, self.lanes)
        with c.loop(rows, [("ptr", x), ("ptr", y)]) as row:
            x0, y0 = row.carried
            with c.loop(count) as square:
                first = c.minimum(c.mul(square.index, self.lanes), last)
                source, target = c.at(x0, c.mul(first, self.pixel)), c.at(y0, c.mul(first, 4))
                channels = _transposed(c, [load(source, p * self.pixel) for p in range(self.lanes)])
                for channel in channels[: self.channels]:
                    c.store(channel, target)
                    target = c.at(target, channel_y)
            row.next(c.at(x0, row_x), c.at(y0, row_y))
        return c.text()


def _transposed(c: IRBuilder, rows: list[str]) -> list[str]:
    """Return the columns of a square: exchanges halves, then quarters, and so on."""
    rows, n, distance = list(rows), c.lanes, c.lanes // 2
    while distance:
        for i in (i for i in range(n) if not i & distance):
            a, b = rows[i], rows[i + distance]
            rows[i] = _shuffled(c, a, b, [k if not k & distance else n + k - distance for k in range(n)])
            rows[i + distance] = _shuffled(c, a, b, [k + distance if not k & distance else n + k for k in range(n)])
        distance //= 2
    return rows


def _shuffled(c: IRBuilder, a: str, b: str, order: list[int]) -> str:
    lanes = ", ".join(f"i32 {k}" for k in order)
    return c.let(f"shufflevector {c.vector} {a}, {c.vector} {b}, <{c.lanes} x i32> <{lanes}>")
