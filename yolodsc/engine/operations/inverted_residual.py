"""Inverted residuals: a depthwise convolution fused with the pointwise convolutions around it, row by row.

A block of MobileNetV2 makes six times its input's channels and reduces them again. `InvertedResidual` keeps the expanded rows in a
ring: it expands a row, convolves K rows depthwise and projects the result, with the residual added, one strip of rows per task. The
expanded tensor never exists. In low precision the rings of some channels at a time stay in the first-level cache for a few rows,
which are then projected together.
"""

from collections.abc import Iterable
from math import inf

from msgspec.structs import replace

from yolodsc.engine.codegen.dtypes import F32, Element
from yolodsc.engine.codegen.kernels.depthwise import DepthwiseKernel
from yolodsc.engine.codegen.kernels.elementwise import ClearKernel
from yolodsc.engine.operations.coefficients import AMX
from yolodsc.engine.operations.depthwise import Addresses, DepthwiseFilters, Pointwise, depthwise_call
from yolodsc.engine.operations.layouts.contiguous import ContiguousPixels, copied_product
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

RING = 36 * 1024
"""Bytes of rings that stay in the first-level cache."""

TOGETHER = 4
"""Output rows that are projected together in low precision."""

DEEP_CONTIGUOUS = 96
"""As `DEEP`, for a projection whose input has the blocks of each pixel side by side."""


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
    """Pack the weights, assign scratch memory to ring and middle rows, write the calls of all strips."""
    constants = context.constant_pool()
    g, wide, width = op.filters.geometry, op.wide, op.x.shape[1]
    lanes = wide.lanes
    halo = g.halo(*op.x.shape, op.y.height, op.y.width)
    ring = Tensor(g.size, width, lanes, len(wide.blocks), Halo(0, halo.left, 0, halo.right))
    middle, copied = _middle(op, context, ring)
    needed, scratch = in_scratch(*([ring] if op.expand else []), *([middle] if op.project else []))
    elements = (F32 if op.expand else op.x.element, op.middle if op.project else op.y.element)
    kernel = op.filters.kernel_for(lanes, op.y.width, context.isa, *elements, limit=op.expand.limit if op.expand else inf)
    kernel = replace(kernel, step=middle.pixel) if copied else kernel
    text = f"{kernel.pixels}x{lanes}"
    groups = []
    for first, count in _runs(op, ring, middle.height):
        expansion = None
        if op.expand:
            part = op.expand.channels(first * lanes, (first + count) * lanes)
            expansion = _Product(needed[0], *part.packed(context, constants, op.x, lanes=lanes, width=width))
            text = f"{tiles_text(expansion.product)} {kernel.pixels}x{lanes}"
        groups.append(_BlockGroup(first, count, op.filters.packed(constants, lanes, first, first + count), expansion))
    projection = None
    if op.project:
        expanded = groups[0].expansion
        shape = {"width": op.y.width, "rows": min(_shortest(b - a, middle.height) for a, b in strips)}
        shape["pixels"] = expanded.product.register_pixels if expanded else 0
        if copied:
            product = copied_product(constants, op.project.weights, copied, op.project.activation, op.y.blocks, **shape)
            packed = (product[0], copied.table(constants))
        else:
            packed = op.project.packed(context, constants, whole(needed[-1], wide.channels), lanes=op.y.lanes, **shape)
        projection = _Product(needed[-1], *packed)
        text += f" {tiles_text(projection.product)}"
    rows = _Rows(op, kernel, elements, tuple(groups), projection, copied.x.pixel if copied else middle.block)
    return Lowered(([rows.task(a, b) for a, b in strips],), constants, scratch, text)


def _middle(op: InvertedResidual, context: LoweringContext, ring: Tensor) -> tuple[Tensor, ContiguousPixels | None]:
    """The rows that the projection reads, and their layout if the blocks of each pixel are side by side."""
    middle = Tensor(TOGETHER if _gathers_rows(op, context, ring) else 1, op.y.width, ring.lanes, ring.blocks, element=op.middle)
    if op.project and op.middle.dtype == "u8" and op.filters.unit is None:
        contiguous = ContiguousPixels.of(whole(replace(middle, height=TOGETHER), op.wide.channels))
        method = op.project.weights.method(context.isa, ring.lanes, op.y.lanes, deep=DEEP_CONTIGUOUS)
        if method == AMX and len(contiguous.blocks) == ring.blocks > 1:
            return contiguous.tensor, contiguous
    return middle, None


def _gathers_rows(op: InvertedResidual, context: LoweringContext, ring: Tensor) -> bool:
    """Whether rows are projected together: for rings larger than the cache, and for AMX, which then reads weights less often."""
    if not op.project or op.project.weights.dtype == "f32":
        return False
    return bool(op.expand and _ring_parts(ring) > 1) or op.project.weights.method(context.isa, ring.lanes, op.y.lanes) == AMX


