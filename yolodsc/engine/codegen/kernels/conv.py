"""The convolution tile: ``pixels x vectors`` accumulators over a table of input segments.

One kernel serves pointwise, k x k, grouped and first convolutions, the products of Winograd, and every strip of a fused block. A
segment is a number of channel groups at an offset of the input, so taps, channel blocks, partial blocks and the parts of a
concatenation are rows of one table, without im2col. A channel group is ``unroll`` input channels, usually 4. The layout of weights
is ``[group][segment][k][vectors * lanes]``; outputs are blocks of ``lanes`` channels. The last tile of a row overlaps the one
before and writes the same numbers again, so there are no tail kernels.
"""

from yolodsc.engine.codegen.epilogue import ACTIVATIONS
from yolodsc.engine.codegen.extent import Columns, Extent, tiled
from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.ir_builder import IRBuilder


class ConvKernel(GeneratedKernel):
    """A convolution kernel: the attributes are fixed when it is compiled, the rest are arguments.

    Attributes
    ----------
    lanes, vectors, pixels
        The tile: ``pixels`` neighbours times ``vectors`` blocks of ``lanes`` output channels.
    stride
        Bytes between the inputs of neighbouring output pixels.
    unroll
        Input channels (or columns) in a channel group.
    activation
        Darknet's name.
    residual
        Whether an array of the output's shape is added after the activation.
    """

    lanes: int
    vectors: int
    pixels: int
    stride: int
    unroll: int
    activation: str
    residual: bool

    arguments = (
        "x", "weights", "biases", "y", "residual", "table", "segments",
        "groups", "group_weights", "group_y", "block_y", "rows", "row_x", "row_y",
        "tiles", "tile_last", "group_residual", "block_residual", "row_residual",
    )  # fmt: skip
    fixed = ("lanes", "vectors", "pixels", "stride", "unroll", "residual")
    gathers = True

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write; ``table_channel_groups`` counts the channel groups of a call's whole table."""
        width = k["lanes"] * 4
        rows, groups, tiles = a["rows"], a["groups"], (a["tiles"], 0 * width)
        x_first, x_last = tiled(a["tile_last"], k["stride"])
        y_first, y_last = tiled(a["tile_last"], width)
        blocks, row, shift = a["table_channel_groups"] * k["unroll"], k["pixels"] * width, (y_first, y_last)
        y_walk = ((groups, a["group_y"]), (k["vectors"], a["block_y"]), (rows, a["row_y"]), tiles)
        r_walk = ((groups, a["group_residual"]), (k["vectors"], a["block_residual"]), (rows, a["row_residual"]))
        return [
            Extent("x", (k["pixels"] - 1) * k["stride"], ((rows, a["row_x"]), tiles), x_first, x_last, gathers=True),
            Extent("weights", blocks * k["vectors"] * width, ((groups, a["group_weights"]),)),
            Extent("biases", k["vectors"] * width, ((groups, k["vectors"] * width),)),
            Extent("y", row, y_walk, *shift, writes=True),
            Extent("residual", row * k["residual"], r_walk, *shift),
        ]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel."""
        c = IRBuilder(name, self.lanes)
        index = {argument: number for number, argument in enumerate(self.arguments)}
        x, weights, biases, y = (c.pointer(index[n]) for n in ("x", "weights", "biases", "y"))
        table = c.pointer(index["table"])
        g = {n: c.argument(index[n]) for n in self.arguments[6:16]}
        carried = [("ptr", weights), ("ptr", biases), ("ptr", y)]
        if self.residual:
            carried.append(("ptr", c.pointer(index["residual"])))
            g |= {n: c.argument(index[n]) for n in self.arguments[16:]}
        width = self.lanes * 4
        with c.loop(g["groups"], carried) as group:
            w, b, y0, *r0 = group.carried
            rows = [("ptr", x), ("ptr", y0), *(("ptr", r) for r in r0)]
            with c.loop(g["rows"], rows) as row:
                x1, y1, *r1 = row.carried
                with c.loop(g["tiles"]) as tile:
                    first = c.minimum(c.mul(tile.index, self.pixels), g["tile_last"])
                    at_x = c.at(x1, c.mul(first, self.stride))
                    shift = c.mul(first, width)
                    at_r = [c.at(r, shift) for r in r1]
                    sums = self._sums(c, at_x, w, b, table, g["segments"])
                    self._finish(c, sums, c.at(y1, shift), g["block_y"], at_r, g.get("block_residual", ""))
                row.next(c.at(x1, g["row_x"]), c.at(y1, g["row_y"]), *(c.at(r, g["row_residual"]) for r in r1))
            group.next(
                c.at(w, g["group_weights"]),
                c.at(b, self.vectors * width),
                c.at(y0, g["group_y"]),
                *(c.at(r, g["group_residual"]) for r in r0),
            )
        return c.text()

    def _sums(self, c: IRBuilder, x: str, weights: str, biases: str, table: str, segments: str) -> list[str]:
        """Accumulate all segments for one tile; return ``vectors * pixels`` values."""
        bias = [c.load(biases, v * self.lanes * 4) for v in range(self.vectors)]
        start = [c.constant(0.0)] * self.vectors * self.pixels
        kind = c.vector
        with c.loop(segments, [("ptr", weights), ("ptr", table), *((kind, s) for s in start)]) as segment:
            w, entry, *sums = segment.carried
            offset, channel_groups = c.integer(entry), c.integer(entry, 8)
            with c.loop(channel_groups, [("ptr", c.at(x, offset)), ("ptr", w), *((kind, s) for s in sums)]) as channel_group:
                x1, w1, *acc = channel_group.carried
                acc = self._accumulated(c, x1, w1, acc)
                step = self.unroll * self.vectors * self.lanes * 4
                channel_group.next(c.at(x1, self.unroll * 4), c.at(w1, step), *acc)
            segment.next(channel_group.carried[1], c.at(entry, 16), *channel_group.carried[2:])
        sums = segment.carried[2:]
        return [c.arith("fadd", value, bias[number // self.pixels]) for number, value in enumerate(sums)]

    def _accumulated(self, c: IRBuilder, x: str, weights: str, sums: list[str]) -> list[str]:
        """Add the products of one channel group to ``vectors * pixels`` sums."""
        sums = list(sums)
        for k in range(self.unroll):
            vectors = [c.load(weights, (k * self.vectors + v) * self.lanes * 4) for v in range(self.vectors)]
            for p in range(self.pixels):
                number = c.load_broadcast(x, p * self.stride + k * 4)
                for v in range(self.vectors):
                    sums[v * self.pixels + p] = c.fma(number, vectors[v], sums[v * self.pixels + p])
        return sums

    def _finish(self, c: IRBuilder, sums: list[str], y: str, block_y: str, residual: list[str], block_residual: str) -> None:
        """Apply the activation, add the residual, store."""
        activate = ACTIVATIONS[self.activation]
        for v in range(self.vectors):
            for p in range(self.pixels):
                value = activate(c, sums[v * self.pixels + p])
                if residual:
                    value = c.arith("fadd", value, c.load(residual[0], p * self.lanes * 4))
                c.store(value, y, p * self.lanes * 4)
            if v + 1 < self.vectors:
                y = c.at(y, block_y)
                residual = [c.at(r, block_residual) for r in residual]
