"""3 x 3 convolutions of stride 1 through Winograd's F(4x4, 3x3): a quarter of the multiplications.

A strip of tiles is transformed, multiplied and transformed back while it lies in the second-level cache. Where the transformed
weights are larger than that cache the whole map is one strip, so that they are read once; threads then share its three phases.
Worth it while there are enough tiles for the weights: 36 numbers are read where the direct form reads 9.
"""

from dataclasses import dataclass

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.engine.codegen.kernels.winograd import WinogradInput, WinogradOutput, transformed
from yolodsc.engine.codegen.tiles import tiles
from yolodsc.engine.operations.operation import LoweringContext, Operation, halo_calls, split
from yolodsc.engine.operations.packing import QUAD, PackedProduct, contraction, pack, quads
from yolodsc.engine.plan.layout import SCRATCH, Halo, PlanarTensor, Tensor, TensorView, tagged_address
from yolodsc.engine.runtime.program import Call, Task

CACHE = 640 * 1024
"""Bytes of transformed pixels and sums of one strip."""

HEAVY = 2_500_000
"""Bytes of transformed weights from which on they are read once only."""

MULTIPLICATIONS_A_BYTE = ((HEAVY, 1.0), (16_000_000, 2.5), (float("inf"), 3.5))
"""How many multiply-adds a core could make while it reads a byte of weights: from its own cache, a shared one, memory."""


@dataclass(frozen=True, slots=True)
class WinogradStrip:
    """Tile rows [top, bottom) and columns [left, right), transformed to ``v`` and multiplied to ``m`` (words)."""

    top: int
    bottom: int
    left: int
    right: int
    v: int
    m: int

    @property
    def tiles(self) -> int:
        """How many."""
        return (self.bottom - self.top) * (self.right - self.left)


