"""The first convolution in bf16 or bytes: pixels of four channels.

A strip of rows is rounded into scratch memory with its halo, the channels of a pixel side by side, filled up to four. There a
segment is one row of the kernel: K neighbouring pixels are 4 K channels in sequence. AMX contracts four pixels at a time.
"""

from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from yolodsc.engine.codegen.amx_tiles import Contraction, amx_tiles
from yolodsc.engine.codegen.dtypes import Element
from yolodsc.engine.codegen.kernels.copying import InterleaveKernel
from yolodsc.engine.codegen.kernels.elementwise import ClearKernel
from yolodsc.engine.codegen.tiles import tiles
from yolodsc.engine.operations.coefficients import AMX, BLOCK, Coefficients, channel_group
from yolodsc.engine.operations.convolution import Geometry, RowTask
from yolodsc.engine.operations.depthwise import folded_pixels
from yolodsc.engine.operations.first import STRIP_BYTES
from yolodsc.engine.operations.operation import PRECISION_NAMES, Lowered, LoweringContext, PlanarOperation, halo_calls, split
from yolodsc.engine.operations.packing import CHANNEL_GROUP, PackedProduct, pack
from yolodsc.engine.plan.layout import SCRATCH, Tensor, tagged_address
from yolodsc.engine.runtime.program import Call, ConstantPool, Task


