"""Regular convolutions without im2col: pointwise over the flattened map, k x k through a table of taps.

Pointwise layers between maps without margins run over the whole map as one row, so that the tiles waste nothing at the ends of
rows.
"""

from dataclasses import dataclass

from yolodsc.arrays import Array
from yolodsc.engine.codegen.tiles import tiles
from yolodsc.engine.operations.operation import LoweringContext, Operation, halo_calls, split, strips
from yolodsc.engine.operations.packing import QUAD, PackedProduct, contraction, pack, segment_table
from yolodsc.engine.plan.layout import Halo, Tensor, TensorView
from yolodsc.engine.runtime.program import Task


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a convolution walks: size, strides, padding, dilation."""

    size: int = 1
    stride_y: int = 1
    stride_x: int = 1
    padding: int = 0
    dilation: int = 1

    @property
    def reach(self) -> int:
        """Pixels of zeros above and to the left; AlexeyAB pads by padding times dilation."""
        return self.padding * self.dilation

    def margin(self, height: int, width: int, out_height: int, out_width: int) -> Halo:
        """The zeros that the taps of all outputs need around an input of ``height`` x ``width``."""
        span = (self.size - 1) * self.dilation + 1
        below = (out_height - 1) * self.stride_y + span - self.reach - height
        right = (out_width - 1) * self.stride_x + span - self.reach - width
        return Halo(self.reach, self.reach, max(0, below), max(0, right))

    def taps(self) -> list[tuple[int, int]]:
        """(row, column) of each tap from the top left pixel of its window."""
        return [(y * self.dilation, x * self.dilation) for y in range(self.size) for x in range(self.size)]


@dataclass(eq=False)
class Convolution(Operation):
    """One group of a convolution: all channels of a view to ``blocks`` of a map, activation and residual included."""

    x: TensorView
    y: Tensor
    kernel: Array
    bias: Array
    geometry: Geometry
    activation: str
    residual: TensorView | None = None
    blocks: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        height, width = self.x.shape
        for m in self.x.maps:
            m.margin.cover(self.geometry.margin(height, width, self.y.height, self.y.width))
        if self.blocks == (0, 0):
            self.blocks = (0, self.y.blocks)

    def items(self, site: LoweringContext) -> list[Task]:
        """Cut by rows, or by output channels where the weights outweigh the map."""
        cutting_channels = self.kernel.nbytes > self._input_bytes() and site.threads > 1
        first, last = self.blocks
        if not cutting_channels:
            return self._items(site, first, last, site.parts(self.macs, self.y.height))
        parts = site.parts(self.macs, last - first)
        return [item for a, b in split(last - first, parts) for item in self._items(site, first + a, first + b, 1)]

    def _items(self, site: LoweringContext, first: int, last: int, parts: int) -> list[Task]:
        """Items for output blocks ``first`` to ``last`` - 1."""
        n, y, x = self.y.lanes, self.y, self.x
        begin = (first - self.blocks[0]) * n
        kernel, bias = self.kernel[begin : begin + (last - first) * n], self.bias[begin : begin + (last - first) * n]
        flat = self._flat()
        rows, width = (1, y.height * y.width) if flat else (y.height, y.width)
        g = self.geometry
        chosen = tiles(site.isa, n, last - first, width)
        product = pack(
            site.constants, contraction(x, kernel), bias, chosen,
            lanes=n, stride=g.stride_x * x.lanes * 4, unroll=QUAD, activation=self.activation, width=width,
        )  # fmt: skip
        table = segment_table(site.constants, x, g.taps())
        self.detail = " ".join(f"{t.pixels}x{t.vectors}x{n}" for t in chosen)
        if flat:
            return self._flat_items(product, table, first, width, parts)
        row_bytes = x.blocks[0][0].row * len(x.blocks) * g.stride_y
        return [
            self._rows(product, table, first, a, b) + halo_calls(y, a, b, (first, last)) for a, b in strips(rows, row_bytes, parts)
        ]

    def _rows(self, product: PackedProduct, table: tuple[int, int], first: int, a: int, b: int) -> Task:
        g, x, y = self.geometry, self.x, self.y
        return product.steps(
            x=x.at(0, a * g.stride_y - g.reach, -g.reach), table=table[0], segments=table[1],
            y=y.at(first, a), block_y=y.block, rows=b - a, row_x=x.blocks[0][0].row * g.stride_y, row_y=y.row,
            residual=self._residual(first, a, 0),
        )  # fmt: skip

    def _flat_items(self, product: PackedProduct, table: tuple[int, int], first: int, width: int, parts: int) -> list[Task]:
        """The flattened map in ranges of whole tiles."""
        x, y = self.x, self.y
        least = max(part.tile.pixels for part in product.parts)
        found: list[Task] = []
        for a, b in strips(-(-width // least), least * x.lanes * 4 * len(x.blocks), parts):
            end = min(b * least, width)
            start = min(a * least, end - least)
            found.append(
                product.steps(
                    x=x.at() + start * x.lanes * 4,
                    table=table[0],
                    segments=table[1],
                    y=y.at(first) + start * y.pixel,
                    block_y=y.block,
                    width=end - start,
                    residual=self._residual(first, 0, start),
                )
            )
        return found

    def _residual(self, first: int, row: int, pixel: int) -> tuple[int, int, int] | None:
        if self.residual is None:
            return None
        m, _ = self.residual.blocks[0]
        return self.residual.at(first, row) + pixel * m.pixel, m.block, m.row

    def _flat(self) -> bool:
        """Whether all maps are one row of pixels each."""
        g = self.geometry
        everything = [*self.x.maps, self.y, *(self.residual.maps if self.residual else ())]
        return g == Geometry() and not any(m.margin for m in everything)

    def _input_bytes(self) -> int:
        height, width = self.x.shape
        return height * width * self.x.lanes * 4 * len(self.x.blocks)


def pointwise(
    site: LoweringContext, x: TensorView, kernel: Array, bias: Array, *, lanes: int, activation: str, width: int
) -> tuple[PackedProduct, tuple[int, int]]:
    """A 1x1 product over rows of ``width`` pixels of a view, and its table: a part of a fused block."""
    blocks = -(-len(kernel) // lanes)
    product = pack(
        site.constants, contraction(x, kernel), bias, tiles(site.isa, lanes, blocks, width),
        lanes=lanes, stride=x.lanes * 4, unroll=QUAD, activation=activation, width=width,
    )  # fmt: skip
    return product, segment_table(site.constants, x, [(0, 0)])
