"""A plan under construction: operations so far, and where each layer's output is.

Views and planar tensors of outputs are created when a reader asks for them; conversions appear only where a reader needs another
layout.
"""

from collections.abc import Mapping
from functools import partial

from yolodsc.arrays import Shape
from yolodsc.engine.operations.operation import Operation
from yolodsc.engine.operations.planar import Pack, ReferenceOperation, Unpack
from yolodsc.engine.plan.graph import LayerGraph
from yolodsc.engine.plan.layout import INPUT_BASE, Buffer, PlanarTensor, Tensor, TensorView, whole
from yolodsc.network import INPUT_INDEX, Layer
from yolodsc.values import Value


class Plan(Value):
    """Operations in order, and the planar tensors that hold the outputs afterwards."""

    operations: tuple[Operation, ...]
    outputs: Mapping[int, PlanarTensor]

    def with_buffers(self, buffers: Mapping[Buffer, Buffer]) -> "Plan":
        """The same plan on other buffers."""
        outputs = {}
        for index, tensor in self.outputs.items():
            other = buffers.get(tensor, tensor)
            assert isinstance(other, PlanarTensor)
            outputs[index] = other
        return Plan(tuple(operation.with_buffers(buffers) for operation in self.operations), outputs)


class PlanBuilder:
    """Collects the operations of a plan.

    Attributes
    ----------
    lanes
        Vector length of each layer's tensor.
    views, planars
        Outputs that exist so far, by layer.
    emitted
        Layers that are part of the plan already.
    """

    def __init__(self, graph: LayerGraph, lanes: Mapping[int, int]) -> None:
        self.network, self.graph, self.lanes = graph.network, graph, lanes
        self.operations: list[Operation] = []
        self.views: dict[int, TensorView] = {}
        self.planars: dict[int, PlanarTensor] = {INPUT_INDEX: PlanarTensor(self.network.input_shape, INPUT_BASE)}
        self.emitted: set[int] = set()

    def view(self, index: int) -> TensorView:
        """A layer's output in blocks."""
        if index not in self.views:
            x = self.planars[index]
            y = self.tensor(index, x.shape)
            self.operations.append(Pack("pack", (index,), 0, x, y))
            self.views[index] = whole(y, x.shape.channels)
        return self.views[index]

    def planar(self, index: int) -> PlanarTensor:
        """A layer's output as a planar tensor."""
        if index not in self.planars:
            y = PlanarTensor(self._shape(index))
            self.operations.append(Unpack("unpack", (index,), 0, self.views[index], y))
            self.planars[index] = y
        return self.planars[index]

    def tensor(self, index: int, shape: Shape, blocks: int = 0) -> Tensor:
        """A new tensor for a layer's output."""
        lanes = self.lanes[index]
        return Tensor(shape.height, shape.width, lanes, blocks or -(-shape.channels // lanes))

    def add(self, operation: Operation, output: TensorView | PlanarTensor | None = None) -> None:
        """Append an operation; ``output`` then holds the output of the last of its layers."""
        self.operations.append(operation)
        self.emitted.update(operation.layers)
        if output is not None:
            self.set_output(operation.layers[-1], output)

    def set_output(self, index: int, output: TensorView | PlanarTensor) -> None:
        """Record that a layer's output is in ``output``."""
        if isinstance(output, PlanarTensor):
            self.planars[index] = output
        else:
            self.views[index] = output
        self.emitted.add(index)

    def add_reference(self, layer: Layer) -> None:
        """Append a layer that runs on its reference implementation."""
        inputs = tuple(self.planar(source) for source in self.graph.sources(layer.index))
        y = PlanarTensor(layer.shape)
        forward = partial(layer.forward, weights=self.network.weights[layer.index])
        self.add(ReferenceOperation(layer.type, (layer.index,), layer.multiply_adds(), inputs, y, forward), y)

    def _shape(self, index: int) -> Shape:
        return self.network.input_shape if index == INPUT_INDEX else self.network.layers[index].shape
