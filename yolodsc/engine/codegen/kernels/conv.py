"""The convolution tile: ``pixels x vectors`` accumulators over a table of input segments.

One kernel serves pointwise, k x k, grouped and first convolutions, the products of Winograd, and every strip of a fused block. A
segment is a number of channel groups at an offset of the input, so taps, channel blocks, partial blocks and the parts of a
concatenation are rows of one table, without im2col. A channel group is ``unroll`` input channels, usually 4. The layout of weights
is ``[group][segment][k][vectors * lanes]``; outputs are blocks of ``lanes`` channels. The last tile of a row overlaps the one
before and writes the same numbers again, so there are no tail kernels.
"""

from collections.abc import Mapping
from typing import ClassVar

from yolodsc.engine.codegen.dtypes import BYTES, DType, Load, affine_arguments, loader
from yolodsc.engine.codegen.epilogue import ACTIVATIONS
from yolodsc.engine.codegen.extent import Columns, Extent, tiled
from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.ir_builder import IRBuilder
from yolodsc.engine.codegen.packed_bytes import StoreRun, run_storer

NAMES = (
    "x", "weights", "biases", "y", "residual", "table",
    "segments", "groups", "group_weights", "group_y", "block_y", "rows", "row_x", "row_y",
    "tiles", "tile_last", "group_residual", "block_residual", "row_residual",
)  # fmt: skip
"""Arguments of every convolution kernel: six addresses, then counts and strides in bytes."""

