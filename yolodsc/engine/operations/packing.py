"""Weights in the order in which tiles read them: ``[group][segment][k][vectors * lanes]``, each group read sequentially.

Input lanes that hold no channel of the layer get rows of zeros, so concatenations with gaps cost a few multiplications and no copy.
Aligned addresses are worth 8 % (measured with all arrays shifted by 4 bytes).
"""

from collections.abc import Sequence

import numpy as np

from yolodsc.arrays import Array
from yolodsc.engine.codegen.kernels.conv import ConvKernel
from yolodsc.engine.codegen.tiles import Tile
from yolodsc.engine.plan.layout import TensorView
from yolodsc.engine.runtime.program import Call, ConstantPool
from yolodsc.values import Value

CHANNEL_GROUP = 4
"""Input channels that a segment counts as one unit."""


class Part(Value):
    """A tile and its packed weights; ``group_bytes`` from one group to the next."""

    tile: Tile
    weights: int
    biases: int
    group_bytes: int


class PackedProduct(Value):
    """A matrix product with packed weights: tiles, weights, what is fixed in the kernels.

    Attributes
    ----------
    lanes
        Of the output.
    stride
        Bytes between inputs of neighbouring output pixels.
    width
        Output pixels in a row, as the tiles were chosen.
    """

    parts: tuple[Part, ...]
    lanes: int
    stride: int
    unroll: int
    activation: str
    width: int

    def calls(
        self,
        *,
        x: int,
        table: int,
        segments: int,
        y: int,
        block_y: int,
        rows: int = 1,
        row_x: int = 0,
        row_y: int = 0,
        width: int = 0,
        residual: tuple[int, int, int] | None = None,
    ) -> list[Call]:
        """Calls over ``rows`` rows; ``residual`` is (address, block bytes, row bytes) of what is added after the activation."""
        width = width or self.width
        calls = []
        for part in self.parts:
            tile = part.tile
            kernel = ConvKernel(
                self.lanes, tile.vectors, tile.pixels, self.stride, self.unroll, self.activation, residual is not None
            )
            arguments = {
                "x": x, "weights": part.weights, "biases": part.biases, "y": y + tile.first * block_y,
                "table": table, "segments": segments, "groups": tile.groups, "group_weights": part.group_bytes,
                "group_y": tile.vectors * block_y, "block_y": block_y, "rows": rows, "row_x": row_x, "row_y": row_y,
                "tiles": -(-width // tile.pixels), "tile_last": width - tile.pixels,
            }  # fmt: skip
            if residual is not None:
                address, block_r, row_r = residual
                arguments |= {"residual": address + tile.first * block_r, "group_residual": tile.vectors * block_r}
                arguments |= {"block_residual": block_r, "row_residual": row_r}
            calls.append(Call(kernel, arguments))
        return calls


def pack(
    constants: ConstantPool,
    matrix: Array,
    bias: Array | None,
    tiles: Sequence[Tile],
    *,
    lanes: int,
    stride: int,
    unroll: int,
    activation: str,
    width: int,
) -> PackedProduct:
    """Pack ``matrix`` (K in the order of the segments, F) and ``bias`` (F,) for the tiles."""
    blocks = max(tile.first + tile.groups * tile.vectors for tile in tiles)
    depth, filters = matrix.shape
    padded = np.zeros((depth, blocks * lanes), np.float32)
    padded[:, :filters] = matrix
    biases = np.zeros(blocks * lanes, np.float32)
    if bias is not None:
        biases[:filters] = bias
    start = constants.add(biases)
    parts = []
    for tile in tiles:
        wide = tile.vectors * lanes
        columns = padded[:, tile.first * lanes : tile.first * lanes + tile.groups * wide]
        packed = columns.reshape(depth, tile.groups, wide).transpose(1, 0, 2)  # (groups, K, vectors * lanes)
        parts.append(Part(tile, constants.add(packed), start + tile.first * lanes * 4, depth * wide * 4))
    return PackedProduct(tuple(parts), lanes, stride, unroll, activation, width)


def channel_groups(view: TensorView) -> list[int]:
    """For each block of a view, how many groups of `CHANNEL_GROUP` lanes must be read."""
    return [-(-view.used(b) // CHANNEL_GROUP) for b in range(len(view.blocks))]


def contraction(view: TensorView, kernel: Array) -> Array:
    """A kernel (F, C, KH, KW) as (taps * lanes read, F), rows of lanes without a channel are zero."""
    filters, channels = kernel.shape[:2]
    taps = kernel.reshape(filters, channels, -1).transpose(2, 1, 0)  # (taps, C, F)
    n = view.lanes
    order = [c for b, g in enumerate(channel_groups(view)) for c in view.channels[b * n : b * n + g * CHANNEL_GROUP]]
    if order != list(range(channels)):
        with_zero = np.concatenate([taps, np.zeros((len(taps), 1, filters), np.float32)], axis=1)
        taps = with_zero[:, order]
    return np.ascontiguousarray(taps).reshape(-1, filters)


def segment_table(constants: ConstantPool, view: TensorView, taps: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Table of (byte offset from the view's first pixel, channel groups) for taps at (rows, columns); its address and length."""
    origin = view.at()
    counts = channel_groups(view)
    rows = [(view.at(b, y, x) - origin, count) for y, x in taps for b, count in enumerate(counts) if count]
    return constants.add(np.array(rows, np.int64)), len(rows)


def tiles_text(product: PackedProduct) -> str:
    """Pixels x vectors x lanes of each tile."""
    return "+".join(f"{part.tile.pixels}x{part.tile.vectors}x{product.lanes}" for part in product.parts)
