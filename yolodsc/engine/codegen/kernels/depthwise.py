"""The depthwise tile: ``pixels`` neighbours of one block of channels, every channel with its own K x K taps.

The K input rows have separate addresses. They may be slots of a ring buffer that a fused block fills, or rows of a whole tensor,
which advance together. A row's vectors are loaded once and used by all taps of that row.
"""

from yolodsc.engine.codegen.epilogue import ACTIVATIONS
from yolodsc.engine.codegen.extent import Columns, Extent, tiled
from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.ir_builder import IRBuilder


class DepthwiseKernel(GeneratedKernel):
    """Depthwise K x K over blocks of ``lanes`` channels; weights lie as ``[block][K * K][lanes]``."""

    lanes: int
    size: int
    stride: int
    dilation: int
    pixels: int
    activation: str

    gathers = False
    fixed = ("lanes", "size", "stride", "dilation", "pixels")

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in the order of a call."""
        fixed = ("weights", "biases", "y", "blocks", "block_x", "block_y", "rows", "row_x", "row_y", "tiles", "tile_last")
        return (*fixed, *(f"x{k}" for k in range(self.size)))

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        width = k["lanes"] * 4
        blocks, rows, tiles = a["blocks"], a["rows"], (a["tiles"], 0 * width)
        x_first, x_last = tiled(a["tile_last"], k["stride"] * width)
        y_first, y_last = tiled(a["tile_last"], width)
        columns = (k["pixels"] - 1) * k["stride"] + (k["size"] - 1) * k["dilation"] + 1
        taps, x_walk = k["size"] ** 2 * width, ((blocks, a["block_x"]), (rows, a["row_x"]), tiles)
        return [
            Extent("weights", taps, ((blocks, taps),)),
            Extent("biases", width, ((blocks, width),)),
            Extent("y", k["pixels"] * width, ((blocks, a["block_y"]), (rows, a["row_y"]), tiles), y_first, y_last, writes=True),
            *(Extent(x, columns * width, x_walk, x_first, x_last) for x in a if x.startswith("x")),
        ]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel."""
        c = IRBuilder(name, self.lanes)
        index = {argument: number for number, argument in enumerate(self.arguments)}
        weights, biases, y = (c.pointer(index[n]) for n in ("weights", "biases", "y"))
        g = {n: c.argument(index[n]) for n in self.arguments[3:11]}
        sources = [c.pointer(index[f"x{k}"]) for k in range(self.size)]
        width = self.lanes * 4
        with c.loop(g["blocks"], [("i64", "0"), ("ptr", weights), ("ptr", biases), ("ptr", y)]) as block:
            x0, w, b, y0 = block.carried
            taps = [c.load(w, k * width) for k in range(self.size**2)]
            bias = c.load(b)
            with c.loop(g["rows"], [("i64", x0), ("ptr", y0)]) as row:
                x1, y1 = row.carried
                with c.loop(g["tiles"]) as tile:
                    first = c.minimum(c.mul(tile.index, self.pixels), g["tile_last"])
                    at_x = c.add(x1, c.mul(first, self.stride * width))
                    self._tile(c, [c.at(s, at_x) for s in sources], taps, bias, c.at(y1, c.mul(first, width)))
                row.next(c.add(x1, g["row_x"]), c.at(y1, g["row_y"]))
            step = self.size**2 * width
            block.next(c.add(x0, g["block_x"]), c.at(w, step), c.at(b, width), c.at(y0, g["block_y"]))
        return c.text()

    def _tile(self, c: IRBuilder, sources: list[str], taps: list[str], bias: str, y: str) -> None:
        """Load, multiply, activate and store one tile."""
        width = self.lanes * 4
        sums = [bias] * self.pixels
        for ky, source in enumerate(sources):
            loaded: dict[int, str] = {}
            for kx in range(self.size):
                for p in range(self.pixels):
                    column = p * self.stride + kx * self.dilation
                    if column not in loaded:
                        loaded[column] = c.load(source, column * width)
                    sums[p] = c.fma(loaded[column], taps[ky * self.size + kx], sums[p])
        for p, value in enumerate(sums):
            c.store(ACTIVATIONS[self.activation](c, value), y, p * width)