def _runs(op: InvertedResidual, ring: Tensor, together: int) -> list[tuple[int, int]]:
    """(first block, blocks) that are expanded and convolved together."""
    if not op.expand:
        return list(op.x.runs())
    return [(a, b - a) for a, b in split(ring.blocks, _ring_parts(ring) if together > 1 else 1)]


def _ring_parts(ring: Tensor) -> int:
    """Into how many parts a ring is divided; one that is hardly larger than the cache stays whole."""
    return max(1, round(ring.size / RING))


def _shortest(rows: int, together: int) -> int:
    """Rows of the last part of a strip."""
    return rows % together or together


class _Product(Value):
    """A pointwise part: what is packed, and the tensor in scratch memory that it writes (expansion) or reads (projection)."""

    tensor: Tensor
    product: PackedProduct
    table: tuple[int, int]


class _BlockGroup(Value):
    """Blocks that are convolved together: the first, how many, addresses of weights and biases, the expansion."""

    first: int
    count: int
    arrays: Addresses
    expansion: _Product | None


class _Rows(Value):
    """Writes the calls of rows.

    ``elements`` are those that the depthwise convolution reads and writes; ``block`` is the distance of blocks in the middle rows,
    which are projected together.
    """

    op: InvertedResidual
    kernel: DepthwiseKernel
    elements: tuple[Element, Element]
    groups: tuple[_BlockGroup, ...]
    projection: _Product | None
    block: int

    def task(self, a: int, b: int) -> Task:
        """Output rows ``a`` to ``b`` - 1."""
        op, g = self.op, self.op.filters.geometry
        expansion, together = self.groups[0].expansion, self.projection.tensor.height if self.projection else 1
        calls = halo_calls(expansion.tensor, 0, g.size) if expansion else []
        expanded = a * g.stride_y - g.leading  # rows before this one are in the ring
        for first in range(a, b, together):
            last = min(first + together, b)
            for group in self.groups:
                calls += self._convolved(group, first, last, expanded)
            expanded = (last - 1) * g.stride_y - g.leading + g.size
            if self.projection:
                calls += self._projected(self.projection, first, last)
        return calls + halo_calls(op.y, a, b)

    def _convolved(self, group: _BlockGroup, first: int, last: int, expanded: int) -> list[Call]:
        """Output rows ``first`` to ``last`` - 1 of the depthwise convolution; rows before ``expanded`` are in the ring."""
        g, calls = self.op.filters.geometry, []
        for y in range(first, last):
            top = y * g.stride_y - g.leading
            if group.expansion:
                for row in range(max(expanded, top), top + g.size):
                    calls += self._expanded(group, group.expansion, row)
                expanded = top + g.size
            calls.append(self._depthwise(group, top, y, y - first))
        return calls

    def _expanded(self, group: _BlockGroup, expansion: _Product, row: int) -> list[Call]:
        """One row of the ring: the expansion of an input row, or zeros outside the input."""
        x, ring = self.op.x, expansion.tensor
        y = ring.at(group.first, row % ring.height)
        if not 0 <= row < x.shape[0]:
            area = {"y": y, "blocks": group.count, "block_y": ring.block, "rows": 1, "vectors": ring.width}
            return [Call(ClearKernel(ring.lanes), area)]
        table, segments = expansion.table
        return expansion.product.calls(x=x.at(0, row), table=table, segments=segments, y=y, block_y=ring.block)

    def _depthwise(self, group: _BlockGroup, top: int, y: int, slot: int) -> Call:
        """Output row ``y`` of the depthwise convolution, middle row ``slot``, from input rows ``top`` on."""
        op, g, first = self.op, self.op.filters.geometry, group.first
        if group.expansion:
            ring = group.expansion.tensor
            sources = [ring.at(first, (top + k) % g.size, -g.leading) for k in range(g.size)]
            block_x = ring.block
        else:
            sources = [op.x.at(first, top + k, -g.leading) for k in range(g.size)]
            block_x = op.x.blocks[first][0].block
        out, row, block_y = (self.projection.tensor, slot, self.block) if self.projection else (op.y, y, op.y.block)
        return depthwise_call(
            self.kernel, group.arrays, sources, out.at(0, row) + first * block_y, width=op.y.width, blocks=group.count,
            block_x=block_x, block_y=block_y, elements=self.elements,
        )  # fmt: skip

    def _projected(self, projection: _Product, first: int, last: int) -> list[Call]:
        """Output rows ``first`` to ``last`` - 1 from the middle rows."""
        op, (table, segments), r = self.op, projection.table, self.op.residual
        residual = Residual(r.at(0, first), r.blocks[0][0].block, r.blocks[0][0].row, r.element) if r else None
        return projection.product.calls(
            x=projection.tensor.at(), table=table, segments=segments, rows=last - first, row_x=projection.tensor.row,
            y=op.y.at(0, first), block_y=op.y.block, row_y=op.y.row, residual=residual, element=op.y.element,
        )  # fmt: skip