ROWS = ("y", "residual")
"""Addresses that advance from row to row."""


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
    y, r
        Number formats of the output and the residual.
    bounded, from_zero
        As in `run_storer`.
    """

    lanes: int
    vectors: int
    pixels: int
    stride: int
    unroll: int
    activation: str
    residual: bool
    y: DType = "f32"
    r: DType = "f32"
    bounded: bool = False
    from_zero: bool = False

    fixed: ClassVar[tuple[str, ...]] = (
        "lanes",
        "vectors",
        "pixels",
        "stride",
        "residual",
        "group_bytes",
        "group_weights",
        "y_pixel",
        "r_pixel",
    )
    gathers = True

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in the order of a call."""
        formats: dict[str, DType] = {"y": self.y} | ({"r": self.r} if self.residual else {})
        return NAMES + affine_arguments(**formats)

    @property
    def group_bytes(self) -> int:
        """Bytes of a channel group of one pixel."""
        return self.unroll * 4

    @property
    def group_weights(self) -> int:
        """Bytes of a tile's weights for one channel group."""
        return self.group_bytes * self.vectors * self.lanes

    @property
    def y_pixel(self) -> int:
        """Bytes of a pixel of one block of the output."""
        return self.lanes * BYTES[self.y]

    @property
    def r_pixel(self) -> int:
        """Bytes of a pixel of one block of the residual."""
        return self.lanes * BYTES[self.r]

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write; ``table_channel_groups`` counts the channel groups of a call's whole table."""
        width = k["lanes"] * 4
        rows = a["row_last"] + k["tall"] if "row_last" in a else a["rows"]
        groups, tiles = a["groups"], (a["tiles"], 0 * width)
        x_shift, y_shift, r_shift = (tiled(a["tile_last"], k[name]) for name in ("stride", "y_pixel", "r_pixel"))
        y_walk = ((groups, a["group_y"]), (k["vectors"], a["block_y"]), (rows, a["row_y"]), tiles)
        r_walk = ((groups, a["group_residual"]), (k["vectors"], a["block_residual"]), (rows, a["row_residual"]))
        coefficients = ((groups, k["vectors"] * width),)
        return [
            Extent("x", (k["pixels"] - 1) * k["stride"], ((rows, a["row_x"]), tiles), *x_shift, gathers=True),
            Extent("weights", a["table_channel_groups"] * k["group_weights"], ((groups, a["group_weights"]),)),
            *(Extent(name, k["vectors"] * width, coefficients) for name in ("biases", "scales") if name in a),
            Extent("y", k["pixels"] * k["y_pixel"], y_walk, *y_shift, writes=True),
            Extent("residual", k["pixels"] * k["r_pixel"] * k["residual"], r_walk, *r_shift),
        ]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel."""
        c = IRBuilder(name, self.lanes)
        index = {argument: number for number, argument in enumerate(self.arguments)}
        x, table = c.pointer(index["x"]), c.pointer(index["table"])
        g = {n: c.argument(index[n]) for n in NAMES[6:] if self.residual or not n.endswith("residual")}
        moving = ["weights", "biases", "y", *(["residual"] if self.residual else []), *(["scales"] if "scales" in index else [])]
        steps = {"weights": g["group_weights"], "y": g["group_y"], "residual": g.get("group_residual", "")}
        with c.loop(g["groups"], [("ptr", c.pointer(index[n])) for n in moving]) as group:
            at = dict(zip(moving, group.carried, strict=True))
            with c.loop(g["rows"], [("ptr", x), *(("ptr", at[n]) for n in moving if n in ROWS)]) as row:
                x1, y1, *r1 = row.carried
                with c.loop(g["tiles"]) as tile:
                    first = c.minimum(c.mul(tile.index, self.pixels), g["tile_last"])
                    here = {"x": c.at(x1, c.mul(first, self.stride)), "y": c.at(y1, c.mul(first, self.y_pixel)), "table": table}
                    if r1:
                        here["residual"] = c.at(r1[0], c.mul(first, self.r_pixel))
                    self._tile(c, at | here, g, index)
                row.next(c.at(x1, g["row_x"]), c.at(y1, g["row_y"]), *(c.at(r, g["row_residual"]) for r in r1))
            group.next(*(c.at(pointer, steps.get(n, self.vectors * self.lanes * 4)) for n, pointer in at.items()))
        return c.text()

    def _tile(self, c: IRBuilder, at: Mapping[str, str], g: Mapping[str, str], index: Mapping[str, int]) -> None:
        """Compute one tile; ``at`` has its pointers, ``g`` the strides."""
        self._finish(c, self._sums(c, at, g["segments"]), at, g, index)

    def _sums(self, c: IRBuilder, at: Mapping[str, str], segments: str) -> list[str]:
        """Accumulate all segments for one tile; return ``vectors * pixels`` values."""
        bias = [c.load(at["biases"], v * self.lanes * 4) for v in range(self.vectors)]
        start = [c.constant(0.0)] * self.vectors * self.pixels
        sums = self._accumulated_segments(c, at, segments, c.vector, start)
        return [c.arith("fadd", value, bias[number // self.pixels]) for number, value in enumerate(sums)]

    def _accumulated_segments(self, c: IRBuilder, at: Mapping[str, str], segments: str, kind: str, start: list[str]) -> list[str]:
        """Add the products of all segments to accumulators of type ``kind``."""
        with c.loop(segments, [("ptr", at["weights"]), ("ptr", at["table"]), *((kind, s) for s in start)]) as segment:
            w, entry, *sums = segment.carried
            offset, channel_groups = c.integer(entry), c.integer(entry, 8)
            with c.loop(channel_groups, [("ptr", c.at(at["x"], offset)), ("ptr", w), *((kind, s) for s in sums)]) as channel_group:
                x1, w1, *acc = channel_group.carried
                acc = self._accumulated(c, x1, w1, acc)
                channel_group.next(c.at(x1, self.group_bytes), c.at(w1, self.group_weights), *acc)
            segment.next(channel_group.carried[1], c.at(entry, 16), *channel_group.carried[2:])
        return segment.carried[2:]

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

    def _finish(self, c: IRBuilder, sums: list[str], at: Mapping[str, str], g: Mapping[str, str], index: Mapping[str, int]) -> None:
        """Apply the activation, add the residual, store."""
        activate = ACTIVATIONS[self.activation]
        load, store = self.ends(c, index)
        y, residual = at["y"], at.get("residual", "")
        for v in range(self.vectors):
            values = []
            for p in range(self.pixels):
                value = activate(c, sums[v * self.pixels + p])
                values.append(c.arith("fadd", value, load(residual, p * self.r_pixel)) if residual else value)
            store(values, y)
            if v + 1 < self.vectors:
                y = c.at(y, g["block_y"])
                residual = residual and c.at(residual, g["block_residual"])

    def ends(self, c: IRBuilder, index: Mapping[str, int]) -> tuple[Load, StoreRun]:
        """Code that loads the residual and stores the output."""
        y, r = ((index.get(f"scale_{n}", 0), index.get(f"zero_{n}", 0)) for n in "yr")
        return loader(c, self.r if self.residual else "f32", r), run_storer(
            c, self.y, y, bounded=self.bounded, from_zero=self.from_zero
        )
