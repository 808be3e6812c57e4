"""A plan under construction: operations so far, and where each layer's output is.

Views and planar tensors of outputs are created when a reader asks for them; conversions appear only where a reader needs another
layout.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from yolodsc.arrays import Array, Shape
from yolodsc.engine.codegen.dtypes import DType, Element
from yolodsc.engine.operations.operation import Operation
from yolodsc.engine.operations.planar import Pack, ReferenceOperation, Unpack
from yolodsc.engine.operations.pool import Elementwise
from yolodsc.engine.plan.graph import LayerGraph
from yolodsc.engine.plan.layout import INPUT_BASE, Buffer, PlanarTensor, Tensor, TensorView, whole
from yolodsc.engine.plan.precision import PrecisionPlan
from yolodsc.jit import Isa
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
    precision
        Precision of each product, storage of each tensor.
    image
        The image, not rounded if it is stored as bytes.
    views, planars
        Outputs that exist so far, by layer.
    converted
        Outputs in other number formats than they are stored in, by layer and format.
    emitted
        Layers that are part of the plan already.
    """

    def __init__(self, graph: LayerGraph, isa: Isa, lanes: Mapping[int, int], precision: PrecisionPlan) -> None:
        self.network, self.graph, self.isa, self.lanes, self.precision = graph.network, graph, isa, lanes, precision
        self.operations: list[Operation] = []
        self.views: dict[int, TensorView] = {}
        self.image = PlanarTensor(self.network.input_shape, INPUT_BASE)
        rounded = precision.element(INPUT_INDEX).dtype == "u8"
        self.planars: dict[int, PlanarTensor] = {} if rounded else {INPUT_INDEX: self.image}
        self.emitted: set[int] = set()
        self.converted: dict[tuple[int, DType], TensorView] = {}

    def view(self, index: int, dtype: DType | None = None) -> TensorView:
        """A layer's output in blocks, as it is stored or in a number format."""
        stored = self._stored(index)
        if dtype is None or stored.dtype == dtype:
            return stored
        if (index, dtype) not in self.converted:
            y = Tensor(*stored.shape, stored.lanes, len(stored.blocks), element=Element(dtype))
            self.operations.append(Elementwise("convert", (index,), 0, stored, y, None, "copy", "linear"))
            self.converted[index, dtype] = whole(y, stored.channels)
        return self.converted[index, dtype]

    def _stored(self, index: int) -> TensorView:
        if index not in self.views:
            x = self.image if index == INPUT_INDEX else self.planars[index]
            y = self.tensor(index, x.shape)
            self.operations.append(Pack("pack", (index,), 0, x, y))
            self.views[index] = whole(y, x.shape.channels)
        return self.views[index]

    def planar(self, index: int) -> PlanarTensor:
        """A layer's output as a planar tensor."""
        if index not in self.planars:
            y = PlanarTensor(self._shape(index))
            self.operations.append(Unpack("unpack", (index,), 0, self._stored(index), y))
            self.planars[index] = y
        return self.planars[index]

    def tensor(self, index: int, shape: Shape, blocks: int = 0) -> Tensor:
        """A new tensor for a layer's output."""
        lanes, element = self.lanes[index], self.precision.element(index)
        return Tensor(shape.height, shape.width, lanes, blocks or -(-shape.channels // lanes), element=element)

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
        forward = self._byte_forward(layer) or partial(layer.forward, weights=self.network.weights[layer.index])
        stored = self.precision.element(layer.index)
        if stored.dtype == "u8":
            forward = partial(_rounded, forward, stored)
        self.add(ReferenceOperation(layer.type, (layer.index,), layer.multiply_adds(), inputs, y, forward), y)

    def _byte_forward(self, layer: Layer) -> Callable[[Sequence[Array]], Array] | None:
        """The reference of a layer of bytes without kernels, on the real values of its input; None for other layers."""
        weights = self.precision.weights.get(layer.index)
        if weights is None:
            return None
        from yolodsc.precision import TensorScale, int8_convolution, quantize

        stored = self.precision.element(self.graph.sources(layer.index)[0])
        scale = TensorScale(stored.scale, stored.zero_point)
        return lambda inputs: int8_convolution(layer, weights, quantize(inputs[0], scale), scale)  # type: ignore[arg-type]

    def _shape(self, index: int) -> Shape:
        return self.network.input_shape if index == INPUT_INDEX else self.network.layers[index].shape


def _rounded(forward: Callable[[Sequence[Array]], Array], stored: Element, inputs: Sequence[Array]) -> Array:
    """What a layer computes, rounded to the bytes that its output is stored as."""
    from yolodsc.precision import TensorScale, dequantize, quantize

    scale = TensorScale(stored.scale, stored.zero_point)
    return dequantize(quantize(forward(inputs), scale), scale)
