"""Weights in the order in which tiles read them: ``[group][segment][k][vectors * lanes]``, each group read sequentially.

Input lanes that hold no channel of the layer get rows of zeros, so concatenations with gaps cost a few multiplications and no copy.
Aligned addresses are worth 8 % (measured with all arrays shifted by 4 bytes).
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.engine.codegen.amx_tiles import register_pixels
from yolodsc.engine.codegen.dtypes import F32, DType, Element
from yolodsc.engine.codegen.kernels.conv import ConvKernel
from yolodsc.engine.codegen.tiles import Tile
from yolodsc.engine.operations.coefficients import AMX, FMA, Coefficients, channels_of_word
from yolodsc.engine.plan.layout import TensorView
from yolodsc.engine.runtime.program import Call, ConstantPool
from yolodsc.values import Value

CHANNEL_GROUP = 4
"""Input channels that a segment counts as one unit."""

TILE_BYTES = 64
"""Bytes of a channel group that AMX contracts at once, at most."""


class Part(Value):
    """A tile and its packed weights; ``group_bytes`` from one group to the next."""

    tile: Tile
    weights: int
    biases: int
    group_bytes: int
    scales: int = 0


class Residual(Value):
    """What is added after the activation: address, bytes from block to block and from row to row."""

    address: int
    block: int
    row: int
    element: Element = F32


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
    x, method
        Number format of the input; the instruction, as in `DotKernel`.
    limit
        No product is larger in magnitude.
    """

    parts: tuple[Part, ...]
    lanes: int
    stride: int
    unroll: int
    activation: str
    width: int
    x: DType = "f32"
    method: str = FMA
    limit: float = inf

    @property
    def register_pixels(self) -> int:
        """Pixels of a tile register of AMX; 0 without."""
        return register_pixels(self.parts[0].tile) if self.method == AMX else 0

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
        residual: Residual | None = None,
        element: Element = F32,
    ) -> list[Call]:
        """Calls over ``rows`` rows that store numbers as ``element``."""
        width = width or self.width
        calls = []
        for part in self.parts:
            tile = part.tile
            arguments = {
                "x": x, "weights": part.weights, "biases": part.biases, "y": y + tile.first * block_y,
                "table": table, "segments": segments, "groups": tile.groups, "group_weights": part.group_bytes,
                "group_y": tile.vectors * block_y, "block_y": block_y, "rows": rows, "row_x": row_x, "row_y": row_y,
                "tiles": -(-width // tile.pixels), "tile_last": width - tile.pixels, **element.written_as("y"),
            }  # fmt: skip
            if self.method == AMX:
                arguments |= {"rows": -(-rows // tile.rows), "row_last": rows - tile.rows}
            if self.x == "u8":
                arguments["scales"] = part.scales
            if residual is not None:
                first = residual.address + tile.first * residual.block
                arguments |= {"residual": first, "group_residual": tile.vectors * residual.block}
                arguments |= {"block_residual": residual.block, "row_residual": residual.row, **residual.element.read_as("r")}
            calls.append(Call(self._kernel(tile, element, residual), arguments))
        return calls

    def _kernel(self, tile: Tile, element: Element, residual: Residual | None) -> ConvKernel:
        r: DType = residual.element.dtype if residual else "f32"
        activation = "linear" if residual is None and element.absorbs(self.activation) else self.activation
        limit = 2 * max(self.limit, 1.0) + (residual.element.limit if residual else 0.0)
        shape = (self.lanes, tile.vectors, tile.pixels, self.stride, self.unroll, activation, residual is not None)
        formats = (element.dtype, r, element.bounds(limit), element.from_zero)
        if self.method == FMA:
            return ConvKernel(*shape, *formats)
        from yolodsc.engine.codegen.kernels.dot import DotKernel
        from yolodsc.engine.codegen.kernels.tiled import TiledKernel

        if self.method == AMX:
            return TiledKernel(*shape, *formats, self.x, AMX, tile.rows)
        return DotKernel(*shape, *formats, self.x, self.method)


def pack(
    constants: ConstantPool,
    weights: Coefficients,
    rows: Callable[[NDArray[Any]], NDArray[Any]],
    tiles: Sequence[Tile],
    *,
    lanes: int,
    stride: int,
    unroll: int,
    activation: str,
    width: int,
    method: str = FMA,
) -> PackedProduct:
    """Pack weights for the tiles; ``rows`` turns the kernel (F, C, K, K) into a matrix (K in the order of the segments, F)."""
    blocks = max(tile.first + tile.groups * tile.vectors for tile in tiles)
    matrix = rows(weights.kernel)
    depth, filters = matrix.shape
    padded = np.zeros((depth, blocks * lanes), matrix.dtype)
    padded[:, :filters] = matrix
    padded, q = (padded, 1) if method == FMA else (_stored(padded), channels_of_word(weights.dtype, method))
    start = constants.add(_lanes(weights.start(method), blocks * lanes))
    units = constants.add(_lanes(weights.unit, blocks * lanes)) if weights.unit is not None else 0
    parts = []
    for tile in tiles:
        wide, first = tile.vectors * lanes, tile.first * lanes
        columns = padded[:, first : first + tile.groups * wide].reshape(depth // q, q, tile.groups, wide)
        packed = columns.transpose(2, 0, 3, 1)  # (groups, K / q, vectors * lanes, q)
        scales = units + first * 4 if weights.unit is not None else 0
        parts.append(Part(tile, constants.add(packed), start + first * 4, depth * wide * padded.itemsize, scales))
    return PackedProduct(tuple(parts), lanes, stride, unroll, activation, width, weights.dtype, method, weights.limit)


def _stored(matrix: NDArray[Any]) -> NDArray[Any]:
    """Weights as kernels read them: bytes, or the upper halves of float32."""
    if matrix.dtype == np.int8:
        return matrix
    from yolodsc.precision import round_bf16

    return (round_bf16(matrix).view(np.uint32) >> 16).astype(np.uint16)


def _lanes(array: NDArray[Any], count: int) -> NDArray[Any]:
    """``array`` with zeros for the lanes beyond its last number."""
    out = np.zeros(count, array.dtype)
    out[: len(array)] = array
    return out


def channel_groups(view: TensorView, unroll: int = CHANNEL_GROUP) -> list[int]:
    """For each block of a view, how many groups of ``unroll`` lanes must be read."""
    return [-(-view.used(b) // unroll) for b in range(len(view.blocks))]


def row_groups(columns: int, pixel: int) -> int:
    """Into how many equal channel groups, of whole words, AMX cuts ``columns`` neighbouring pixels of ``pixel`` bytes."""
    total = columns * pixel
    return next(n for n in range(-(-total // TILE_BYTES), total) if total % (4 * n) == 0)


def contraction(view: TensorView, kernel: NDArray[Any], unroll: int = CHANNEL_GROUP, columns: int = 1) -> NDArray[Any]:
    """A kernel (F, C, KH, KW) as (taps * lanes read, F), rows of lanes without a channel are zero.

    ``columns`` as in `segment_table`.
    """
    filters, channels = kernel.shape[:2]
    taps = kernel.reshape(filters, channels, -1).transpose(2, 1, 0)  # (taps, C, F)
    n = view.lanes
    order = [c for b, g in enumerate(channel_groups(view, unroll)) for c in view.channels[b * n : b * n + g * unroll]]
    if order != list(range(channels)):
        with_zero = np.concatenate([taps, np.zeros((len(taps), 1, filters), kernel.dtype)], axis=1)
        taps = with_zero[:, order]
    if columns > 1:
        by_block = taps.reshape(-1, columns, taps.shape[1] // n, n, filters)
        taps = by_block.transpose(0, 2, 1, 3, 4)  # (rows, blocks, columns, lanes, F)
    return np.ascontiguousarray(taps).reshape(-1, filters)


def segment_table(
    constants: ConstantPool,
    view: TensorView,
    taps: Sequence[tuple[int, int]],
    unroll: int = CHANNEL_GROUP,
    columns: int = 1,
) -> tuple[int, int]:
    """Table of (byte offset from the view's first pixel, channel groups) for taps at (rows, columns); its address and length.

    With ``columns`` > 1 so many taps of a row, neighbouring pixels of a whole block, are one segment of `row_groups`.
    """
    origin = view.at()
    counts = channel_groups(view, unroll)
    each = row_groups(columns, view.pixel) if columns > 1 else 1
    rows = [(view.at(b, y, x) - origin, count * each) for y, x in taps[::columns] for b, count in enumerate(counts) if count]
    return constants.add(np.array(rows, np.int64)), len(rows)


def tiles_text(product: PackedProduct) -> str:
    """Pixels x vectors x lanes of each tile."""
    return "+".join(f"{part.tile.pixels}x{part.tile.vectors}x{product.lanes}" for part in product.parts)
