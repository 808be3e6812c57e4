"""From layers to operations: what is fused with what, and in which layout each output lies.

The planner walks the layers once, in order. A layer that is part of a fused operation is emitted with it. What a layer becomes is
one function or method each: convolutions in `plan_convolutions` and `plan_depthwise`, everything else here.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from yolodsc.engine.operations.operation import maps
from yolodsc.engine.operations.planes import AffineRange, AffineRanges, ReferenceOperation
from yolodsc.engine.operations.pool import Binary, Elementwise, GlobalAveragePool, Maxpool, Upsample, Windows
from yolodsc.engine.plan.builder import Plan, PlanBuilder
from yolodsc.engine.plan.convolutions import convolution
from yolodsc.engine.plan.depthwise import depthwise
from yolodsc.engine.plan.graph import fast, is_depthwise
from yolodsc.engine.plan.layout import PlanarTensor, Tensor, TensorView, joined, sliced, whole
from yolodsc.jit import Isa
from yolodsc.network import (
    ActivationLayer,
    AvgpoolLayer,
    ConvolutionalLayer,
    Layer,
    MaxpoolLayer,
    Network,
    RouteLayer,
    SamLayer,
    ScaleChannelsLayer,
    ShortcutLayer,
    UpsampleLayer,
    YoloLayer,
)


def planned(network: Network, outputs: Sequence[int], isa: Isa) -> Plan:
    """The plan of a network for one instruction set."""
    planner = Planner(network, outputs, isa)
    for index in planner.graph.needed:
        if index not in planner.emitted and not planner.graph.deferred(index):
            planner.emit(network.layers[index])
    for index in outputs:
        planner.plan.outputs[index] = planner.plane(planner.graph.origin(index))
    planner.even_margins()
    return planner.plan


class Planner(PlanBuilder):
    """Emits layers into the plan, one after the other."""

    def emit(self, layer: Layer) -> None:
        """Add a layer, with everything that is fused with it."""
        if not fast(layer):
            return self._plain(layer)
        emitters: dict[type[Layer], Callable[[Any], None]] = {
            ConvolutionalLayer: self._convolution,
            MaxpoolLayer: self._maxpool,
            RouteLayer: self._route,
            ShortcutLayer: self._sum,
            UpsampleLayer: self._upsample,
            AvgpoolLayer: self._average,
            ScaleChannelsLayer: partial(self._product, operation="gate"),
            SamLayer: partial(self._product, operation="multiply"),
            ActivationLayer: self._activation,
            YoloLayer: self._yolo,
        }
        return emitters[type(layer)](layer)

    def _plain(self, layer: Layer) -> None:
        inputs = tuple(self.plane(source) for source in self.graph.sources(layer.index))
        y = PlanarTensor(layer.shape)
        forward = partial(layer.forward, weights=self.network.weights[layer.index])
        self.add(ReferenceOperation(layer.type, (layer.index,), layer.multiply_adds(), inputs, (y,), inputs, y, forward))
        self.planes[layer.index] = y
        self.emitted.add(layer.index)

    def _route(self, layer: RouteLayer) -> None:
        views = [self.view(source) for source in self.graph.sources(layer.index)]
        share = layer.groups
        if share > 1:
            counts = [shape.channels // share for shape in layer.inputs]
            views = [sliced(view, layer.group_id * n, n) for view, n in zip(views, counts, strict=True)]
        self.done(layer.index, joined(views))

    def _maxpool(self, layer: MaxpoolLayer) -> None:
        x, y = self._per_channel(layer)
        windows = Windows(layer.size, layer.stride_y, layer.stride_x, layer.padding // 2)
        self.add(Maxpool("maxpool", (layer.index,), 0, maps(x), (y,), x, y, windows))

    def _upsample(self, layer: UpsampleLayer) -> None:
        x, y = self._per_channel(layer)
        self.add(Upsample("upsample", (layer.index,), 0, maps(x), (y,), x, y, layer.stride))

    def _average(self, layer: AvgpoolLayer) -> None:
        x, y = self._per_channel(layer)
        self.add(GlobalAveragePool("avgpool", (layer.index,), 0, maps(x), (y,), x, y))

    def _activation(self, layer: ActivationLayer) -> None:
        x, y = self._per_channel(layer)
        self.add(Elementwise("activation", (layer.index,), 0, maps(x), (y,), x, None, y, "copy", layer.activation))

    def _per_channel(self, layer: Layer) -> tuple[TensorView, Tensor]:
        """The input, and a new map with the same channels in the same lanes."""
        x = self.view(self.graph.sources(layer.index)[0])
        y = self.map(layer.index, layer.shape, len(x.blocks))
        self.done(layer.index, whole(y, x.channels))
        return x, y

    def _sum(self, layer: ShortcutLayer) -> None:
        views = [self.view(source) for source in self.graph.sources(layer.index)]
        if any(view.channels != views[0].channels for view in views):
            return self._plain(layer)
        total = views[0]
        for number, view in enumerate(views[1:], 2):
            y = self.map(layer.index, layer.shape, len(total.blocks))
            activation = layer.activation if number == len(views) else "linear"
            self.add(Elementwise("shortcut", (layer.index,), 0, maps(total, view), (y,), total, view, y, "add", activation))
            total = whole(y, total.channels)
        return self.done(layer.index, total)

    def _product(self, layer: ScaleChannelsLayer | SamLayer, *, operation: Binary) -> None:
        r, x = (self.view(source) for source in self.graph.sources(layer.index))
        if r.channels != x.channels:
            return self._plain(layer)
        y = self.map(layer.index, layer.shape, len(x.blocks))
        self.add(Elementwise(layer.type, (layer.index,), 0, maps(x, r), (y,), x, r, y, operation, layer.activation))
        return self.done(layer.index, whole(y, x.channels))

    def _yolo(self, layer: YoloLayer) -> None:
        x = self.plane(self.graph.sources(layer.index)[0])
        y = PlanarTensor(layer.shape)
        entries = layer.shape.channels // len(layer.anchors)
        activation = "linear" if layer.new_coords else "logistic"
        stretch = (activation, layer.scale_x_y, -(layer.scale_x_y - 1) / 2)
        spans = []
        for first in range(0, layer.shape.channels, entries):
            spans += [AffineRange(first, 2, *stretch), AffineRange(first + 2, 2), AffineRange(first + 4, entries - 4, activation)]
        self.add(AffineRanges("yolo", (layer.index,), 0, (x,), (y,), x, y, spans))
        self.planes[layer.index] = y
        self.emitted.add(layer.index)

    def _convolution(self, layer: ConvolutionalLayer) -> None:
        (depthwise if is_depthwise(layer) else convolution)(self, layer)
