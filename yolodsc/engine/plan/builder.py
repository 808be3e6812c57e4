"""Where outputs lie while a plan is being made: views and planes by layer, and the plan so far.

Views of outputs are made as readers ask for them, and conversions appear only where a reader wants another layout. Addresses come
later (`arena`), so that margins may still grow when a later reader needs them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from yolodsc.arrays import Shape
from yolodsc.engine.operations.operation import Operation, maps
from yolodsc.engine.operations.planes import Pack, Unpack
from yolodsc.engine.plan.graph import LayerGraph
from yolodsc.engine.plan.layout import INPUT_BASE, PlanarTensor, Tensor, TensorView, whole
from yolodsc.jit import Isa
from yolodsc.network import INPUT_INDEX, Network


@dataclass
class Plan:
    """Operations in order, and the planes that hold the outputs afterwards."""

    image: PlanarTensor
    operations: list[Operation] = field(default_factory=list)
    outputs: dict[int, PlanarTensor] = field(default_factory=dict)


class PlanBuilder:
    """A plan in the making."""

    def __init__(self, network: Network, outputs: Sequence[int], isa: Isa) -> None:
        self.network = network
        self.graph = LayerGraph(network, outputs)
        self.lanes = self.graph.lanes(isa)
        self.plan = Plan(PlanarTensor(network.input_shape, INPUT_BASE))
        self.views: dict[int, TensorView] = {}
        self.planes: dict[int, PlanarTensor] = {INPUT_INDEX: self.plan.image}
        self.walked: list[TensorView] = []
        self.emitted: set[int] = set()

    def view(self, index: int) -> TensorView:
        """A layer's output in blocks."""
        if index not in self.views:
            x = self.planes[index]
            y = self.map(index, x.shape)
            self.add(Pack("pack", (index,), 0, (x,), (y,), x, y))
            self.views[index] = whole(y, x.shape.channels)
        return self.views[index]

    def plane(self, index: int) -> PlanarTensor:
        """A layer's output as a plane."""
        if index not in self.planes:
            x = self.views[index]
            y = PlanarTensor(self.shape(index))
            self.add(Unpack("unpack", (index,), 0, maps(x), (y,), x, y))
            self.planes[index] = y
        return self.planes[index]

    def walk(self, view: TensorView) -> TensorView:
        """A view that is read with one stride for all its maps."""
        self.walked.append(view)
        return view

    def shape(self, index: int) -> Shape:
        """Of a layer's output, or of the image."""
        return self.network.input_shape if index == INPUT_INDEX else self.network.layers[index].shape

    def map(self, index: int, shape: Shape, blocks: int = 0) -> Tensor:
        """A new map for a layer's output."""
        lanes = self.lanes[index]
        return Tensor(shape.height, shape.width, lanes, blocks or -(-shape.channels // lanes))

    def add(self, operation: Operation) -> None:
        """The plan's next operation."""
        self.plan.operations.append(operation)

    def done(self, index: int, view: TensorView) -> None:
        """A layer's output is in ``view``."""
        self.views[index] = view
        self.emitted.add(index)

    def even_margins(self) -> None:
        """Grow margins until all maps of each view that is walked have the same: such views are read with one stride."""
        changed = True
        while changed:
            changed = False
            for view in self.walked:
                first, *others = view.maps
                for other in others:
                    changed |= first.margin.cover(other.margin)
                    changed |= other.margin.cover(first.margin)
