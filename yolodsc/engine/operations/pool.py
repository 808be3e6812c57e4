"""Pools, sums, products, upsampling: one pass over a map each."""

import itertools
import struct
from dataclasses import dataclass
from typing import Literal

from yolodsc.engine.codegen.kernels.copying import UpsampleKernel
from yolodsc.engine.codegen.kernels.elementwise import PairKernel
from yolodsc.engine.codegen.kernels.pooling import AverageKernel, MaxpoolKernel, WindowKernel
from yolodsc.engine.codegen.tiles import pixels
from yolodsc.engine.operations.operation import LoweringContext, Operation, halo_calls, split
from yolodsc.engine.plan.layout import Tensor, TensorView
from yolodsc.engine.runtime.program import Call, Task

PASS = 8
"""Multiply-adds in the time in which a number is read and written."""

Binary = Literal["add", "multiply", "gate", "copy"]


def bits(number: float) -> int:
    """A float32's bits, as arguments carry them."""
    return int(struct.unpack("<I", struct.pack("<f", number))[0])


def pieces(site: LoweringContext, view: TensorView, rows: int, work: int) -> list[tuple[int, int, int, int]]:
    """(first block, count, first row, last row) of pieces of a map for elementwise ``work`` (counted like multiply-adds)."""
    parts = site.parts(work, rows * len(view.blocks))
    across = min(parts, len(view.blocks))
    found = []
    for first, count in view.runs():
        for a, b in split(count, max(1, across * count // len(view.blocks))):
            found += [(first + a, b - a, top, end) for top, end in split(rows, -(-parts // across))]
    return found


@dataclass(frozen=True, slots=True)
class Windows:
    """A pool's windows: ``shift`` is how far the first one begins outside the map."""

    size: int
    stride_y: int
    stride_x: int
    shift: int


@dataclass(eq=False)
class Maxpool(Operation):
    """Largest value of each window; windows that cross the edge go through the kernel that cuts them off."""

    x: TensorView
    y: Tensor
    windows: Windows

    def items(self, site: LoweringContext) -> list[Task]:
        """Runs of blocks times strips of rows."""
        y = self.y
        work = y.height * y.width * len(self.x.blocks) * y.lanes * (self.windows.size**2 * 3 // 2 + PASS)
        return [
            [*self._steps(first, count, top, end), *halo_calls(y, top, end, (first, first + count))]
            for first, count, top, end in pieces(site, self.x, y.height, work)
        ]

    def _steps(self, first: int, count: int, top: int, end: int) -> list[Call]:
        w, (height, width) = self.windows, self.x.shape
        if w.shift or w.stride_x != w.stride_y or w.size > 3:
            return [self._window(first, count, top, end, 0, self.y.width)]
        inside_y = min(end, (height - w.size) // w.stride_y + 1) if height >= w.size else top
        inside_x = min(self.y.width, (width - w.size) // w.stride_x + 1) if width >= w.size else 0
        steps = []
        if inside_y > top and inside_x > 0:
            steps.append(self._inner(first, count, top, inside_y, inside_x))
            if inside_x < self.y.width:
                steps.append(self._window(first, count, top, inside_y, inside_x, self.y.width))
        else:
            inside_y = top
        if inside_y < end:
            steps.append(self._window(first, count, inside_y, end, 0, self.y.width))
        return steps

    def _inner(self, first: int, count: int, top: int, end: int, width: int) -> Call:
        x, y, w = self.x, self.y, self.windows
        m = x.blocks[first][0]
        kernel = MaxpoolKernel(y.lanes, w.size, w.stride_x, pixels(width, 4))
        where = {"x": x.at(first, top * w.stride_y), "y": y.at(first, top), "blocks": count, "block_x": m.block}
        strides = {"block_y": y.block, "rows": end - top, "row_x": m.row, "step_x": m.row * w.stride_y, "row_y": y.row}
        return Call(kernel, where | strides | {"tiles": -(-width // kernel.pixels), "tile_last": width - kernel.pixels})

    def _window(self, first: int, count: int, top: int, end: int, left: int, right: int) -> Call:
        x, y, w, (height, width) = self.x, self.y, self.windows, self.x.shape
        m = x.blocks[first][0]
        arguments = {
            "x": x.at(first), "y": y.at(first, top, left), "blocks": count, "block_x": m.block, "block_y": y.block,
            "row_x": m.row, "row_y": y.row, "first_row": top, "rows": end - top, "first_column": left, "columns": right - left,
            "height": height, "width": width, "size_y": w.size, "size_x": w.size, "stride_y": w.stride_y,
            "stride_x": w.stride_x, "shift_y": w.shift, "shift_x": w.shift,
        }  # fmt: skip
        return Call(WindowKernel(y.lanes), arguments)


@dataclass(eq=False)
class Elementwise(Operation):
    """Sum or product of two maps, a map times gates, or a copy; then an activation."""

    x: TensorView
    r: TensorView | None
    y: Tensor
    operation: Binary
    activation: str

    def items(self, site: LoweringContext) -> list[Task]:
        """Runs of blocks times strips of rows."""
        y = self.y
        kernel = PairKernel(y.lanes, self.operation, self.activation)
        work = y.height * y.width * y.blocks * y.lanes * PASS
        found: list[Task] = []
        for first, count, top, end in pieces(site, self.x, y.height, work):
            steps = [self._step(kernel, a, b - a, top, end) for a, b in self._runs(first, first + count)]
            found.append([*steps, *halo_calls(y, top, end, (first, first + count))])
        return found

    def _runs(self, start: int, end: int) -> list[tuple[int, int]]:
        """Parts of blocks ``start`` to ``end`` - 1 that lie in one map of ``r`` too."""
        if self.r is None:
            return [(start, end)]
        cuts = {start, end} | {first for first, _ in self.r.runs() if start < first < end}
        ordered = sorted(cuts)
        return list(itertools.pairwise(ordered))

    def _step(self, kernel: PairKernel, first: int, count: int, top: int, end: int) -> Call:
        x, r, y = self.x, self.r, self.y
        m = x.blocks[first][0]
        arguments = {
            "x": x.at(first, top), "y": y.at(first, top), "blocks": count, "block_x": m.block, "block_y": y.block,
            "rows": end - top, "row_x": m.row, "row_y": y.row, "pixels": y.width,
        }  # fmt: skip
        if r is not None:
            other = r.blocks[first][0]
            gate = self.operation == "gate"
            arguments |= {"r": r.at(first, 0 if gate else top), "block_r": other.block, "row_r": 0 if gate else other.row}
        return Call(kernel, arguments)


@dataclass(eq=False)
class Upsample(Operation):
    """Every pixel becomes a square of pixels."""

    x: TensorView
    y: Tensor
    factor: int

    def items(self, site: LoweringContext) -> list[Task]:
        """Runs of blocks times strips of input rows."""
        x, y, s = self.x, self.y, self.factor
        height, width = x.shape
        found: list[Task] = []
        for first, count, top, end in pieces(site, x, height, y.height * y.width * y.blocks * y.lanes * PASS // 2):
            m = x.blocks[first][0]
            where = {"x": x.at(first, top), "y": y.at(first, top * s), "blocks": count, "block_x": m.block, "block_y": y.block}
            walk = {"rows": end - top, "row_x": m.row, "row_y": y.row, "pixels": width}
            step = Call(UpsampleKernel(y.lanes, s), where | walk)
            found.append([step, *halo_calls(y, top * s, end * s, (first, first + count))])
        return found


@dataclass(eq=False)
class GlobalAveragePool(Operation):
    """The mean of every channel."""

    x: TensorView
    y: Tensor

    def items(self, site: LoweringContext) -> list[Task]:
        """Runs of blocks."""
        x, y = self.x, self.y
        height, width = x.shape
        found: list[Task] = []
        for first, count in x.runs():
            parts = site.parts(height * width * count * y.lanes, count)
            for a, b in split(count, parts):
                m = x.blocks[first + a][0]
                where = {"x": x.at(first + a), "y": y.at(first + a), "blocks": b - a, "block_x": m.block, "block_y": y.block}
                walk = {"rows": height, "row_x": m.row, "pixels": width, "scale": bits(1 / (height * width))}
                margins = halo_calls(y, 0, 1, (first + a, first + b))
                found.append([Call(AverageKernel(y.lanes), where | walk), *margins])
        return found
