"""Where outputs lie while a plan is being made: views and planes by layer, and the plan so far.

Views of outputs are made as readers ask for them, and conversions appear only where a reader wants another layout. Addresses come
later (`arena`), so that margins may still grow when a later reader needs them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from yolodsc.engine.plan.graph import Graph
from yolodsc.jit import Isa
from yolodsc.engine.plan.layout import PICTURE_BASE, Map, Plane, View, whole
from yolodsc.engine.operations.operation import Operation, maps
from yolodsc.engine.operations.planes import FromPlane, ToPlane
from yolodsc.network import PICTURE
from yolodsc.network import Network
from yolodsc.arrays import Shape


@dataclass
class Plan:
    """Operations in order, and the planes that hold the outputs afterwards."""

    picture: Plane
    operations: list[Operation] = field(default_factory=list)
    outputs: dict[int, Plane] = field(default_factory=dict)


class Places:
    """A plan in the making."""

    def __init__(self, network: Network, outputs: Sequence[int], isa: Isa) -> None:
        self.network = network
        self.graph = Graph(network, outputs)
        self.lanes = self.graph.lanes(isa)
        self.plan = Plan(Plane(network.picture, PICTURE_BASE))
        self.views: dict[int, View] = {}
        self.planes: dict[int, Plane] = {PICTURE: self.plan.picture}
        self.walked: list[View] = []
        self.emitted: set[int] = set()

    def view(self, index: int) -> View:
        """A layer's output in blocks."""
        if index not in self.views:
            x = self.planes[index]
            y = self.map(index, x.shape)
            self.add(FromPlane("pack", (index,), 0, (x,), (y,), x, y))
            self.views[index] = whole(y, x.shape.channels)
        return self.views[index]

    def plane(self, index: int) -> Plane:
        """A layer's output as a plane."""
        if index not in self.planes:
            x = self.views[index]
            y = Plane(self.shape(index))
            self.add(ToPlane("unpack", (index,), 0, maps(x), (y,), x, y))
            self.planes[index] = y
        return self.planes[index]

    def walk(self, view: View) -> View:
        """A view that is read with one stride for all its maps."""
        self.walked.append(view)
        return view

    def shape(self, index: int) -> Shape:
        """Of a layer's output, or of the picture."""
        return self.network.picture if index == PICTURE else self.network.layers[index].shape

    def map(self, index: int, shape: Shape, blocks: int = 0) -> Map:
        """A new map for a layer's output."""
        lanes = self.lanes[index]
        return Map(shape.height, shape.width, lanes, blocks or -(-shape.channels // lanes))

    def add(self, operation: Operation) -> None:
        """The plan's next operation."""
        self.plan.operations.append(operation)

    def done(self, index: int, view: View) -> None:
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
