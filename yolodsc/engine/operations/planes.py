"""Between maps and planes: the image in, outputs out, heads, and layers that only the plain path knows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from yolodsc.arrays import Array
from yolodsc.engine.codegen.kernels.copying import LaneKernel
from yolodsc.engine.codegen.kernels.elementwise import AffineKernel, ClearKernel
from yolodsc.engine.operations.operation import MOVE, LoweringContext, Operation, halo_calls, split
from yolodsc.engine.operations.pool import bits
from yolodsc.engine.plan.layout import PlanarTensor, Tensor, TensorView
from yolodsc.engine.runtime.program import Call, Task


@dataclass(eq=False)
class Pack(Operation):
    """A plane to a map, channel by channel; lanes beyond the last channel are zero."""

    x: PlanarTensor
    y: Tensor

    def items(self, site: LoweringContext) -> list[Task]:
        """Strips of rows."""
        y, (channels, height, width) = self.y, self.x.shape
        found: list[Task] = []
        for a, b in split(height, site.parts(self.x.shape.size * MOVE, height)):
            steps: list[Call] = []
            if channels % y.lanes:
                whole = {"y": y.at(y.blocks - 1, a), "blocks": 1, "rows": b - a, "row_y": y.row, "vectors": width}
                steps.append(Call(ClearKernel(y.lanes), whole))
            for channel in range(channels):
                block, lane = divmod(channel, y.lanes)
                ends = {"x": self.x.at(channel, a), "y": y.at(block, a) + 4 * lane, "channels": 1, "rows": b - a}
                walk = {"row_x": width * 4, "row_y": y.row, "pixels": width, "pixel_x": 4, "pixel_y": y.pixel}
                steps.append(Call(LaneKernel(), ends | walk))
            found.append(steps + halo_calls(y, a, b))
        return found


@dataclass(eq=False)
class Unpack(Operation):
    """A view to a plane."""

    x: TensorView
    y: PlanarTensor

    def items(self, site: LoweringContext) -> list[Task]:
        """Runs of channels."""
        channels, height, width = self.y.shape
        places = {c: divmod(k, self.x.lanes) for k, c in enumerate(self.x.channels) if c >= 0}
        found: list[Task] = []
        for a, b in split(channels, site.parts(self.y.shape.size * MOVE, channels)):
            steps = []
            for channel in range(a, b):
                block, lane = places[channel]
                m, _ = self.x.blocks[block]
                ends = {"x": self.x.at(block) + 4 * lane, "y": self.y.at(channel), "channels": 1, "rows": height}
                walk = {"row_x": m.row, "row_y": width * 4, "pixels": width, "pixel_x": m.pixel, "pixel_y": 4}
                steps.append(Call(LaneKernel(), ends | walk))
            found.append(steps)
        return found


@dataclass(frozen=True, slots=True)
class AffineRange:
    """``count`` channels from ``first`` on: what becomes of them."""

    first: int
    count: int
    activation: str = "linear"
    scale: float = 1.0
    shift: float = 0.0


@dataclass(eq=False)
class AffineRanges(Operation):
    """Activation and stretch of runs of channels of a plane: ``[yolo]``."""

    x: PlanarTensor
    y: PlanarTensor
    spans: Sequence[AffineRange]

    def items(self, site: LoweringContext) -> list[Task]:
        """One item a span."""
        _, height, width = self.x.shape
        found: list[Task] = []
        for span in self.spans:
            floats = span.count * height * width
            lanes = next((n for n, _ in site.isa.lane_cost if n <= floats), 1)
            ends = {"x": self.x.at(span.first), "y": self.y.at(span.first), "planes": 1, "rows": 1, "floats": floats}
            step = Call(AffineKernel(lanes, span.activation), ends | {"scale": bits(span.scale), "shift": bits(span.shift)})
            found.append([step])
        return found


@dataclass(eq=False)
class ReferenceOperation(Operation):
    """A layer that no kernel knows: its own reference, between planes, in the calling thread."""

    inputs: tuple[PlanarTensor, ...]
    y: PlanarTensor
    forward: Callable[[Sequence[Array]], Array]

    def items(self, site: LoweringContext) -> list[Task]:
        """None: the runner calls ``forward``."""
        return []
