"""An expansion and the depthwise convolution after it, for small tensors.

A few channels at a time are expanded into scratch memory, as float32, and convolved there, in the first-level cache. The projection
is an operation of its own.
"""

from yolodsc.engine.codegen.dtypes import F32
from yolodsc.engine.operations.coefficients import AMX
from yolodsc.engine.operations.depthwise import DepthwiseFilters, Pointwise, depthwise_call
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
from yolodsc.engine.operations.packing import tiles_text
from yolodsc.engine.plan.layout import Tensor, TensorView
from yolodsc.engine.runtime.program import Call, ConstantPool, Task

DEEP_COPIED = 48
"""As `DEEP`, for an expansion that reads its input with the blocks of each pixel side by side."""


class ExpandedDepthwise(TensorOperation, eq=False):
    """Expand and depthwise, a few blocks of channels at a time."""

    expand: Pointwise
    filters: DepthwiseFilters

    @property
    def precision(self) -> str:
        """Of the expansion's products."""
        return PRECISION_NAMES[self.expand.weights.dtype]

    def strided_views(self) -> tuple[TensorView, ...]:
        """The input."""
        return (self.x,)

    def lower(self, context: LoweringContext) -> Lowered:
        """Tasks of block ranges; the expanded tensor of each is in scratch memory."""
        constants = context.constant_pool()
        copied = self._copied(context)
        blocks, threads = self.y.blocks, context.threads
        parts = -(-blocks * self.y.lanes // 32) if threads == 1 else threads * (1 if blocks < 4 * threads else 2)
        ranges = [self._range(context, constants, first, last, copied) for first, last in split(blocks, parts)]
        tasks = [task for task, _, _ in ranges]
        if threads == 1:
            tasks = [[call for task in tasks for call in task]]
        return Lowered((tasks,), constants, max(scratch for _, scratch, _ in ranges), ranges[-1][2])

    def _copied(self, context: LoweringContext) -> ContiguousPixels | None:
        """The copy of the input that the expansion reads, if one is faster."""
        method = self.expand.weights.method(context.isa, self.x.lanes, self.y.lanes, deep=DEEP_COPIED)
        pixels = ContiguousPixels.of(self.x)
        return pixels if method == AMX and pixels.saves(self.y.blocks) else None

    def _range(
        self, context: LoweringContext, constants: ConstantPool, first: int, last: int, copied: ContiguousPixels | None
    ) -> tuple[Task, int, str]:
        """The task for blocks ``first`` to ``last`` - 1, its bytes of scratch memory, its tiles."""
        x, y, g, n = self.x, self.y, self.filters.geometry, self.y.lanes
        height, width = x.shape
        wide = Tensor(height, width, n, last - first, g.halo(height, width, y.height, y.width))
        expand = self.expand.channels(first * n, last * n)
        calls: list[Call] = []
        if copied:
            (copy, wide), scratch = in_scratch(copied.tensor, wide)
            product, _ = copied_product(constants, expand.weights, copied, expand.activation, last - first, width, height)
            table, at, row_x = copied.table(constants), copy.at(), copy.row
            if first == 0 or context.threads > 1:
                calls = copied.calls(at, rows=height, pixels=width)
        else:
            (wide,), scratch = in_scratch(wide)
            product, table = expand.packed(context, constants, x, lanes=n, width=width, rows=height)
            at, row_x = x.at(), x.blocks[0][0].row
        kernel = self.filters.kernel_for(n, y.width, context.isa, F32, y.element, self.expand.limit)
        calls += halo_calls(wide, 0, height)
        calls += product.calls(
            x=at, table=table[0], segments=table[1], y=wide.at(), block_y=wide.block,
            rows=height, row_x=row_x, row_y=wide.row,
        )  # fmt: skip
        arrays = self.filters.packed(constants, n, first, last)
        sources = [wide.at(0, k - g.leading, -g.leading) for k in range(g.size)]
        calls.append(
            depthwise_call(
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
                elements=(F32, y.element),
            )
        )
        return calls + halo_calls(y, 0, y.height, (first, last)), scratch, f"{tiles_text(product)} {kernel.pixels}x{n}"
