"""Depthwise convolutions, alone and fused with the pointwise ones around them (inverted residuals).

A block of MobileNetV2 makes six times its input's channels and throws them away again. `Block` keeps them in a ring of rows:
expand a row, convolve K rows depthwise, project the result, residual added, one strip of rows a thread; the wide map never exists.
For small maps `ExpandedDepthwise` does expand and depthwise for a few channels at a time in the first-level cache; the projection
is its own operation.
"""

from dataclasses import dataclass

import numpy as np

from yolodsc.arrays import Array
from yolodsc.engine.codegen.kernels.depthwise import DepthwiseKernel
from yolodsc.engine.codegen.tiles import pixels
from yolodsc.engine.operations.convolution import Geometry, pointwise
from yolodsc.engine.operations.operation import LoweringContext, Operation, halo_calls, split
from yolodsc.engine.operations.packing import PackedProduct
from yolodsc.engine.plan.layout import Halo, Tensor, TensorView
from yolodsc.engine.runtime.program import Call, Task

MOST_PIXELS = 10
"""Pixels of a depthwise tile: with 9 taps in registers, 10 sums and a row of inputs still fit 32."""


@dataclass(frozen=True, slots=True)
class Filters:
    """A depthwise layer's own part: filters of each physical lane, bias, activation."""

    kernel: Array  # (lanes of the view, K, K)
    bias: Array  # (lanes of the view,)
    geometry: Geometry
    activation: str

    def kernel_for(self, lanes: int, width: int, registers: int) -> DepthwiseKernel:
        """The kernel for rows of ``width`` outputs."""
        g = self.geometry
        most = MOST_PIXELS if registers == 32 else 5
        return DepthwiseKernel(lanes, g.size, g.stride_x, g.dilation, pixels(width, most), self.activation)


def filters_of(view: TensorView, kernel: Array, bias: Array, geometry: Geometry, activation: str) -> Filters:
    """Spread a depthwise layer's arrays (C, 1, K, K), (C,) over the lanes of its input."""
    order = np.array(view.channels)
    spread = np.where((order >= 0)[:, None, None], kernel[np.maximum(order, 0), 0], np.float32(0))
    return Filters(spread, np.where(order >= 0, bias[np.maximum(order, 0)], np.float32(0)), geometry, activation)


def packed(site: LoweringContext, filters: Filters, lanes: int, first: int, last: int) -> tuple[int, int]:
    """Words of weights ``[block][K * K][lanes]`` and biases of blocks ``first`` to ``last`` - 1."""
    own = slice(first * lanes, last * lanes)
    taps = filters.kernel[own].reshape(last - first, lanes, -1).transpose(0, 2, 1)
    return site.constants.add(taps), site.constants.add(filters.bias[own])


