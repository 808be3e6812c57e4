"""Pools, sums, products, upsampling: one pass over a tensor each."""

import itertools
from typing import Literal

from yolodsc.engine.codegen.dtypes import bits
from yolodsc.engine.codegen.kernels.copying import UpsampleKernel
from yolodsc.engine.codegen.kernels.elementwise import PairKernel
from yolodsc.engine.codegen.kernels.pooling import AverageKernel, MaxpoolKernel, WindowKernel
from yolodsc.engine.codegen.tiles import pixels
from yolodsc.engine.operations.operation import Lowered, LoweringContext, TensorOperation, halo_calls, split
from yolodsc.engine.plan.layout import Buffer, TensorView, tensors_of
from yolodsc.engine.runtime.program import Call, Task
from yolodsc.values import Value

PASS = 8
"""Multiply-adds in the time in which a number is read and written."""

Binary = Literal["add", "multiply", "gate", "copy"]


def pieces(context: LoweringContext, view: TensorView, rows: int, work: int) -> list[tuple[int, int, int, int]]:
    """(first block, count, first row, last row + 1) of the pieces of a tensor; ``work`` in multiply-adds."""
    parts = context.parts(work, rows * len(view.blocks))
    across = min(parts, len(view.blocks))
    cut = []
    for first, count in view.runs():
        for a, b in split(count, max(1, across * count // len(view.blocks))):
            cut += [(first + a, b - a, top, end) for top, end in split(rows, -(-parts // across))]
    return cut


class Windows(Value):
    """A pool's windows: ``shift`` is how far the first one begins outside the input."""

    size: int
    stride_y: int
    stride_x: int
    shift: int


class Maxpool(TensorOperation, eq=False):
    """Largest value of each window; windows that cross the edge are clipped."""

    windows: Windows

    def lower(self, context: LoweringContext) -> Lowered:
        """Tasks of runs of blocks times strips of rows."""
        y = self.y
        work = y.height * y.width * len(self.x.blocks) * y.lanes * (self.windows.size**2 * 3 // 2 + PASS)
        tasks = [
            [*self._calls(first, count, top, end), *halo_calls(y, top, end, (first, first + count))]
            for first, count, top, end in pieces(context, self.x, y.height, work)
        ]
        return Lowered((tasks,), context.constant_pool())

    def _calls(self, first: int, count: int, top: int, end: int) -> list[Call]:
        w, (height, width) = self.windows, self.x.shape
        if w.shift or w.stride_x != w.stride_y or w.size > 3:
            return [self._window(first, count, top, end, 0, self.y.width)]
        inside_y = min(end, (height - w.size) // w.stride_y + 1) if height >= w.size else top
        inside_x = min(self.y.width, (width - w.size) // w.stride_x + 1) if width >= w.size else 0
        calls = []
        if inside_y > top and inside_x > 0:
            calls.append(self._inner(first, count, top, inside_y, inside_x))
            if inside_x < self.y.width:
                calls.append(self._window(first, count, top, inside_y, inside_x, self.y.width))
        else:
            inside_y = top
        if inside_y < end:
            calls.append(self._window(first, count, inside_y, end, 0, self.y.width))
        return calls

    def _inner(self, first: int, count: int, top: int, end: int, width: int) -> Call:
        x, y, w = self.x, self.y, self.windows
        tensor = x.blocks[first][0]
        kernel = MaxpoolKernel(y.lanes, w.size, w.stride_x, pixels(width, 4), y.element.dtype)
        ends = {"x": x.at(first, top * w.stride_y), "y": y.at(first, top), "blocks": count, "block_x": tensor.block}
        strides = {"block_y": y.block, "rows": end - top, "row_x": tensor.row, "step_x": tensor.row * w.stride_y, "row_y": y.row}
        return Call(kernel, ends | strides | {"tiles": -(-width // kernel.pixels), "tile_last": width - kernel.pixels})

    def _window(self, first: int, count: int, top: int, end: int, left: int, right: int) -> Call:
        x, y, w, (height, width) = self.x, self.y, self.windows, self.x.shape
        tensor = x.blocks[first][0]
        arguments = {
            "x": x.at(first), "y": y.at(first, top, left), "blocks": count, "block_x": tensor.block, "block_y": y.block,
            "row_x": tensor.row, "row_y": y.row, "first_row": top, "rows": end - top, "first_column": left, "columns": right - left,
            "height": height, "width": width, "size_y": w.size, "size_x": w.size, "stride_y": w.stride_y,
            "stride_x": w.stride_x, "shift_y": w.shift, "shift_x": w.shift,
        }  # fmt: skip
        return Call(WindowKernel(y.lanes, y.element.dtype), arguments)


class Elementwise(TensorOperation, eq=False):
    """Sum or product of two tensors, a tensor times gates, or a copy; then an activation."""

    r: TensorView | None
    operation: Binary
    activation: str

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """The inputs."""
        return tensors_of(self.x, self.r)

    def lower(self, context: LoweringContext) -> Lowered:
        """Tasks of runs of blocks times strips of rows."""
        y = self.y
        r = self.r.dtype if self.r else "f32"
        kernel = PairKernel(y.lanes, self.operation, self.activation, self.x.dtype, r, y.element.dtype)
        work = y.height * y.width * y.blocks * y.lanes * PASS
        tasks: list[Task] = []
        for first, count, top, end in pieces(context, self.x, y.height, work):
            calls = [self._call(kernel, a, b - a, top, end) for a, b in self._runs(first, first + count)]
            tasks.append([*calls, *halo_calls(y, top, end, (first, first + count))])
        return Lowered((tasks,), context.constant_pool())

    def _runs(self, start: int, end: int) -> list[tuple[int, int]]:
        """Parts of blocks ``start`` to ``end`` - 1 that lie in one tensor of ``r`` too."""
        if self.r is None:
            return [(start, end)]
        cuts = {start, end} | {first for first, _ in self.r.runs() if start < first < end}
        ordered = sorted(cuts)
        return list(itertools.pairwise(ordered))

    def _call(self, kernel: PairKernel, first: int, count: int, top: int, end: int) -> Call:
        x, r, y = self.x, self.r, self.y
        tensor = x.blocks[first][0]
        arguments = {
            "x": x.at(first, top), "y": y.at(first, top), "blocks": count, "block_x": tensor.block, "block_y": y.block,
            "rows": end - top, "row_x": tensor.row, "row_y": y.row, "pixels": y.width,
            **x.element.read_as("x"), **y.element.written_as("y"),
        }  # fmt: skip
        if r is not None:
            other = r.blocks[first][0]
            gate = self.operation == "gate"
            arguments |= {"r": r.at(first, 0 if gate else top), "block_r": other.block, "row_r": 0 if gate else other.row}
            arguments |= r.element.read_as("r")
        return Call(kernel, arguments)


class Upsample(TensorOperation, eq=False):
    """Every pixel becomes a square of pixels."""

    factor: int

    def lower(self, context: LoweringContext) -> Lowered:
        """Tasks of runs of blocks times strips of input rows."""
        x, y, s = self.x, self.y, self.factor
        height, width = x.shape
        tasks: list[Task] = []
        for first, count, top, end in pieces(context, x, height, y.height * y.width * y.blocks * y.lanes * PASS // 2):
            tensor = x.blocks[first][0]
            ends = {"x": x.at(first, top), "y": y.at(first, top * s), "blocks": count, "block_x": tensor.block, "block_y": y.block}
            walk = {"rows": end - top, "row_x": tensor.row, "row_y": y.row, "pixels": width}
            call = Call(UpsampleKernel(y.pixel // 4, s), ends | walk)
            tasks.append([call, *halo_calls(y, top * s, end * s, (first, first + count))])
        return Lowered((tasks,), context.constant_pool())


class GlobalAveragePool(TensorOperation, eq=False):
    """The mean of every channel."""

    def lower(self, context: LoweringContext) -> Lowered:
        """Tasks of runs of blocks."""
        x, y = self.x, self.y
        height, width = x.shape
        tasks: list[Task] = []
        for first, count in x.runs():
            parts = context.parts(height * width * count * y.lanes, count)
            for a, b in split(count, parts):
                tensor = x.blocks[first + a][0]
                ends = {"x": x.at(first + a), "y": y.at(first + a), "blocks": b - a, "block_x": tensor.block, "block_y": y.block}
                walk = {"rows": height, "row_x": tensor.row, "pixels": width, "scale": bits(1 / (height * width))}
                walk |= x.element.read_as("x") | y.element.written_as("y")
                halo = halo_calls(y, 0, 1, (first + a, first + b))
                tasks.append([Call(AverageKernel(y.lanes, x.dtype, y.element.dtype), ends | walk), *halo])
        return Lowered((tasks,), context.constant_pool())
