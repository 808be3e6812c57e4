"""The depthwise tile: ``pixels`` neighbours of one block of channels, every channel with its own K x K taps.

The K input rows have separate addresses. They may be slots of a ring buffer that a fused block fills, or rows of a whole tensor,
which advance together. A row's vectors are loaded once and used by all taps of that row.
"""

from collections.abc import Callable

from yolodsc.engine.codegen.dtypes import BYTES, DType, Load, affine_arguments, load_integers, loader, real
from yolodsc.engine.codegen.epilogue import ACTIVATIONS
from yolodsc.engine.codegen.extent import Columns, Extent, tiled
from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.ir_builder import IRBuilder
from yolodsc.engine.codegen.packed_bytes import run_storer


class DepthwiseKernel(GeneratedKernel):
    """Depthwise K x K over blocks of ``lanes`` channels in float32; weights lie as ``[block][K * K][lanes]``.

    Attributes
    ----------
    x, y
        Number formats of input and output.
    integer
        Whether bytes are multiplied by integers: exact in float32, bias and ``scales`` as for products of bytes.
    bounded, from_zero
        As in `run_storer`.
    fold
        Neighbouring pixels in a vector, if the stride is 1.
    step
        Bytes between neighbouring pixels of the output, where they are not contiguous.
    """

    lanes: int
    size: int
    stride: int
    dilation: int
    pixels: int
    activation: str
    x: DType = "f32"
    y: DType = "f32"
    integer: bool = False
    bounded: bool = False
    fold: int = 1
    from_zero: bool = False
    step: int = 0

    gathers = False
    fixed = ("lanes", "size", "stride", "dilation", "pixels", "x_pixel", "y_pixel", "y_bytes")

    @property
    def x_pixel(self) -> int:
        """Bytes of a pixel of one block of the input."""
        return self.lanes * BYTES[self.x]

    @property
    def y_pixel(self) -> int:
        """Bytes between neighbouring pixels of one block of the output."""
        return self.step or self.y_bytes

    @property
    def y_bytes(self) -> int:
        """Bytes of a pixel of one block of the output."""
        return self.lanes * BYTES[self.y]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in the order of a call."""
        fixed = ("weights", "biases", "y", "blocks", "block_x", "block_y", "rows", "row_x", "row_y", "tiles", "tile_last")
        scales = ("scales",) if self.integer else ()
        return (*fixed, *scales, *affine_arguments(x=self.x, y=self.y), *(f"x{k}" for k in range(self.size)))

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        width = k["lanes"] * 4
        blocks, rows, tiles = a["blocks"], a["rows"], (a["tiles"], 0 * width)
        x_first, x_last = tiled(a["tile_last"], k["stride"] * k["x_pixel"])
        y_first, y_last = tiled(a["tile_last"], k["y_pixel"])
        columns = (k["pixels"] - 1) * k["stride"] + (k["size"] - 1) * k["dilation"] + 1
        y_walk = ((blocks, a["block_y"]), (rows, a["row_y"]), tiles)
        taps, x_walk = k["size"] ** 2 * width, ((blocks, a["block_x"]), (rows, a["row_x"]), tiles)
        return [
            Extent("weights", taps, ((blocks, taps),)),
            *(Extent(name, width, ((blocks, width),)) for name in ("biases", "scales") if name in a),
            Extent("y", (k["pixels"] - 1) * k["y_pixel"] + k["y_bytes"], y_walk, y_first, y_last, writes=True),
            *(Extent(x, columns * k["x_pixel"], x_walk, x_first, x_last) for x in a if x.startswith("x")),
        ]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel."""
        c = IRBuilder(name, self.lanes * self.fold)
        index = {argument: number for number, argument in enumerate(self.arguments)}
        weights, biases, y = (c.pointer(index[n]) for n in ("weights", "biases", "y"))
        g = {n: c.argument(index[n]) for n in self.arguments[3:11]}
        sources = [c.pointer(index[f"x{k}"]) for k in range(self.size)]
        width = self.lanes * 4
        x, y_ = ((index.get(f"scale_{n}", 0), index.get(f"zero_{n}", 0)) for n in "xy")
        load = loader(c, self.x, None if self.integer else x)
        store = run_storer(c, self.y, y_, bounded=self.bounded, from_zero=self.from_zero, step=self.step)
        with c.loop(g["blocks"], [("i64", "0"), ("ptr", weights), ("ptr", biases), ("ptr", y)]) as block:
            x0, w, b, y0 = block.carried
            taps = [self._folded(c, w, k * width) for k in range(self.size**2)]
            scales = c.at(c.pointer(index["scales"]), c.mul(block.index, width)) if self.integer else ""
            start, finish = self._bias(c, b, scales)
            with c.loop(g["rows"], [("i64", x0), ("ptr", y0)]) as row:
                x1, y1 = row.carried
                with c.loop(g["tiles"]) as tile:
                    first = c.minimum(c.mul(tile.index, self.pixels), g["tile_last"])
                    at_x = c.add(x1, c.mul(first, self.stride * self.x_pixel))
                    at_y = c.at(y1, c.mul(first, self.y_pixel))
                    sums = self._sums(c, [c.at(s, at_x) for s in sources], taps, start, load)
                    store([ACTIVATIONS[self.activation](c, finish(value)) for value in sums], at_y)
                row.next(c.add(x1, g["row_x"]), c.at(y1, g["row_y"]))
            step = self.size**2 * width
            block.next(c.add(x0, g["block_x"]), c.at(w, step), c.at(b, width), c.at(y0, g["block_y"]))
        return c.text()

    def _bias(self, c: IRBuilder, biases: str, scales: str) -> tuple[str, Callable[[str], str]]:
        """What the sums of a block begin with, and code that makes a sum a real number."""
        if not self.integer:
            return self._folded(c, biases), lambda total: total
        bias, unit, kind = load_integers(c, biases), c.load(scales), f"<{c.lanes} x i32>"

        def finish(total: str) -> str:
            exact = c.let(f"fptosi {c.vector} {total} to {kind}")
            return c.arith("fmul", real(c, c.let(f"add {kind} {exact}, {bias}")), unit)

        return c.constant(0.0), finish

    def _folded(self, c: IRBuilder, pointer: str, offset: int = 0) -> str:
        """Coefficients of a block, once for each pixel of a vector."""
        if self.fold == 1:
            return c.load(pointer, offset)
        kind = f"<{self.lanes} x float>"
        block = c.let(f"load {kind}, ptr {c.at(pointer, offset)}, align 4")
        order = ", ".join(f"i32 {lane % self.lanes}" for lane in range(c.lanes))
        return c.let(f"shufflevector {kind} {block}, {kind} undef, <{c.lanes} x i32> <{order}>")

    def _sums(self, c: IRBuilder, sources: list[str], taps: list[str], start: str, load: Load) -> list[str]:
        """Load the inputs of one tile and sum their products."""
        sums = [start] * (self.pixels // self.fold)
        for ky, source in enumerate(sources):
            loaded: dict[int, str] = {}
            for kx in range(self.size):
                for p in range(len(sums)):
                    column = p * self.fold * self.stride + kx * self.dilation
                    if column not in loaded:
                        loaded[column] = load(source, column * self.x_pixel)
                    sums[p] = c.fma(loaded[column], taps[ky * self.size + kx], sums[p])
        return sums