class InterleavedFirst(PlanarOperation, eq=False):
    """A convolution of a planar tensor of up to four channels; ``element`` says how the strip is stored."""

    y: Tensor
    element: Element
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
        limit = max(1, STRIP_BYTES // (self.geometry.stride_y * self._row))
        parts = max(-(-self.y.height // limit), context.parts(self.macs, self.y.height))
        strips = list(split(self.y.height, parts))
        task, text = self.row_tasks(context, constants, min(b - a for a, b in strips))
        tasks = [task(self.y, a, b) + halo_calls(self.y, a, b) for a, b in strips]
        return Lowered((tasks,), constants, max(self.strip_bytes(b - a) for a, b in strips), text)

    def row_tasks(self, context: LoweringContext, constants: ConstantPool, shortest: int) -> tuple[RowTask, str]:
        """As `Convolution.row_tasks`; the strip is at the start of the scratch memory."""
        y, g = self.y, self.geometry
        fold = folded_pixels(context.isa, y.lanes, y.width) if y.blocks == 1 else 1
        lanes, width = y.lanes * fold, y.width // fold
        method = self.weights.method(context.isa, BLOCK, lanes)
        unroll = channel_group(method, CHANNEL_GROUP)
        groups = -(-(g.size + (fold - 1) * g.stride_x) * CHANNEL_GROUP // unroll)
        weights = self.weights
        if fold > 1:
            weights = weights.tiled(_folded(weights.kernel, fold, g.stride_x, y.lanes), fold, y.lanes)
        amx = Contraction(groups * g.size, unroll * self.element.size, shortest) if method == AMX else None
        chosen = amx_tiles(amx, y.blocks, width) if amx else tiles(context.isa, lanes, y.blocks, width)
        product = pack(
            constants, weights, lambda kernel: _interleaved(kernel, unroll), chosen, lanes=lanes,
            stride=self._pixel * g.stride_x * fold, unroll=unroll, activation=self.activation, width=width, method=method,
        )  # fmt: skip
        table = constants.add(np.array([(k * self._row, groups) for k in range(g.size)], np.int64))
        text = " ".join(f"{t.pixels}x{t.vectors}x{lanes}" for t in chosen)
        return lambda y, a, b: replace(self, y=y)._task(product, table, a, b), text

    def strip_bytes(self, rows: int) -> int:
        """Scratch memory of the strip for that many output rows."""
        return self._rows(0, rows) * self._row

    @property
    def _pixel(self) -> int:
        """Bytes of a pixel of the strip."""
        return CHANNEL_GROUP * self.element.size

    @property
    def _row(self) -> int:
        """Bytes of a row of the strip."""
        row = (self.geometry.leading + self.x.shape.width + self._right) * self._pixel
        return row + -row % 64 + 64

    @property
    def _right(self) -> int:
        """Pixels of zeros after a row: AMX reads up to three beyond the last window."""
        _, height, width = self.x.shape
        return self.geometry.halo(height, width, self.y.height, self.y.width).right + 3

    def _rows(self, a: int, b: int) -> int:
        """Rows of the strip for output rows ``a`` to ``b`` - 1."""
        return (b - a - 1) * self.geometry.stride_y + self.geometry.size

    def _task(self, product: PackedProduct, table: int, a: int, b: int) -> Task:
        """Output rows ``a`` to ``b`` - 1."""
        y, g, row = self.y, self.geometry, self._row
        height = self.x.shape.height
        top, rows = a * g.stride_y - g.leading, self._rows(a, b)
        first, last = (min(max(edge, 0), height) for edge in (top, top + rows))
        calls = [self._rounded(top, first, last)] if last > first else []
        calls += self._cleared(top, first, last, rows)
        calls += product.calls(
            x=tagged_address(SCRATCH, 0), table=table, segments=g.size, y=y.at(0, a), block_y=y.block,
            rows=b - a, row_x=row * g.stride_y, row_y=y.row, element=y.element,
        )  # fmt: skip
        return calls

    def _cleared(self, top: int, first: int, last: int, rows: int) -> list[Call]:
        """Zeros around image rows ``first`` to ``last`` - 1 in a strip of ``rows`` rows that begins with image row ``top``."""
        g, row, pixel = self.geometry, self._row, self._pixel
        width = self.x.shape.width
        above, below = (min(max(edge - top, 0), rows) for edge in (first, last))
        columns = row // pixel
        calls = []
        for y, x, tall, wide in (
            (0, 0, rows, g.leading),
            (0, g.leading + width, rows, self._right),
            (0, 0, above, columns),
            (below, 0, rows - below, columns),
        ):
            if tall > 0 and wide > 0:
                area = {"y": tagged_address(SCRATCH, y * row + x * pixel), "blocks": 1, "rows": tall, "row_y": row, "vectors": wide}
                calls.append(Call(ClearKernel(pixel // 4), area | {"value": self.element.fill}))
        return calls

    def _rounded(self, top: int, first: int, last: int) -> Call:
        """Image rows ``first`` to ``last`` - 1 to their position in the strip."""
        channels, height, width = self.x.shape
        kernel = InterleaveKernel(max(n for n in (16, 8, 4, 1) if n <= min(width, self.y.lanes)), channels, self.element.dtype)
        corner = (first - top) * self._row + self.geometry.leading * self._pixel
        ends = {"x": self.x.at(0, first), "y": tagged_address(SCRATCH, corner), "channel_x": height * width * 4}
        walk = {"rows": last - first, "row_x": width * 4, "row_y": self._row, "pixels": width}
        return Call(kernel, ends | walk | self.element.written_as("y"))


def _folded(kernel: NDArray[Any], fold: int, stride: int, lanes: int) -> NDArray[Any]:
    """A kernel (F, C, K, K) for ``fold`` neighbouring pixels: (fold * lanes, C, K, K + (fold - 1) * stride)."""
    filters, channels, size, _ = kernel.shape
    out = np.zeros((fold, lanes, channels, size, size + (fold - 1) * stride), kernel.dtype)
    for pixel in range(fold):
        out[pixel, :filters, :, :, pixel * stride : pixel * stride + size] = kernel
    return out.reshape(fold * lanes, channels, size, -1)


def _interleaved(kernel: NDArray[Any], unroll: int) -> NDArray[Any]:
    """A kernel (F, C, K, L) as (K rows * channels of a row, F): C filled up to 4, the row to a multiple of ``unroll``."""
    filters, channels, size, columns = kernel.shape
    pixels = -(-columns * CHANNEL_GROUP // unroll) * unroll // CHANNEL_GROUP
    out = np.zeros((size, pixels, CHANNEL_GROUP, filters), kernel.dtype)
    out[:, :columns, :channels] = kernel.transpose(2, 3, 1, 0)
    return out.reshape(-1, filters)
