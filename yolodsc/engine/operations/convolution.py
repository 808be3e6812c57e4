"""Regular convolutions without im2col: pointwise over flattened tensors, k x k through a table of taps.

Pointwise layers between tensors without halos run over the whole tensor as one row, so that no tile is wasted at the ends of rows.
"""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from yolodsc.engine.codegen.amx_tiles import Contraction, amx_tiles
from yolodsc.engine.codegen.tiles import Tile, tiles
from yolodsc.engine.operations.coefficients import AMX, DEEP, Coefficients, channel_group
from yolodsc.engine.operations.layouts.contiguous import ContiguousPixels, copied_product
from yolodsc.engine.operations.operation import (
    PRECISION_NAMES,
    Lowered,
    LoweringContext,
    TensorOperation,
    halo_calls,
    split,
    strips,
)
from yolodsc.engine.operations.packing import CHANNEL_GROUP, PackedProduct, Residual, contraction, pack, row_groups, segment_table
from yolodsc.engine.plan.layout import SCRATCH, Buffer, Halo, Tensor, TensorView, tagged_address, tensors_of
from yolodsc.engine.runtime.program import ConstantPool, Task
from yolodsc.values import Value


class Geometry(Value):
    """Size, strides, padding and dilation of a convolution."""

    size: int = 1
    stride_y: int = 1
    stride_x: int = 1
    padding: int = 0
    dilation: int = 1

    @property
    def leading(self) -> int:
        """Pixels of zeros above and to the left; AlexeyAB pads by padding times dilation."""
        return self.padding * self.dilation

    def halo(self, height: int, width: int, out_height: int, out_width: int) -> Halo:
        """The zeros that the taps of all outputs need around an input of ``height`` x ``width``."""
        window = (self.size - 1) * self.dilation + 1
        below = (out_height - 1) * self.stride_y + window - self.leading - height
        right = (out_width - 1) * self.stride_x + window - self.leading - width
        return Halo(self.leading, self.leading, max(0, below), max(0, right))

    def halos(self, x: TensorView, y: Tensor) -> list[tuple[Tensor, Halo]]:
        """The halo that each tensor of the input ``x`` needs for the output ``y``."""
        halo = self.halo(*x.shape, y.height, y.width)
        return [(tensor, halo) for tensor in x.tensors]

    def columns(self, method: str) -> int:
        """Taps of a row that an instruction contracts together: AMX reads neighbouring pixels of a block."""
        return self.size if method == AMX and self.dilation == 1 else 1

    def taps(self) -> list[tuple[int, int]]:
        """(row, column) of each tap from the top left pixel of its window."""
        return [(y * self.dilation, x * self.dilation) for y in range(self.size) for x in range(self.size)]


RowTask = Callable[[Tensor, int, int], Task]
"""``task(y, a, b)``: the calls that write rows ``a`` to ``b`` - 1 of ``y``."""


class _Chunk(Value):
    """Output blocks ``first`` to ``last`` - 1: their weights and table; ``pixels`` if the product reads a copy of the input."""

    first: int
    last: int
    product: PackedProduct
    table: tuple[int, int]
    pixels: ContiguousPixels | None = None


