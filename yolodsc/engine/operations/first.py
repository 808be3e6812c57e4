"""The first convolution: straight from the planar image, without a layout conversion.

A strip of rows is copied into scratch memory with its halo. There a segment is one row of one channel and a channel group the K
columns of the kernel, so three channels cost three channels (packed into blocks they would cost four, or eight).
"""

import numpy as np

from yolodsc.engine.codegen.dtypes import bits
from yolodsc.engine.codegen.kernels.elementwise import AffineKernel, ClearKernel
from yolodsc.engine.codegen.tiles import tiles
from yolodsc.engine.operations.coefficients import Coefficients
from yolodsc.engine.operations.convolution import Geometry
from yolodsc.engine.operations.operation import PRECISION_NAMES, Lowered, LoweringContext, PlanarOperation, halo_calls, split
from yolodsc.engine.operations.packing import PackedProduct, pack
from yolodsc.engine.plan.layout import SCRATCH, Tensor, tagged_address
from yolodsc.engine.runtime.program import Call, ConstantPool, Task

STRIP_BYTES = 96 * 1024
"""Largest size of a strip of the image with its halo."""


class FirstConvolution(PlanarOperation, eq=False):
    """A regular convolution of a planar tensor with few channels, in float32."""

    y: Tensor
    weights: Coefficients
    geometry: Geometry
    activation: str

    @property
    def precision(self) -> str:
        """Of the products."""
        return PRECISION_NAMES[self.weights.dtype]

    def lower(self, context: LoweringContext) -> Lowered:
        """One task per strip of rows."""
        constants = context.constant_pool()
        y, g = self.y, self.geometry
        channels = self.x.shape.channels
        chosen = tiles(context.isa, y.lanes, y.blocks, y.width)
        product = pack(
            constants, self.weights, lambda kernel: kernel.transpose(1, 2, 3, 0).reshape(channels * g.size * g.size, -1), chosen,
            lanes=y.lanes, stride=4 * g.stride_x, unroll=g.size, activation=self.activation, width=y.width,
        )  # fmt: skip
        limit = max(1, STRIP_BYTES // (channels * g.stride_y * self._row))
        parts = max(-(-y.height // limit), context.parts(self.macs, y.height))
        strips = list(split(y.height, parts))
        tasks = [self._task(constants, product, a, b) for a, b in strips]
        scratch = max(channels * self._rows(a, b) * self._row for a, b in strips)
        return Lowered((tasks,), constants, scratch, " ".join(f"{t.pixels}x{t.vectors}x{y.lanes}" for t in chosen))

    @property
    def _row(self) -> int:
        """Bytes of a row of a strip."""
        _, height, width = self.x.shape
        halo = self.geometry.halo(height, width, self.y.height, self.y.width)
        row = (halo.left + width + halo.right) * 4
        return row + -row % 64 + 64

    def _rows(self, a: int, b: int) -> int:
        """Rows of the strip for output rows ``a`` to ``b`` - 1."""
        g = self.geometry
        return (b - a - 1) * g.stride_y + (g.size - 1) * g.dilation + 1

    def _task(self, constants: ConstantPool, product: PackedProduct, a: int, b: int) -> Task:
        """Output rows ``a`` to ``b`` - 1."""
        y, g, row = self.y, self.geometry, self._row
        channels, height, _ = self.x.shape
        top, rows = a * g.stride_y - g.leading, self._rows(a, b)
        entries = [(c * rows * row + k * g.dilation * row, 1) for c in range(channels) for k in range(g.size)]
        table = constants.add(np.array(entries, np.int64))
        first, last = (min(max(edge, 0), height) for edge in (top, top + rows))
        calls = self._cleared(top, first, last, rows)
        if last > first:
            calls.append(self._copied(top, first, last, rows))
        calls += product.calls(
            x=tagged_address(SCRATCH, 0), table=table, segments=len(entries), y=y.at(0, a), block_y=y.block,
            rows=b - a, row_x=row * g.stride_y, row_y=y.row, element=y.element,
        )  # fmt: skip
        return calls + halo_calls(y, a, b)

    def _cleared(self, top: int, first: int, last: int, rows: int) -> list[Call]:
        """Zeros around image rows ``first`` to ``last`` - 1 in a strip of ``rows`` rows that begins with image row ``top``."""
        g, row = self.geometry, self._row
        channels, _, width = self.x.shape
        above, below = (min(max(edge - top, 0), rows) for edge in (first, last))
        right = row // 4 - g.leading - width
        strip = {"blocks": channels, "block_y": rows * row, "row_y": row}
        calls = []
        for y, x, tall, wide in (
            (0, 0, rows, g.leading),
            (0, g.leading + width, rows, right),
            (0, 0, above, row // 4),
            (below, 0, rows - below, row // 4),
        ):
            if tall > 0 and wide > 0:
                corner = tagged_address(SCRATCH, y * row + x * 4)
                calls.append(Call(ClearKernel(1), {"y": corner, **strip, "rows": tall, "vectors": wide}))
        return calls

    def _copied(self, top: int, first: int, last: int, rows: int) -> Call:
        """Image rows ``first`` to ``last`` - 1 of all channels to their position in the strip."""
        g, row = self.geometry, self._row
        channels, height, width = self.x.shape
        above = min(max(first - top, 0), rows)
        kernel = AffineKernel(max(n for n in (16, 8, 4, 1) if n <= min(width, self.y.lanes)), "linear")
        ends = {"x": self.x.at(0, first), "y": tagged_address(SCRATCH, above * row + g.leading * 4), "channels": channels}
        walk = {"channel_x": height * width * 4, "channel_y": rows * row, "rows": last - first}
        return Call(kernel, ends | walk | {"row_x": width * 4, "row_y": row, "floats": width, "scale": bits(1.0)})
