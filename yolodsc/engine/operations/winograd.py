"""3 x 3 convolutions of stride 1 through Winograd's F(4x4, 3x3): a quarter of the multiplications.

A strip of tiles is transformed, multiplied and transformed back while it is in the second-level cache. If the transformed weights
are larger than that cache, the whole tensor is one strip, so that they are read once; threads then share its three phases. The
method pays while there are enough tiles for the weights: 36 numbers are read where the direct form reads 9.
"""

from collections.abc import Iterable

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.engine.codegen.kernels.winograd import WinogradInput, WinogradOutput, transformed
from yolodsc.engine.codegen.tiles import tiles
from yolodsc.engine.operations.coefficients import Coefficients
from yolodsc.engine.operations.operation import Lowered, LoweringContext, TensorOperation, halo_calls, split
from yolodsc.engine.operations.packing import CHANNEL_GROUP, PackedProduct, channel_groups, contraction, pack
from yolodsc.engine.plan.layout import SCRATCH, Buffer, Halo, PlanarTensor, Tensor, TensorView, tagged_address
from yolodsc.engine.runtime.program import Call, ConstantPool, Task
from yolodsc.values import Value

CACHE = 640 * 1024
"""Bytes of transformed pixels and sums of one strip."""

HEAVY = 2_500_000
"""Bytes of transformed weights above which they are read only once."""

MULTIPLICATIONS_A_BYTE = ((HEAVY, 1.0), (16_000_000, 2.5), (float("inf"), 3.5))
"""Multiply-adds of a core in the time in which it reads a byte of weights: from its own cache, a shared one, memory."""