def worthwhile(channels: int, filters: int, height: int, width: int) -> bool:
    """Whether the transforms and the larger weights pay: the longer of computing and reading weights against the direct form.

    In multiply-adds of a channel and filter. On a Zen 4 core (58 of them a ns, 28 GB/s) every shape tried wins, 1.5 to 3.3 times:
    64 channels at 8x8, 512 x 1024 at 13x13 (75 MB of weights, 6 ms for 15), 512 x 512 at 7x7. Slower memory is allowed for.
    """
    if min(channels, filters) < 16:
        return False
    count = -(-height // 4) * -(-width // 4)
    size = 144 * channels * filters
    a_byte = next(cost for most, cost in MULTIPLICATIONS_A_BYTE if size <= most)
    return max(45 * count, 144 * a_byte) < 9 * height * width


class Winograd(Operation):
    """A 3x3 convolution of stride 1 from view to map."""

    def __init__(
        self,
        name: str,
        layer: int,
        macs: int,
        *,
        x: TensorView,
        y: Tensor,
        kernel: Array,
        bias: Array,
        padding: int,
        activation: str,
    ) -> None:
        super().__init__(name, (layer,), macs, x.maps, (y,))
        self.x, self.y, self.kernel, self.bias, self.padding, self.activation = x, y, kernel, bias, padding, activation
        height, width = x.shape
        self.down, self.across = -(-y.height // 4), -(-y.width // 4)
        below, right = 4 * self.down + 2 - padding - height, 4 * self.across + 2 - padding - width
        for m in x.maps:
            m.margin.cover(Halo(padding, padding, max(0, below), max(0, right)))
        y.margin.cover(Halo(0, 0, 4 * self.down - y.height, 4 * self.across - y.width))
        self.tiles = self.down * self.across
        self.v_tile = 36 * len(x.blocks) * x.lanes * 4  # bytes of one tile's transformed pixels
        self.m_tile = 36 * y.blocks * y.pixel  # bytes of one tile's sums
        self.heavy = 144 * len(x.blocks) * x.lanes * y.blocks * y.lanes > HEAVY
        if self.heavy:
            self.space = PlanarTensor(Shape(1, 1, (self.v_tile + self.m_tile) * self.tiles // 4 + 32))
            self.writes += (self.space,)

    def phases(self, site: LoweringContext) -> list[list[Task]]:
        """Strips; or, where the weights are heavy, all transforms, all products, all transforms back."""
        if self.heavy:
            return self._whole(site)
        strips = self._strips(site)
        products = self._products(site, min(strip.tiles for strip in strips))
        tables = {tiles: self._table(site, tiles) for tiles in {strip.tiles for strip in strips}}
        found: list[Task] = []
        for strip in strips:
            steps = self._transformed(strip, 0, len(self.x.blocks))
            for position, product in enumerate(products):
                steps += self._multiplied(product, strip, position, tables[strip.tiles])
            steps += self._restored(strip, 0, self.y.blocks)
            if strip.right - strip.left == self.across:
                steps += halo_calls(self.y, 4 * strip.top, min(4 * strip.bottom, self.y.height))
            found.append(steps)
        if strips[0].right == self.across:
            return [found]
        return [found, [halo_calls(self.y, 0, self.y.height)]]

    def _strips(self, site: LoweringContext) -> list[WinogradStrip]:
        """Whole rows of tiles; parts of rows where one row is too much."""
        parts = max(-(-self.tiles * (self.v_tile + self.m_tile) // CACHE), site.parts(self.macs // 4, max(1, self.tiles // 8)))
        if site.threads > 1:
            parts = -(-parts // site.threads) * site.threads
        rows = list(split(self.down, parts))
        columns = max(1, parts // len(rows))
        found = []
        for top, bottom in rows:
            for left, right in split(self.across, columns):
                tiles = (bottom - top) * (right - left)
                v_bytes = self.v_tile * tiles + 64
                site.scratch = max(site.scratch, v_bytes + self.m_tile * tiles + 64)
                found.append(
                    WinogradStrip(
                        top, bottom, left, right, tagged_address(SCRATCH, 0), tagged_address(SCRATCH, v_bytes - v_bytes % 64)
                    )
                )
        return found

    def _whole(self, site: LoweringContext) -> list[list[Task]]:
        """Three phases over all tiles."""
        v_bytes = self.v_tile * self.tiles
        strip = WinogradStrip(0, self.down, 0, self.across, self.space.at(), self.space.at() + v_bytes + -v_bytes % 64)
        table = self._table(site, self.tiles)
        inputs, outputs = len(self.x.blocks), self.y.blocks
        parts = 1 if site.threads == 1 else 4 * site.threads
        halves = list(split(outputs, 1 if site.threads == 1 else 2))
        products = [self._products(site, self.tiles, a, b) for a, b in halves]
        multiplied = [
            self._multiplied(product[position], strip, position, table, a)
            for position in range(36)
            for (a, _), product in zip(halves, products, strict=True)
        ]
        restored = [self._restored(strip, a, b) + halo_calls(self.y, 0, self.y.height, (a, b)) for a, b in split(outputs, parts)]
        return [[self._transformed(strip, a, b) for a, b in split(inputs, parts)], multiplied, restored]

    def _products(self, site: LoweringContext, width: int, first: int = 0, last: int = 0) -> list[PackedProduct]:
        """The 36 matrices for output blocks ``first`` to ``last`` - 1, packed."""
        x, n = self.x, self.y.lanes
        last = last or self.y.blocks
        chosen = tiles(site.isa, n, last - first, width)
        self.detail = " ".join(f"{t.pixels}x{t.vectors}x{n}" for t in chosen)
        biases = np.zeros(self.y.blocks * n, np.float32)
        biases[: len(self.bias)] = self.bias
        self.biases = site.constants.add(biases)
        return [
            pack(
                site.constants, contraction(x, u[:, :, None, None]), None, chosen,
                lanes=n, stride=x.lanes * 4, unroll=QUAD, activation="linear", width=width,
            )
            for u in transformed(self.kernel[first * n : last * n])
        ]  # fmt: skip

    def _table(self, site: LoweringContext, tiles: int) -> tuple[int, int]:
        """Segments of transformed pixels: one a block."""
        rows = [(b * tiles * self.x.lanes * 4, q) for b, q in enumerate(quads(self.x)) if q]
        return site.constants.add(np.array(rows, np.int64)), len(rows)

    def _transformed(self, strip: WinogradStrip, first: int, last: int) -> list[Call]:
        """Pixels to 36 numbers, for blocks ``first`` to ``last`` - 1 of the view."""
        x, across = self.x, strip.tiles * self.x.lanes * 4
        steps = []
        for start, count in x.runs():
            a, b = max(first, start), min(last, start + count)
            if a < b:
                m = x.blocks[a][0]
                corner = x.at(a, 4 * strip.top - self.padding, 4 * strip.left - self.padding)
                ends = {"x": corner, "v": strip.v + a * across, "blocks": b - a, "block_x": m.block, "block_v": across}
                walk = {"tile_rows": strip.bottom - strip.top, "tile_row_x": 4 * m.row, "row_x": m.row}
                rest = {"tiles": strip.right - strip.left, "position_v": len(x.blocks) * across}
                steps.append(Call(WinogradInput(x.lanes), ends | walk | rest))
        return steps

    def _multiplied(
        self, product: PackedProduct, strip: WinogradStrip, position: int, table: tuple[int, int], first: int = 0
    ) -> list[Call]:
        """One of the 36 products, to output blocks from ``first`` on."""
        across_x, across_y = strip.tiles * self.x.lanes * 4, strip.tiles * self.y.pixel
        return product.steps(
            x=strip.v + position * len(self.x.blocks) * across_x, table=table[0], segments=table[1],
            y=strip.m + (position * self.y.blocks + first) * across_y, block_y=across_y, width=strip.tiles,
        )  # fmt: skip

    def _restored(self, strip: WinogradStrip, first: int, last: int) -> list[Call]:
        """Sums to pixels, for blocks ``first`` to ``last`` - 1 of the map."""
        y = self.y
        across = strip.tiles * y.pixel
        ends = {"m": strip.m + first * across, "biases": self.biases + first * y.pixel, "blocks": last - first}
        place = {"y": y.at(first, 4 * strip.top, 4 * strip.left), "block_m": across, "block_y": y.block, "row_y": y.row}
        walk = {"tile_rows": strip.bottom - strip.top, "tile_row_y": 4 * y.row, "tiles": strip.right - strip.left}
        step = Call(WinogradOutput(y.lanes, self.activation), ends | place | walk | {"position_m": y.blocks * across})
        return [step]
