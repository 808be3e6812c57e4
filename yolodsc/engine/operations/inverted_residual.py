"""Inverted residuals: a depthwise convolution fused with the pointwise convolutions around it, row by row.

A block of MobileNetV2 makes six times its input's channels and reduces them again. `InvertedResidual` keeps the expanded rows in a
ring: it expands a row, convolves K rows depthwise and projects the result, with the residual added, one strip of rows per task. The
expanded tensor never exists.
"""

from collections.abc import Iterable
from math import inf

from yolodsc.engine.codegen.dtypes import F32, Element
from yolodsc.engine.codegen.kernels.depthwise import DepthwiseKernel
from yolodsc.engine.codegen.kernels.elementwise import ClearKernel
from yolodsc.engine.operations.depthwise import Addresses, DepthwiseFilters, Pointwise, depthwise_call
from yolodsc.engine.operations.operation import (
    PRECISION_NAMES,
    Lowered,
    LoweringContext,
    TensorOperation,
    halo_calls,
    in_scratch,
    split,
)
from yolodsc.engine.operations.packing import PackedProduct, Residual, tiles_text
from yolodsc.engine.plan.layout import Buffer, Halo, Tensor, TensorView, tensors_of, whole
from yolodsc.engine.runtime.program import Call, Task
from yolodsc.values import Value


