"""A convolution and the 2x2 maxpool that is its only reader, strip by strip.

The first layers of a network make its largest tensors. In low precision writing them to memory and reading them again takes longer
than the products; a strip of rows in scratch memory stays in the second-level cache.
"""

from collections.abc import Iterable, Mapping
from typing import Self

from msgspec.structs import replace

from yolodsc.engine.codegen.kernels.pooling import MaxpoolKernel
from yolodsc.engine.codegen.tiles import pixels
from yolodsc.engine.operations.convolution import Convolution, RowTask
from yolodsc.engine.operations.interleaved_first import InterleavedFirst
from yolodsc.engine.operations.operation import Lowered, LoweringContext, Operation, halo_calls, split
from yolodsc.engine.plan.layout import SCRATCH, Buffer, Halo, Tensor, TensorView
from yolodsc.engine.runtime.program import Call, Task

STRIP = 64 * 1024
"""Bytes of the convolution's rows in a strip."""


class PooledConvolution(Operation, eq=False):
    """``convolution``, whose output is never stored, then the maxima of squares of 2 x 2 pixels."""

    convolution: Convolution | InterleavedFirst
    y: Tensor

    @property
    def precision(self) -> str:
        """Of the products."""
        return self.convolution.precision

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """What the convolution reads."""
        return self.convolution.reads

    @property
    def writes(self) -> tuple[Buffer, ...]:
        """The output."""
        return (self.y,)

    def halos(self) -> Iterable[tuple[Tensor, Halo]]:
        """Those of the convolution."""
        return self.convolution.halos()

    def strided_views(self) -> Iterable[TensorView]:
        """Those of the convolution."""
        return self.convolution.strided_views()

    def with_buffers(self, buffers: Mapping[Buffer, Buffer]) -> Self:
        """The same operation on other buffers."""
        y = buffers.get(self.y, self.y)
        return replace(self, convolution=self.convolution.with_buffers(buffers), y=y)

    def lower(self, context: LoweringContext) -> Lowered:
        """One task per strip of rows, the same number for each thread."""
        constants, y = context.constant_pool(), self.y
        count = max(-(-y.height * 2 * self._row * y.blocks // STRIP), context.parts(self.macs, y.height))
        strips = list(split(y.height, count + -count % context.threads))
        task, text = self.convolution.row_tasks(context, constants, 2 * min(b - a for a, b in strips))
        longest = 2 * max(b - a for a, b in strips)
        before = self.convolution.strip_bytes(longest)
        tasks = [self._task(task, before + -before % 64, a, b) for a, b in strips]
        block = self._strip(0, 0, longest).block
        return Lowered((tasks,), constants, before + 64 + y.blocks * block, text)

    @property
    def _row(self) -> int:
        """Bytes of a row of one block of the convolution's output."""
        return self.convolution.y.width * self.convolution.y.pixel

    def _strip(self, offset: int, first: int, rows: int) -> Tensor:
        """The convolution's output as a tensor of ``rows`` rows in scratch memory, whose row number ``first`` is at ``offset``."""
        y = self.convolution.y
        return Tensor(rows, y.width, y.lanes, y.blocks, base=SCRATCH, offset=offset - first * self._row, element=y.element)

    def _task(self, task: RowTask, offset: int, a: int, b: int) -> Task:
        """Output rows ``a`` to ``b`` - 1."""
        y, x = self.y, self._strip(offset, 2 * a, 2 * (b - a))
        kernel = MaxpoolKernel(y.lanes, 2, 2, pixels(y.width, 4), y.element.dtype)
        ends = {"x": x.at(0, 2 * a), "y": y.at(0, a), "blocks": y.blocks, "block_x": x.block, "block_y": y.block}
        walk = {"rows": b - a, "row_x": x.row, "step_x": 2 * x.row, "row_y": y.row}
        pooled = Call(kernel, ends | walk | {"tiles": -(-y.width // kernel.pixels), "tile_last": y.width - kernel.pixels})
        return [*task(x, 2 * a, 2 * b), pooled, *halo_calls(y, a, b)]