class Convolution(TensorOperation, eq=False):
    """One group of a convolution: all channels of a view to ``blocks`` of a tensor, activation and residual included.

    Attributes
    ----------
    blocks
        First and last + 1 output block; (0, 0): all.
    """

    weights: Coefficients
    geometry: Geometry
    activation: str
    residual: TensorView | None = None
    blocks: tuple[int, int] = (0, 0)

    @property
    def precision(self) -> str:
        """Of the products."""
        return PRECISION_NAMES[self.weights.dtype]

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """The input and the residual."""
        return tensors_of(self.x, self.residual)

    def halos(self) -> Iterable[tuple[Tensor, Halo]]:
        """The input's, for the taps."""
        return self.geometry.halos(self.x, self.y)

    def strided_views(self) -> Iterable[TensorView]:
        """The input."""
        return (self.x,)

    def lower(self, context: LoweringContext) -> Lowered:
        """Tasks by rows, or by output channels if the weights are larger than the input."""
        constants = context.constant_pool()
        first, last = self._blocks
        if self.weights.kernel.nbytes <= self._input_bytes() or context.threads == 1:
            tasks, scratch, chosen = self._tasks(context, constants, first, last, context.parts(self.macs, self.y.height))
            return Lowered((tasks,), constants, scratch, self._text(chosen))
        tasks, largest = [], 0
        for a, b in split(last - first, context.parts(self.macs, last - first)):
            part, scratch, chosen = self._tasks(context, constants, first + a, first + b, 1)
            tasks += part
            largest = max(largest, scratch)
        return Lowered((tasks,), constants, largest, self._text(chosen))

    @property
    def _blocks(self) -> tuple[int, int]:
        return (0, self.y.blocks) if self.blocks == (0, 0) else self.blocks

    def _text(self, chosen: tuple[Tile, ...]) -> str:
        return " ".join(f"{t.pixels}x{t.vectors}x{self.y.lanes}" for t in chosen)

    def _tasks(
        self, context: LoweringContext, constants: ConstantPool, first: int, last: int, parts: int
    ) -> tuple[list[Task], int, tuple[Tile, ...]]:
        """Tasks for output blocks ``first`` to ``last`` - 1, their scratch memory, their tiles."""
        x, y = self.x, self.y
        copied = self._copied(context, last - first)
        if self._flattened():
            width = y.height * y.width
            chunk, chosen = self._chunk(context, constants, first, last, width, copied=copied)
            tasks, pixels = self._flattened_tasks(chunk, width, parts)
            return tasks, copied.pixel * pixels if copied else 0, chosen
        ranges = strips(y.height, x.blocks[0][0].row * len(x.blocks) * self.geometry.stride_y, parts)
        chunk, chosen = self._chunk(context, constants, first, last, y.width, min(b - a for a, b in ranges), copied)
        scratch = copied.pixel * y.width * max(b - a for a, b in ranges) if copied else 0
        return [self._rows(chunk, a, b) + halo_calls(y, a, b, (first, last)) for a, b in ranges], scratch, chosen

    def _copied(self, context: LoweringContext, blocks: int) -> ContiguousPixels | None:
        """The copy of the input that a pointwise product for so many output blocks reads, if one is faster."""
        method = self.weights.method(context.isa, self.x.lanes, self.y.lanes, deep=DEEP // 2)
        if method != AMX or self.geometry != Geometry():
            return None
        pixels = ContiguousPixels.of(self.x)
        return pixels if pixels.saves(blocks) else None

    def row_tasks(self, context: LoweringContext, constants: ConstantPool, shortest: int) -> tuple[RowTask, str]:
        """Code that writes the calls for rows ``a`` to ``b`` - 1 of a tensor like the output, ``shortest`` rows at least."""
        chunk, chosen = self._chunk(context, constants, 0, self.y.blocks, self.y.width, shortest)
        return lambda y, a, b: replace(self, y=y)._rows(chunk, a, b), self._text(chosen)

    def strip_bytes(self, _: int) -> int:
        """Scratch memory of that many rows."""
        return 0

    def _chunk(
        self,
        context: LoweringContext,
        constants: ConstantPool,
        first: int,
        last: int,
        width: int,
        shortest: int = 1,
        copied: ContiguousPixels | None = None,
    ) -> tuple[_Chunk, tuple[Tile, ...]]:
        """Weights and table for rows of ``width`` pixels, and the tiles."""
        n, x, g = self.y.lanes, self.x, self.geometry
        begin = (first - self._blocks[0]) * n
        weights = self.weights.filters(begin, begin + (last - first) * n)
        if copied:
            product, chosen = copied_product(constants, weights, copied, self.activation, last - first, width, shortest)
            return _Chunk(first, last, product, copied.table(constants), copied), chosen
        method = weights.method(context.isa, x.lanes, n, deep=DEEP // 2)
        unroll, columns = channel_group(method, CHANNEL_GROUP), g.columns(method)
        each = row_groups(columns, x.pixel) if columns > 1 else 1
        contractions = len(g.taps()) // columns * each * len(x.blocks)
        amx = Contraction(contractions, columns * x.pixel // each, shortest) if method == AMX else None
        chosen = amx_tiles(amx, last - first, width) if amx else tiles(context.isa, n, last - first, width)
        product = pack(
            constants, weights, lambda kernel: contraction(x, kernel, unroll, columns), chosen, lanes=n,
            stride=g.stride_x * x.pixel, unroll=unroll * columns // each, activation=self.activation, width=width, method=method,
        )  # fmt: skip
        return _Chunk(first, last, product, segment_table(constants, x, g.taps(), unroll, columns)), chosen

    def _rows(self, chunk: _Chunk, a: int, b: int) -> Task:
        """Output rows ``a`` to ``b`` - 1."""
        g, x, y = self.geometry, self.x, self.y
        if chunk.pixels:
            calls = chunk.pixels.calls(tagged_address(SCRATCH, 0), row=a, rows=b - a, pixels=y.width)
            return calls + chunk.product.calls(
                x=tagged_address(SCRATCH, 0), table=chunk.table[0], segments=chunk.table[1],
                y=y.at(chunk.first, a), block_y=y.block, rows=b - a, row_x=y.width * chunk.pixels.pixel, row_y=y.row,
                residual=self._residual(chunk.first, a, 0), element=y.element,
            )  # fmt: skip
        return chunk.product.calls(
            x=x.at(0, a * g.stride_y - g.leading, -g.leading), table=chunk.table[0], segments=chunk.table[1],
            y=y.at(chunk.first, a), block_y=y.block, rows=b - a, row_x=x.blocks[0][0].row * g.stride_y, row_y=y.row,
            residual=self._residual(chunk.first, a, 0), element=y.element,
        )  # fmt: skip

    def _flattened_tasks(self, chunk: _Chunk, width: int, parts: int) -> tuple[list[Task], int]:
        """The flattened tensor in ranges of whole tiles; pixels of the longest."""
        x, y = self.x, self.y
        pixels = max(part.tile.pixels for part in chunk.product.parts)
        tasks: list[Task] = []
        longest = 0
        for a, b in strips(-(-width // pixels), pixels * x.pixel * len(x.blocks), parts):
            end = min(b * pixels, width)
            start = min(a * pixels, end - pixels)
            address, calls = x.at() + start * x.pixel, []
            if chunk.pixels:
                address = tagged_address(SCRATCH, 0)
                calls = chunk.pixels.calls(address, pixel=start, pixels=end - start)
            longest = max(longest, end - start)
            calls += chunk.product.calls(
                x=address, table=chunk.table[0], segments=chunk.table[1],
                y=y.at(chunk.first) + start * y.pixel, block_y=y.block, width=end - start,
                residual=self._residual(chunk.first, 0, start), element=y.element,
            )  # fmt: skip
            tasks.append(calls)
        return tasks, longest

    def _residual(self, first: int, row: int, pixel: int) -> Residual | None:
        if self.residual is None:
            return None
        tensor, _ = self.residual.blocks[0]
        return Residual(self.residual.at(first, row) + pixel * tensor.pixel, tensor.block, tensor.row, tensor.element)

    def _flattened(self) -> bool:
        """Whether all tensors are one row of pixels each."""
        tensors = (*tensors_of(self.x, self.residual), self.y)
        return self.geometry == Geometry() and not any(tensor.halo for tensor in tensors)

    def _input_bytes(self) -> int:
        height, width = self.x.shape
        return height * width * self.x.pixel * len(self.x.blocks)