@dataclass(eq=False)
class Depthwise(Operation):
    """A depthwise layer from map to map."""

    x: TensorView
    y: Tensor
    filters: Filters
    onto: int = 0  # first block of y

    def __post_init__(self) -> None:
        height, width = self.x.shape
        for m in self.x.maps:
            m.margin.cover(self.filters.geometry.margin(height, width, self.y.height, self.y.width))

    def items(self, site: LoweringContext) -> list[Task]:
        """Runs of blocks times strips of rows."""
        x, y, n = self.x, self.y, self.x.lanes
        kernel = self.filters.kernel_for(n, y.width, site.isa.registers)
        blocks = len(x.blocks)
        parts = site.parts(self.macs * 3, y.height * blocks)
        across = min(parts, blocks)
        found: list[Task] = []
        for first, count in x.runs():
            for a, b in split(count, max(1, across * count // blocks)):
                arrays = packed(site, self.filters, n, first + a, first + b)
                for top, end in split(y.height, -(-parts // across)):
                    step = self._step(kernel, arrays, first + a, b - a, top, end)
                    place = self.onto + first
                    found.append([step, *halo_calls(y, top, end, (place + a, place + b))])
        self.detail = f"{kernel.pixels}x{n}"
        return found

    def _step(self, kernel: DepthwiseKernel, arrays: tuple[int, int], block: int, count: int, top: int, end: int) -> Call:
        g, x, y = self.filters.geometry, self.x, self.y
        m, _ = x.blocks[block]
        sources = [x.at(block, top * g.stride_y - g.reach + k * g.dilation, -g.reach) for k in range(g.size)]
        return depthwise_step(
            kernel, arrays, sources, y.at(self.onto + block, top), width=y.width, blocks=count, block_x=m.block, block_y=y.block,
            rows=end - top, row_x=m.row * g.stride_y, row_y=y.row,
        )  # fmt: skip


def depthwise_step(
    kernel: DepthwiseKernel,
    arrays: tuple[int, int],
    sources: list[int],
    y: int,
    *,
    width: int,
    blocks: int,
    block_x: int,
    block_y: int,
    rows: int = 1,
    row_x: int = 0,
    row_y: int = 0,
) -> Call:
    """One call of a depthwise kernel; ``sources`` are the words of the K rows that the first output row sees."""
    fixed = {
        "weights": arrays[0], "biases": arrays[1], "y": y, "blocks": blocks, "block_x": block_x, "block_y": block_y,
        "rows": rows, "row_x": row_x, "row_y": row_y, "tiles": -(-width // kernel.pixels), "tile_last": width - kernel.pixels,
    }  # fmt: skip
    return Call(kernel, fixed | {f"x{k}": source for k, source in enumerate(sources)})


@dataclass(frozen=True, slots=True)
class Pointwise:
    """A 1x1 layer that is part of a fused operation."""

    kernel: Array
    bias: Array
    activation: str


@dataclass(eq=False)
class Block(Operation):
    """[expand] depthwise project [+ residual], by strips of rows, the wide rows in a ring."""

    x: TensorView
    y: Tensor
    wide: TensorView
    expand: Pointwise | None
    filters: Filters
    project: Pointwise | None
    residual: TensorView | None

    def __post_init__(self) -> None:
        height, width = self.x.shape
        if self.expand is None:
            for m in self.x.maps:
                m.margin.cover(self.filters.geometry.margin(height, width, self.y.height, self.y.width))

    def items(self, site: LoweringContext) -> list[Task]:
        """One item a strip; every strip but the first expands K - stride rows that the one before expands too."""
        parts = 1 if site.threads == 1 else min(site.parts(self.macs, self.y.height // 2), 2 * site.threads)
        strip = DepthwiseStrip(self, site)
        self.detail = strip.detail
        return [strip.item(a, b) for a, b in split(self.y.height, parts)]


class DepthwiseStrip:
    """Writes the items of a `Block`: products, ring and middle row are shared, each thread has them in its own space."""

    def __init__(self, op: Block, site: LoweringContext) -> None:
        self.op = op
        g, wide = op.filters.geometry, op.wide
        height, width = op.x.shape
        self.size, self.lanes, self.count = g.size, wide.lanes, len(wide.blocks)
        margin = g.margin(height, width, op.y.height, op.y.width)
        self.ring = Tensor(self.size, width, self.lanes, self.count, Halo(0, margin.left, 0, margin.right))
        self.middle = Tensor(1, op.y.width, self.lanes, self.count)
        site.own(*([self.ring] if op.expand else []), *([self.middle] if op.project else []))
        self.kernel = op.filters.kernel_for(self.lanes, op.y.width, site.isa.registers)
        self.detail = f"{self.kernel.pixels}x{self.lanes}"
        self.arrays = [(first, count, packed(site, op.filters, self.lanes, first, first + count)) for first, count in self._runs()]
        if op.expand:
            e = op.expand
            self.expand, self.expand_table = pointwise(
                site, op.x, e.kernel, e.bias, lanes=self.lanes, activation=e.activation, width=width
            )
            self.detail = f"{_shape(self.expand)} {self.detail}"
        if op.project:
            p = op.project
            middle = TensorView(tuple((self.middle, b) for b in range(self.count)), wide.channels)
            self.project, self.project_table = pointwise(
                site, middle, p.kernel, p.bias, lanes=op.y.lanes, activation=p.activation, width=op.y.width
            )
            self.detail += f" {_shape(self.project)}"

    def _runs(self) -> list[tuple[int, int]]:
        return [(0, self.count)] if self.op.expand else list(self.op.x.runs())

    def item(self, a: int, b: int) -> Task:
        """Output rows ``a`` to ``b`` - 1."""
        op, g = self.op, self.op.filters.geometry
        steps = halo_calls(self.ring, 0, self.size) if op.expand else []
        made = a * g.stride_y - g.reach
        for y in range(a, b):
            top = y * g.stride_y - g.reach
            if op.expand:
                made = max(made, top)
                while made < top + self.size:
                    steps += self._expanded(made)
                    made += 1
            steps += self._depthwise(top, y)
            if op.project:
                residual = (op.residual.at(0, y), op.residual.blocks[0][0].block, 0) if op.residual else None
                steps += self.project.steps(
                    x=self.middle.at(), table=self.project_table[0], segments=self.project_table[1],
                    y=op.y.at(0, y), block_y=op.y.block, residual=residual,
                )  # fmt: skip
        return steps + halo_calls(op.y, a, b)

    def _expanded(self, row: int) -> list[Call]:
        """One row of the ring: the expansion of an input row, or zeros outside the map."""
        x, slot = self.op.x, row % self.size
        if not 0 <= row < x.shape[0]:
            return _zero_row(self.ring, slot)
        return self.expand.steps(
            x=x.at(0, row), table=self.expand_table[0], segments=self.expand_table[1],
            y=self.ring.at(0, slot), block_y=self.ring.block,
        )  # fmt: skip

    def _depthwise(self, top: int, y: int) -> list[Call]:
        op, g = self.op, self.op.filters.geometry
        steps = []
        for first, count, arrays in self.arrays:
            if op.expand:
                sources = [self.ring.at(0, (top + k) % self.size, -g.reach) for k in range(self.size)]
                block_x = self.ring.block
            else:
                sources = [op.x.at(first, top + k, -g.reach) for k in range(self.size)]
                block_x = op.x.blocks[first][0].block
            place, block_y = (self.middle.at(first), self.middle.block) if op.project else (op.y.at(first, y), op.y.block)
            steps.append(
                depthwise_step(
                    self.kernel, arrays, sources, place, width=op.y.width, blocks=count, block_x=block_x, block_y=block_y
                )
            )
        return steps


def _zero_row(m: Tensor, row: int) -> list[Call]:
    from yolodsc.engine.codegen.kernels.elementwise import ClearKernel

    vectors = m.width
    where = {"y": m.at(0, row), "blocks": m.blocks, "block_y": m.block, "rows": 1, "vectors": vectors}
    return [Call(ClearKernel(m.lanes), where)]


def _shape(product: PackedProduct) -> str:
    return "+".join(f"{part.tile.pixels}x{part.tile.vectors}x{product.lanes}" for part in product.parts)


@dataclass(eq=False)
class ExpandedDepthwise(Operation):
    """Expand and depthwise, a few blocks of channels at a time."""

    x: TensorView
    y: Tensor
    expand: Pointwise
    filters: Filters

    def items(self, site: LoweringContext) -> list[Task]:
        """Items of whole groups of blocks; the wide maps of each are in the thread's own space."""
        blocks, threads = self.y.blocks, site.threads
        alone = -(-blocks * self.y.lanes // 32)
        parts = alone if threads == 1 else threads * (1 if blocks < 4 * threads else 2)
        found = [self._item(site, first, last) for first, last in split(blocks, parts)]
        return [[step for item in found for step in item]] if threads == 1 else found

    def _item(self, site: LoweringContext, first: int, last: int) -> Task:
        x, y, g, n = self.x, self.y, self.filters.geometry, self.y.lanes
        height, width = x.shape
        wide = Tensor(height, width, n, last - first, g.margin(height, width, y.height, y.width))
        site.own(wide)
        own = slice(first * n, last * n)
        e = self.expand
        product, table = pointwise(site, x, e.kernel[own], e.bias[own], lanes=n, activation=e.activation, width=width)
        kernel = self.filters.kernel_for(n, y.width, site.isa.registers)
        self.detail = f"{_shape(product)} {kernel.pixels}x{n}"
        row = x.blocks[0][0].row
        steps = halo_calls(wide, 0, height)
        steps += product.steps(
            x=x.at(), table=table[0], segments=table[1], y=wide.at(), block_y=wide.block, rows=height, row_x=row, row_y=wide.row
        )
        arrays = packed(site, self.filters, n, first, last)
        sources = [wide.at(0, k - g.reach, -g.reach) for k in range(g.size)]
        steps.append(
            depthwise_step(
                kernel,
                arrays,
                sources,
                y.at(first),
                width=y.width,
                blocks=last - first,
                block_x=wide.block,
                block_y=y.block,
                rows=y.height,
                row_x=wide.row * g.stride_y,
                row_y=y.row,
            )
        )
        return steps + halo_calls(y, 0, y.height, (first, last))
