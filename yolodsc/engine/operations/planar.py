"""Between blocked and planar tensors: the image, the outputs, detection heads, and layers that run on their reference."""

from collections.abc import Callable, Sequence

from yolodsc.arrays import Array
from yolodsc.engine.codegen.dtypes import bits
from yolodsc.engine.codegen.kernels.copying import LaneKernel
from yolodsc.engine.codegen.kernels.elementwise import AffineKernel, ClearKernel
from yolodsc.engine.codegen.kernels.transposition import TransposeKernel
from yolodsc.engine.operations.operation import MOVE, Lowered, LoweringContext, Operation, PlanarOperation, halo_calls, split
from yolodsc.engine.plan.layout import Buffer, PlanarTensor, Tensor, TensorView, tensors_of
from yolodsc.engine.runtime.program import Call, Task
from yolodsc.values import Value


class Pack(PlanarOperation, eq=False):
    """A planar tensor to a blocked one, channel by channel; lanes beyond the last channel are zero."""

    y: Tensor

    def lower(self, context: LoweringContext) -> Lowered:
        """Tasks of strips of rows."""
        y, (channels, height, width) = self.y, self.x.shape
        tasks: list[Task] = []
        for a, b in split(height, context.parts(self.x.shape.size * MOVE, height)):
            calls: list[Call] = []
            if channels % y.lanes:
                last = {"y": y.at(y.blocks - 1, a), "blocks": 1, "rows": b - a, "row_y": y.row, "vectors": width}
                calls.append(Call(ClearKernel(y.pixel // 4), last | {"value": y.element.fill}))
            for channel in range(channels):
                block, lane = divmod(channel, y.lanes)
                ends = {"x": self.x.at(channel, a), "y": y.at(block, a) + y.element.size * lane, "channels": 1}
                walk = {"row_x": width * 4, "row_y": y.row, "pixels": width, "pixel_x": 4, "pixel_y": y.pixel, "rows": b - a}
                calls.append(Call(LaneKernel(y=y.element.dtype), ends | walk | y.element.written_as("y")))
            tasks.append(calls + halo_calls(y, a, b))
        return Lowered((tasks,), context.constant_pool())


class Unpack(Operation, eq=False):
    """A view to a planar tensor."""

    x: TensorView
    y: PlanarTensor

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """The input."""
        return tensors_of(self.x)

    @property
    def writes(self) -> tuple[Buffer, ...]:
        """The output."""
        return (self.y,)

    def lower(self, context: LoweringContext) -> Lowered:
        """Tasks of channel ranges."""
        channels, height, width = self.y.shape
        if tuple(self.x.channels[:channels]) == tuple(range(channels)) and self._row[1] >= self.x.lanes:
            return self._transposed(context)
        positions = {c: divmod(k, self.x.lanes) for k, c in enumerate(self.x.channels) if c >= 0}
        tasks: list[Task] = []
        for a, b in split(channels, context.parts(self.y.shape.size * MOVE, channels)):
            calls = []
            for channel in range(a, b):
                block, lane = positions[channel]
                tensor, _ = self.x.blocks[block]
                element = tensor.element
                ends = {"x": self.x.at(block) + element.size * lane, "y": self.y.at(channel), "channels": 1, "rows": height}
                walk = {"row_x": tensor.row, "row_y": width * 4, "pixels": width, "pixel_x": tensor.pixel, "pixel_y": 4}
                calls.append(Call(LaneKernel(x=element.dtype), ends | walk | element.read_as("x")))
            tasks.append(calls)
        return Lowered((tasks,), context.constant_pool())

    @property
    def _row(self) -> tuple[int, int]:
        """Rows and pixels of a row; tensors without halos are one row."""
        _, height, width = self.y.shape
        return (height, width) if any(tensor.halo for tensor in self.x.tensors) else (1, height * width)

    def _transposed(self, context: LoweringContext) -> Lowered:
        """Tasks of block ranges, if channels are in order and a row holds a square of pixels."""
        channels, height, width = self.y.shape
        x, n, (rows, pixels) = self.x, self.x.lanes, self._row
        blocks = -(-channels // n)
        tasks: list[Task] = []
        for a, b in split(blocks, context.parts(self.y.shape.size * MOVE, blocks)):
            calls = []
            for block in range(a, b):
                kernel = TransposeKernel(n, min(n, channels - block * n), x.dtype)
                ends = {"x": x.at(block), "y": self.y.at(block * n), "channel_y": height * width * 4, "rows": rows}
                walk = {"row_x": x.blocks[block][0].row, "row_y": width * 4, "pixels": pixels}
                calls.append(Call(kernel, ends | walk | x.blocks[block][0].element.read_as("x")))
            tasks.append(calls)
        return Lowered((tasks,), context.constant_pool())


class AffineRange(Value):
    """``count`` channels starting with ``first``: activation, then scale and shift."""

    first: int
    count: int
    activation: str = "linear"
    scale: float = 1.0
    shift: float = 0.0


class AffineRanges(PlanarOperation, eq=False):
    """Activation, scale and shift of channel ranges of a planar tensor: ``[yolo]``."""

    y: PlanarTensor
    ranges: tuple[AffineRange, ...]

    def lower(self, context: LoweringContext) -> Lowered:
        """One task per range."""
        _, height, width = self.x.shape
        tasks: list[Task] = []
        for part in self.ranges:
            floats = part.count * height * width
            lanes = next((n for n, _ in context.isa.lane_cost if n <= floats), 1)
            ends = {"x": self.x.at(part.first), "y": self.y.at(part.first), "channels": 1, "rows": 1, "floats": floats}
            call = Call(AffineKernel(lanes, part.activation), ends | {"scale": bits(part.scale), "shift": bits(part.shift)})
            tasks.append([call])
        return Lowered((tasks,), context.constant_pool())


class ReferenceOperation(Operation, eq=False):
    """A layer without kernels: its reference implementation on planar tensors, in the calling thread."""

    inputs: tuple[PlanarTensor, ...]
    y: PlanarTensor
    forward: Callable[[Sequence[Array]], Array]

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """The inputs."""
        return self.inputs

    @property
    def writes(self) -> tuple[Buffer, ...]:
        """The output."""
        return (self.y,)

    def lower(self, context: LoweringContext) -> Lowered:
        """No calls: the runner calls ``forward``."""
        return Lowered((), context.constant_pool())