def worthwhile(channels: int, filters: int, height: int, width: int) -> bool:
    """Whether the transforms and the larger weights pay: the longer of computing and reading weights against the direct form.

    In multiply-adds of a channel and filter. On a Zen 4 core (58 of them a ns, 28 GB/s) every shape tried wins, 1.5 to 3.3 times:
    64 channels at 8x8, 512 x 1024 at 13x13 (75 MB of weights, 6 ms for 15), 512 x 512 at 7x7. The limits allow for slower memory.
    """
    if min(channels, filters) < 16:
        return False
    count = -(-height // 4) * -(-width // 4)
    size = 144 * channels * filters
    a_byte = next(cost for limit, cost in MULTIPLICATIONS_A_BYTE if size <= limit)
    return max(45 * count, 144 * a_byte) < 9 * height * width


class _Strip(Value):
    """Tile rows [top, bottom) and columns [left, right), transformed to ``v`` and multiplied to ``m`` (addresses)."""

    top: int
    bottom: int
    left: int
    right: int
    v: int
    m: int

    @property
    def tiles(self) -> int:
        """How many tiles it has."""
        return (self.bottom - self.top) * (self.right - self.left)


class _Products(Value):
    """The 36 matrices for output blocks from ``first`` on, packed; the biases of all blocks; what the plan's table shows."""

    first: int
    products: list[PackedProduct]
    biases: int
    tiles: str


class Winograd(TensorOperation, eq=False):
    """A 3x3 convolution of stride 1 from view to tensor; ``kernel`` (F, C, 3, 3), ``bias`` (F,).

    ``workspace`` holds transformed pixels and sums of all tiles if the weights are read only once (`workspace_for`).
    """

    kernel: Array
    bias: Array
    padding: int
    activation: str
    workspace: PlanarTensor | None

    @property
    def precision(self) -> str:
        """Of the products."""
        return "f32"

    @property
    def writes(self) -> tuple[Buffer, ...]:
        """The output, and the workspace."""
        return (self.y, self.workspace) if self.workspace else (self.y,)

    def halos(self) -> Iterable[tuple[Tensor, Halo]]:
        """The input's, for whole tiles; the output's too, because whole tiles are written."""
        height, width = self.x.shape
        below, right = 4 * self._down + 2 - self.padding - height, 4 * self._across + 2 - self.padding - width
        halo = Halo(self.padding, self.padding, max(0, below), max(0, right))
        yield from ((tensor, halo) for tensor in self.x.tensors)
        yield self.y, Halo(0, 0, 4 * self._down - self.y.height, 4 * self._across - self.y.width)

    def strided_views(self) -> Iterable[TensorView]:
        """The input."""
        return (self.x,)

    def lower(self, context: LoweringContext) -> Lowered:
        """Strips; with a workspace all transforms, all products, all transforms back."""
        return self._by_phases(context, self.workspace) if self.workspace else self._by_strips(context)

    @property
    def _down(self) -> int:
        return -(-self.y.height // 4)

    @property
    def _across(self) -> int:
        return -(-self.y.width // 4)

    def _by_strips(self, context: LoweringContext) -> Lowered:
        """One task per strip; halos in a second phase if strips are parts of rows."""
        constants = context.constant_pool()
        strips, scratch = self._strips(context)
        packed = self._packed(context, constants, min(strip.tiles for strip in strips), 0, self.y.blocks)
        tables = {tiles: self._table(constants, tiles) for tiles in {strip.tiles for strip in strips}}
        tasks: list[Task] = []
        for strip in strips:
            calls = self._transformed(strip, 0, len(self.x.blocks))
            for position in range(36):
                calls += self._multiplied(packed, strip, position, tables[strip.tiles])
            calls += self._restored(packed, strip, 0, self.y.blocks)
            if strip.right - strip.left == self._across:
                calls += halo_calls(self.y, 4 * strip.top, min(4 * strip.bottom, self.y.height))
            tasks.append(calls)
        phases = [tasks] if strips[0].right == self._across else [tasks, [halo_calls(self.y, 0, self.y.height)]]
        return Lowered(phases, constants, scratch, packed.tiles)

    def _strips(self, context: LoweringContext) -> tuple[list[_Strip], int]:
        """Strips of whole rows of tiles, or of parts of rows if one row is too much; and the bytes of scratch memory."""
        v_tile, m_tile = tile_bytes(self.x, self.y)
        count = self._down * self._across
        parts = max(-(-count * (v_tile + m_tile) // CACHE), context.parts(self.macs // 4, max(1, count // 8)))
        if context.threads > 1:
            parts = -(-parts // context.threads) * context.threads
        rows = list(split(self._down, parts))
        columns = max(1, parts // len(rows))
        strips = []
        scratch = 0
        for top, bottom in rows:
            for left, right in split(self._across, columns):
                tiles = (bottom - top) * (right - left)
                v_bytes = v_tile * tiles + 64
                scratch = max(scratch, v_bytes + m_tile * tiles + 64)
                m = tagged_address(SCRATCH, v_bytes - v_bytes % 64)
                strips.append(_Strip(top, bottom, left, right, tagged_address(SCRATCH, 0), m))
        return strips, scratch

    def _by_phases(self, context: LoweringContext, workspace: PlanarTensor) -> Lowered:
        """Three phases over all tiles."""
        constants = context.constant_pool()
        count = self._down * self._across
        v_bytes = tile_bytes(self.x, self.y)[0] * count
        strip = _Strip(0, self._down, 0, self._across, workspace.at(), workspace.at() + v_bytes + -v_bytes % 64)
        table = self._table(constants, count)
        inputs, outputs = len(self.x.blocks), self.y.blocks
        parts = 1 if context.threads == 1 else 4 * context.threads
        halves = split(outputs, 1 if context.threads == 1 else 2)
        packed = [self._packed(context, constants, count, a, b) for a, b in halves]
        multiplied = [self._multiplied(half, strip, position, table) for position in range(36) for half in packed]
        restored = [
            self._restored(packed[-1], strip, a, b) + halo_calls(self.y, 0, self.y.height, (a, b)) for a, b in split(outputs, parts)
        ]
        transformed_ = [self._transformed(strip, a, b) for a, b in split(inputs, parts)]
        return Lowered([transformed_, multiplied, restored], constants, tiles=packed[-1].tiles)

    def _packed(self, context: LoweringContext, constants: ConstantPool, width: int, first: int, last: int) -> _Products:
        """The 36 matrices for output blocks ``first`` to ``last`` - 1, for products of ``width`` tiles."""
        x, n = self.x, self.y.lanes
        chosen = tiles(context.isa, n, last - first, width)
        biases = np.zeros(self.y.blocks * n, np.float32)
        biases[: len(self.bias)] = self.bias
        address, none = constants.add(biases), np.zeros(0, np.float32)
        products = [
            pack(
                constants, Coefficients(u[:, :, None, None], none), lambda kernel: contraction(x, kernel), chosen,
                lanes=n, stride=x.lanes * 4, unroll=CHANNEL_GROUP, activation="linear", width=width,
            )
            for u in transformed(self.kernel[first * n : last * n])
        ]  # fmt: skip
        return _Products(first, products, address, " ".join(f"{t.pixels}x{t.vectors}x{n}" for t in chosen))

    def _table(self, constants: ConstantPool, tiles: int) -> tuple[int, int]:
        """Segments of transformed pixels: one per block."""
        rows = [(b * tiles * self.x.lanes * 4, count) for b, count in enumerate(channel_groups(self.x)) if count]
        return constants.add(np.array(rows, np.int64)), len(rows)

    def _transformed(self, strip: _Strip, first: int, last: int) -> list[Call]:
        """Pixels to 36 numbers, for blocks ``first`` to ``last`` - 1 of the view."""
        x, across = self.x, strip.tiles * self.x.lanes * 4
        calls = []
        for start, count in x.runs():
            a, b = max(first, start), min(last, start + count)
            if a < b:
                tensor = x.blocks[a][0]
                corner = x.at(a, 4 * strip.top - self.padding, 4 * strip.left - self.padding)
                ends = {"x": corner, "v": strip.v + a * across, "blocks": b - a, "block_x": tensor.block, "block_v": across}
                walk = {"tile_rows": strip.bottom - strip.top, "tile_row_x": 4 * tensor.row, "row_x": tensor.row}
                rest = {"tiles": strip.right - strip.left, "position_v": len(x.blocks) * across}
                calls.append(Call(WinogradInput(x.lanes, x.dtype), ends | walk | rest))
        return calls

    def _multiplied(self, packed: _Products, strip: _Strip, position: int, table: tuple[int, int]) -> list[Call]:
        """One of the 36 products."""
        across_x, across_y = strip.tiles * self.x.lanes * 4, strip.tiles * self.y.lanes * 4
        return packed.products[position].calls(
            x=strip.v + position * len(self.x.blocks) * across_x, table=table[0], segments=table[1],
            y=strip.m + (position * self.y.blocks + packed.first) * across_y, block_y=across_y, width=strip.tiles,
        )  # fmt: skip

    def _restored(self, packed: _Products, strip: _Strip, first: int, last: int) -> list[Call]:
        """Sums to pixels, for blocks ``first`` to ``last`` - 1 of the output."""
        y = self.y
        across = strip.tiles * y.lanes * 4
        ends = {"m": strip.m + first * across, "biases": packed.biases + first * y.lanes * 4, "blocks": last - first}
        out = {"y": y.at(first, 4 * strip.top, 4 * strip.left), "block_m": across, "block_y": y.block, "row_y": y.row}
        walk = {"tile_rows": strip.bottom - strip.top, "tile_row_y": 4 * y.row, "tiles": strip.right - strip.left}
        walk |= y.element.written_as("y")
        kernel = WinogradOutput(y.lanes, self.activation, y.element.dtype)
        return [Call(kernel, ends | out | walk | {"position_m": y.blocks * across})]


def tile_bytes(x: TensorView, y: Tensor) -> tuple[int, int]:
    """Bytes of one tile's transformed pixels, and of its sums."""
    return 36 * len(x.blocks) * x.lanes * 4, 36 * y.blocks * y.lanes * 4


def workspace_for(x: TensorView, y: Tensor) -> PlanarTensor | None:
    """Memory for all tiles of a convolution whose transformed weights are read only once; None for lighter weights."""
    if 144 * len(x.blocks) * x.lanes * y.blocks * y.lanes <= HEAVY:
        return None
    count = -(-y.height // 4) * -(-y.width // 4)
    return PlanarTensor(Shape(1, 1, sum(tile_bytes(x, y)) * count // 4 + 32))