class InvertedResidual(TensorOperation, eq=False):
    """[expand] depthwise [project [+ residual]], by strips of rows; ``wide`` is the view that the expansion would have.

    The ring is float32; ``middle`` says how the rows that the projection reads are stored.
    """

    wide: TensorView
    expand: Pointwise | None
    filters: DepthwiseFilters
    project: Pointwise | None
    residual: TensorView | None
    middle: Element = F32

    @property
    def precision(self) -> str:
        """Of the pointwise products."""
        dtypes = {part.weights.dtype for part in (self.expand, self.project) if part}
        return "+".join(sorted(PRECISION_NAMES[dtype] for dtype in dtypes)) or "f32"

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """The input and the residual."""
        return tensors_of(self.x, self.residual)

    def halos(self) -> Iterable[tuple[Tensor, Halo]]:
        """The input's, for the taps, unless there is an expansion, whose ring has a halo."""
        return () if self.expand else self.filters.geometry.halos(self.x, self.y)

    def strided_views(self) -> Iterable[TensorView]:
        """The input."""
        return (self.x,)

    def lower(self, context: LoweringContext) -> Lowered:
        """One task per strip; each strip but the first expands K - stride rows that the previous one expands too."""
        parts = 1 if context.threads == 1 else min(context.parts(self.macs, self.y.height // 2), 2 * context.threads)
        return _lowered(self, context, list(split(self.y.height, parts)))


def _lowered(op: InvertedResidual, context: LoweringContext, strips: list[tuple[int, int]]) -> Lowered:
    """Pack the weights, assign scratch memory to ring and middle row, write the calls of all strips."""
    constants = context.constant_pool()
    g, wide, width = op.filters.geometry, op.wide, op.x.shape[1]
    lanes, blocks = wide.lanes, len(wide.blocks)
    halo = g.halo(*op.x.shape, op.y.height, op.y.width)
    ring = Tensor(g.size, width, lanes, blocks, Halo(0, halo.left, 0, halo.right))
    middle = Tensor(1, op.y.width, lanes, blocks, element=op.middle)
    needed, scratch = in_scratch(*([ring] if op.expand else []), *([middle] if op.project else []))
    elements = (F32 if op.expand else op.x.element, op.middle if op.project else op.y.element)
    kernel = op.filters.kernel_for(lanes, op.y.width, context.isa, *elements, limit=op.expand.limit if op.expand else inf)
    runs = [(0, blocks)] if op.expand else list(op.x.runs())
    arrays = tuple((first, count, op.filters.packed(constants, lanes, first, first + count)) for first, count in runs)
    text = f"{kernel.pixels}x{lanes}"
    expansion = projection = None
    if op.expand:
        expansion = _Product(needed[0], *op.expand.packed(context, constants, op.x, lanes=lanes, width=width))
        text = f"{tiles_text(expansion.product)} {text}"
    if op.project:
        view = whole(needed[-1], wide.channels)
        alike = {"lanes": op.y.lanes, "width": op.y.width, "pixels": expansion.product.register_pixels if expansion else 0}
        projection = _Product(needed[-1], *op.project.packed(context, constants, view, **alike))
        text += f" {tiles_text(projection.product)}"
    rows = _Rows(op, kernel, elements, arrays, expansion, projection)
    return Lowered(([rows.task(a, b) for a, b in strips],), constants, scratch, text)


class _Product(Value):
    """A pointwise part: what is packed, and the tensor in scratch memory that it writes (expansion) or reads (projection)."""

    tensor: Tensor
    product: PackedProduct
    table: tuple[int, int]


class _Rows(Value):
    """Writes the calls of rows; ``arrays`` has (first block, blocks, addresses of weights and biases).

    ``elements`` are those that the depthwise convolution reads and writes.
    """

    op: InvertedResidual
    kernel: DepthwiseKernel
    elements: tuple[Element, Element]
    arrays: tuple[tuple[int, int, Addresses], ...]
    expansion: _Product | None
    projection: _Product | None

    def task(self, a: int, b: int) -> Task:
        """Output rows ``a`` to ``b`` - 1."""
        op, g = self.op, self.op.filters.geometry
        calls = halo_calls(self.expansion.tensor, 0, g.size) if self.expansion else []
        end = a * g.stride_y - g.leading  # rows before this one are in the ring
        for y in range(a, b):
            top = y * g.stride_y - g.leading
            if self.expansion:
                for row in range(max(end, top), top + g.size):
                    calls += self._expanded(self.expansion, row)
                end = max(end, top + g.size)
            calls += self._depthwise(top, y)
            if self.projection:
                calls += self._projected(self.projection, y)
        return calls + halo_calls(op.y, a, b)

    def _expanded(self, expansion: _Product, row: int) -> list[Call]:
        """One row of the ring: the expansion of an input row, or zeros outside the input."""
        x, ring = self.op.x, expansion.tensor
        slot = row % ring.height
        if not 0 <= row < x.shape[0]:
            area = {"y": ring.at(0, slot), "blocks": ring.blocks, "block_y": ring.block, "rows": 1, "vectors": ring.width}
            return [Call(ClearKernel(ring.lanes), area)]
        table, segments = expansion.table
        return expansion.product.calls(x=x.at(0, row), table=table, segments=segments, y=ring.at(0, slot), block_y=ring.block)

    def _depthwise(self, top: int, y: int) -> list[Call]:
        """Output row ``y`` of the depthwise convolution, from input rows ``top`` on."""
        op, g = self.op, self.op.filters.geometry
        calls = []
        for first, count, arrays in self.arrays:
            if self.expansion:
                ring = self.expansion.tensor
                sources = [ring.at(0, (top + k) % g.size, -g.leading) for k in range(g.size)]
                block_x = ring.block
            else:
                sources = [op.x.at(first, top + k, -g.leading) for k in range(g.size)]
                block_x = op.x.blocks[first][0].block
            out, row = (self.projection.tensor, 0) if self.projection else (op.y, y)
            calls.append(
                depthwise_call(
                    self.kernel,
                    arrays,
                    sources,
                    out.at(first, row),
                    width=op.y.width,
                    blocks=count,
                    block_x=block_x,
                    block_y=out.block,
                    elements=self.elements,
                )
            )
        return calls

    def _projected(self, projection: _Product, y: int) -> list[Call]:
        """Output row ``y`` from the middle row."""
        op, (table, segments) = self.op, projection.table
        residual = Residual(op.residual.at(0, y), op.residual.blocks[0][0].block, 0, op.residual.element) if op.residual else None
        return projection.product.calls(
            x=projection.tensor.at(),
            table=table,
            segments=segments,
            y=op.y.at(0, y),
            block_y=op.y.block,
            residual=residual,
            element=op.y.element,
        )
