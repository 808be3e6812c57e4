"""The first convolution: straight from the planar image, no conversion of its layout.

A strip of rows is copied into the thread's own space with its zero margins; there a "segment" is one row of one channel and a
"quad" the K columns of the kernel, so three channels cost three channels (packed into blocks they would cost four, or eight).
"""

from dataclasses import dataclass

import numpy as np

from yolodsc.arrays import Array
from yolodsc.engine.codegen.kernels.elementwise import AffineKernel, ClearKernel
from yolodsc.engine.codegen.tiles import tiles
from yolodsc.engine.operations.convolution import Geometry
from yolodsc.engine.operations.operation import LoweringContext, Operation, halo_calls, split
from yolodsc.engine.operations.packing import pack
from yolodsc.engine.operations.pool import bits
from yolodsc.engine.plan.layout import SCRATCH, PlanarTensor, Tensor, tagged_address
from yolodsc.engine.runtime.program import Call, Task

STRIP_BYTES = 96 * 1024
"""Most bytes of a strip of the image with its margins."""


@dataclass(eq=False)
class FirstConvolution(Operation):
    """A regular convolution of a plane with few channels."""

    x: PlanarTensor
    y: Tensor
    kernel: Array
    bias: Array
    geometry: Geometry
    activation: str

    def items(self, site: LoweringContext) -> list[Task]:
        """One item a strip of rows."""
        y, g = self.y, self.geometry
        channels, height, width = self.x.shape
        margin = g.margin(height, width, y.height, y.width)
        self.row = (margin.left + width + margin.right) * 4
        self.row += -self.row % 64 + 64
        size = g.size
        matrix = self.kernel.transpose(1, 2, 3, 0).reshape(channels * size * size, -1)
        chosen = tiles(site.isa, y.lanes, y.blocks, y.width)
        self.product = pack(
            site.constants, matrix, self.bias, chosen,
            lanes=y.lanes, stride=4 * g.stride_x, unroll=size, activation=self.activation, width=y.width,
        )  # fmt: skip
        self.detail = " ".join(f"{t.pixels}x{t.vectors}x{y.lanes}" for t in chosen)
        tall = max(1, STRIP_BYTES // (channels * g.stride_y * self.row))
        parts = max(-(-y.height // tall), site.parts(self.macs, y.height))
        return [self._item(site, a, b) + halo_calls(y, a, b) for a, b in split(y.height, parts)]

    def _item(self, site: LoweringContext, a: int, b: int) -> Task:
        y, g = self.y, self.geometry
        channels, height, _ = self.x.shape
        top, rows = a * g.stride_y - g.reach, (b - a - 1) * g.stride_y + (g.size - 1) * g.dilation + 1
        plane = rows * self.row
        site.scratch = max(site.scratch, channels * plane)
        entries = [(c * plane + k * g.dilation * self.row, 1) for c in range(channels) for k in range(g.size)]
        table = site.constants.add(np.array(entries, np.int64))
        first, last = (min(max(row, 0), height) for row in (top, top + rows))
        steps = self._copied(top, first, last, rows)
        return steps + self.product.steps(
            x=tagged_address(SCRATCH, 0), table=table, segments=len(entries), y=y.at(0, a), block_y=y.block,
            rows=b - a, row_x=self.row * g.stride_y, row_y=y.row,
        )  # fmt: skip

    def _copied(self, top: int, first: int, last: int, rows: int) -> list[Call]:
        """Rows ``first`` to ``last`` - 1 of all channels at their places in the strip, zeros around them."""
        g = self.geometry
        channels, _, width = self.x.shape
        above, below = (min(max(row - top, 0), rows) for row in (first, last))
        right = self.row // 4 - g.reach - width
        where = {"blocks": channels, "block_y": rows * self.row, "row_y": self.row}
        steps = []
        for y, x, tall, wide in (
            (0, 0, rows, g.reach),
            (0, g.reach + width, rows, right),
            (0, 0, above, self.row // 4),
            (below, 0, rows - below, self.row // 4),
        ):
            if tall > 0 and wide > 0:
                place = tagged_address(SCRATCH, y * self.row + x * 4)
                steps.append(Call(ClearKernel(1), {"y": place, **where, "rows": tall, "vectors": wide}))
        if last > first:
            kernel = AffineKernel(max(n for n in (16, 8, 4, 1) if n <= min(width, self.y.lanes)), "linear")
            ends = {"x": self.x.at(0, first), "y": tagged_address(SCRATCH, above * self.row + g.reach * 4), "planes": channels}
            walk = {"plane_x": self.x.shape.height * width * 4, "plane_y": rows * self.row, "rows": last - first}
            span = {"row_x": width * 4, "row_y": self.row, "floats": width, "scale": bits(1.0)}
            steps.append(Call(kernel, ends | walk | span))
        return steps
