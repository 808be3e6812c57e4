"""From layers to operations: what is fused with what, and in which layout each output lies.

The planner walks the layers once, in order. A layer that is part of a fused operation is emitted with it; views of outputs are
made as readers ask for them, and conversions appear only where a reader wants another layout. Addresses come later (`arena`), so
that margins may still grow when a later reader needs them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from yolodsc.engine.folding import folded
from yolodsc.engine.graph import Graph, fast, is_depthwise, is_fusable, is_pointwise, is_sum
from yolodsc.engine.isa import Isa
from yolodsc.engine.layout import PICTURE_BASE, Map, Plane, View, joined, sliced, whole
from yolodsc.engine.operations.convolution import Convolution, Geometry
from yolodsc.engine.operations.depthwise import Block, Depthwise, ExpandedDepthwise, Filters, Pointwise, filters_of
from yolodsc.engine.operations.first import FirstConvolution
from yolodsc.engine.operations.operation import Operation, maps
from yolodsc.engine.operations.planes import FromPlane, Plain, Span, Spans, ToPlane
from yolodsc.engine.operations.pool import Average, Binary, Maxpool, Pair, Upsample, Windows
from yolodsc.engine.operations.winograd import Winograd, worthwhile
from yolodsc.layer import PICTURE, Layer
from yolodsc.layers.activation import ActivationLayer
from yolodsc.layers.avgpool import AvgpoolLayer
from yolodsc.layers.convolutional import ConvolutionalLayer
from yolodsc.layers.maxpool import MaxpoolLayer
from yolodsc.layers.route import RouteLayer
from yolodsc.layers.sam import SamLayer
from yolodsc.layers.scale_channels import ScaleChannelsLayer
from yolodsc.layers.shortcut import ShortcutLayer
from yolodsc.layers.upsample import UpsampleLayer
from yolodsc.layers.yolo import YoloLayer
from yolodsc.network import Network
from yolodsc.shape import Array, Shape

SMALL = 20 * 20
"""Pixels up to which expand and depthwise run channel group by channel group instead of row by row."""


@dataclass
class Plan:
    """Operations in order, and the planes that hold the outputs afterwards."""

    picture: Plane
    operations: list[Operation] = field(default_factory=list)
    outputs: dict[int, Plane] = field(default_factory=dict)


class Planner:
    """Makes the `Plan` of a network for one instruction set."""

    def __init__(self, network: Network, outputs: Sequence[int], isa: Isa) -> None:
        self.network = network
        self.graph = Graph(network, outputs)
        self.lanes = self.graph.lanes(isa)
        self.plan = Plan(Plane(network.picture, PICTURE_BASE))
        self.views: dict[int, View] = {}
        self.planes: dict[int, Plane] = {PICTURE: self.plan.picture}
        self.walked: list[View] = []
        self.emitted: set[int] = set()
        for index in self.graph.needed:
            if index not in self.emitted and not self._deferred(index):
                self._emit(network.layers[index])
        for index in outputs:
            self.plan.outputs[index] = self.plane(self.graph.origin(index))
        _even_margins(self.walked)

    # where outputs lie

    def view(self, index: int) -> View:
        """A layer's output in blocks."""
        if index not in self.views:
            x = self.planes[index]
            y = self._map(index, x.shape)
            self._add(FromPlane("pack", (index,), 0, (x,), (y,), x, y))
            self.views[index] = whole(y, x.shape.channels)
        return self.views[index]

    def plane(self, index: int) -> Plane:
        """A layer's output as a plane."""
        if index not in self.planes:
            x = self.views[index]
            y = Plane(self._shape(index))
            self._add(ToPlane("unpack", (index,), 0, maps(x), (y,), x, y))
            self.planes[index] = y
        return self.planes[index]

    def _walked(self, view: View) -> View:
        """A view that is read with one stride for all its maps."""
        self.walked.append(view)
        return view

    def _shape(self, index: int) -> Shape:
        return self.network.picture if index == PICTURE else self.network.layers[index].shape

    def _map(self, index: int, shape: Shape, blocks: int = 0) -> Map:
        lanes = self.lanes[index]
        return Map(shape.height, shape.width, lanes, blocks or -(-shape.channels // lanes))

    def _add(self, operation: Operation) -> None:
        self.plan.operations.append(operation)

    def _done(self, index: int, view: View) -> None:
        self.views[index] = view
        self.emitted.add(index)

    # layers

    def _emit(self, layer: Layer) -> None:
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
        y = Plane(layer.shape)
        forward = partial(layer.forward, weights=self.network.weights[layer.index])
        self._add(Plain(layer.type, (layer.index,), layer.multiply_adds(), inputs, (y,), inputs, y, forward))
        self.planes[layer.index] = y
        self.emitted.add(layer.index)

    def _route(self, layer: RouteLayer) -> None:
        views = [self.view(source) for source in self.graph.sources(layer.index)]
        share = layer.groups
        if share > 1:
            counts = [shape.channels // share for shape in layer.inputs]
            views = [sliced(view, layer.group_id * n, n) for view, n in zip(views, counts, strict=True)]
        self._done(layer.index, joined(views))

    def _maxpool(self, layer: MaxpoolLayer) -> None:
        x, y = self._per_channel(layer)
        windows = Windows(layer.size, layer.stride_y, layer.stride_x, layer.padding // 2)
        self._add(Maxpool("maxpool", (layer.index,), 0, maps(x), (y,), x, y, windows))

    def _upsample(self, layer: UpsampleLayer) -> None:
        x, y = self._per_channel(layer)
        self._add(Upsample("upsample", (layer.index,), 0, maps(x), (y,), x, y, layer.stride))

    def _average(self, layer: AvgpoolLayer) -> None:
        x, y = self._per_channel(layer)
        self._add(Average("avgpool", (layer.index,), 0, maps(x), (y,), x, y))

    def _activation(self, layer: ActivationLayer) -> None:
        x, y = self._per_channel(layer)
        self._add(Pair("activation", (layer.index,), 0, maps(x), (y,), x, None, y, "copy", layer.activation))

    def _per_channel(self, layer: Layer) -> tuple[View, Map]:
        """The input, and a new map with the same channels in the same lanes."""
        x = self.view(self.graph.sources(layer.index)[0])
        y = self._map(layer.index, layer.shape, len(x.blocks))
        self._done(layer.index, whole(y, x.channels))
        return x, y

    def _sum(self, layer: ShortcutLayer) -> None:
        views = [self.view(source) for source in self.graph.sources(layer.index)]
        if any(view.channels != views[0].channels for view in views):
            return self._plain(layer)
        total = views[0]
        for number, view in enumerate(views[1:], 2):
            y = self._map(layer.index, layer.shape, len(total.blocks))
            activation = layer.activation if number == len(views) else "linear"
            self._add(Pair("shortcut", (layer.index,), 0, maps(total, view), (y,), total, view, y, "add", activation))
            total = whole(y, total.channels)
        return self._done(layer.index, total)

    def _product(self, layer: ScaleChannelsLayer | SamLayer, *, operation: Binary) -> None:
        r, x = (self.view(source) for source in self.graph.sources(layer.index))
        if r.channels != x.channels:
            return self._plain(layer)
        y = self._map(layer.index, layer.shape, len(x.blocks))
        self._add(Pair(layer.type, (layer.index,), 0, maps(x, r), (y,), x, r, y, operation, layer.activation))
        return self._done(layer.index, whole(y, x.channels))

    def _yolo(self, layer: YoloLayer) -> None:
        x = self.plane(self.graph.sources(layer.index)[0])
        y = Plane(layer.shape)
        entries = layer.shape.channels // len(layer.anchors)
        activation = "linear" if layer.new_coords else "logistic"
        stretch = (activation, layer.scale_x_y, -(layer.scale_x_y - 1) / 2)
        spans = []
        for first in range(0, layer.shape.channels, entries):
            spans += [Span(first, 2, *stretch), Span(first + 2, 2), Span(first + 4, entries - 4, activation)]
        self._add(Spans("yolo", (layer.index,), 0, (x,), (y,), x, y, spans))
        self.planes[layer.index] = y
        self.emitted.add(layer.index)

    # convolutions

    def _deferred(self, index: int) -> bool:
        """Whether the depthwise layer that is the only reader of a pointwise one will emit both."""
        reader = self.graph.only_reader(index)
        layers = self.network.layers
        return reader is not None and is_pointwise(layers[index]) and is_fusable(layers[reader])

    def _convolution(self, layer: ConvolutionalLayer) -> None:
        if is_depthwise(layer):
            return self._depthwise(layer)
        if layer.groups > 1:
            return self._grouped(layer)
        source = self.graph.sources(layer.index)[0]
        few = layer.inputs[0].channels <= 4 and layer.dilation == 1 and layer.size <= 16
        if few and source in self.planes and source not in self.views:
            return self._first(layer, source)
        return self._regular(layer, source)

    def _arrays(self, layer: ConvolutionalLayer) -> tuple[Array, Array]:
        return folded(layer, self.network.weights[layer.index])

    def _first(self, layer: ConvolutionalLayer, source: int) -> None:
        x, y = self.planes[source], self._map(layer.index, layer.shape)
        name = f"first {layer.size}x{layer.size}"
        macs = layer.multiply_adds()
        operation = FirstConvolution(
            name, (layer.index,), macs, (x,), (y,), x, y, *self._arrays(layer), geometry(layer), layer.activation
        )
        self._add(operation)
        self._done(layer.index, whole(y, layer.filters))

    def _regular(self, layer: ConvolutionalLayer, source: int) -> None:
        x, y = self._walked(self.view(source)), self._map(layer.index, layer.shape)
        kernel, bias = self._arrays(layer)
        macs = layer.multiply_adds()
        plain = (layer.size, layer.stride_x, layer.stride_y, layer.dilation) == (3, 1, 1, 1)
        if plain and layer.padding <= 1 and worthwhile(layer.inputs[0].channels, layer.filters, *layer.shape[1:]):
            self._add(
                Winograd(
                    "winograd 3x3",
                    layer.index,
                    macs,
                    x=x,
                    y=y,
                    kernel=kernel,
                    bias=bias,
                    padding=layer.padding,
                    activation=layer.activation,
                )
            )
            self._done(layer.index, whole(y, layer.filters))
            return
        sum_, residual = self._residual(layer.index, whole(y, layer.filters))
        names, members = f"conv {layer.size}x{layer.size}", (layer.index, *([sum_] if sum_ is not None else []))
        reads = maps(x, residual)
        self._add(Convolution(names, members, macs, reads, (y,), x, y, kernel, bias, geometry(layer), layer.activation, residual))
        self._done(sum_ if sum_ is not None else layer.index, whole(y, layer.filters))

    def _residual(self, index: int, out: View) -> tuple[int | None, View | None]:
        """A shortcut that the layer can add by itself: its index and what is added."""
        reader = self.graph.only_reader(index)
        if reader is None:
            return None, None
        layer, sources = self.network.layers[reader], self.graph.sources(reader)
        if not isinstance(layer, ShortcutLayer) or not is_sum(layer) or layer.activation != "linear" or len(sources) != 2:
            return None, None
        other = sources[0] if sources[1] == index else sources[1]
        view = self.views.get(other)
        if view is None or view.channels != out.channels or len(list(view.runs())) != 1:
            return None, None
        return reader, view

    def _grouped(self, layer: ConvolutionalLayer) -> None:
        """A group at a time; where groups do not fill blocks, a block at a time, with zeros between the groups that it holds."""
        lanes, each, seen = self.lanes[layer.index], layer.filters // layer.groups, layer.inputs[0].channels // layer.groups
        source = self._walked(self.view(self.graph.sources(layer.index)[0]))
        y = self._map(layer.index, layer.shape)
        kernel, bias = self._arrays(layer)
        step = each // lanes if each % lanes == 0 else 1
        for block in range(0, y.blocks, step):
            own = slice(block * lanes, min((block + step) * lanes, layer.filters))
            groups = (own.start // each, -(-own.stop // each))
            x = self._walked(sliced(source, groups[0] * seen, (groups[1] - groups[0]) * seen))
            macs = layer.multiply_adds() // layer.filters * (own.stop - own.start)
            named = f"group {groups[0]}" if groups[1] - groups[0] == 1 else f"groups {groups[0]}-{groups[1] - 1}"
            name = f"conv {layer.size}x{layer.size} {named}"
            dense = _diagonal(kernel[own], own.start, each)
            arrays = (dense, bias[own], geometry(layer), layer.activation, None, (block, block + step))
            self._add(Convolution(name, (layer.index,), macs, maps(x), (y,), x, y, *arrays))
        return self._done(layer.index, whole(y, layer.filters))

    def _depthwise(self, layer: ConvolutionalLayer) -> None:
        """A depthwise layer with the pointwise layers and the shortcut around it that nobody else sees."""
        if not is_fusable(layer):
            return self._multiplied(layer)
        expand = self._expansion(layer)
        project = self.graph.only_reader(layer.index)
        if project is not None and not is_pointwise(self.network.layers[project]):
            project = None
        if expand is not None and layer.shape.height * layer.shape.width <= SMALL:
            return self._expanded(layer, expand)
        if expand is None and project is None:
            return self._multiplied(layer)
        return self._block(layer, expand, project)

    def _expansion(self, layer: ConvolutionalLayer) -> ConvolutionalLayer | None:
        source = self.graph.sources(layer.index)[0]
        if source in self.emitted or source == PICTURE or not self._deferred(source):
            return None
        expand = self.network.layers[source]
        return expand if isinstance(expand, ConvolutionalLayer) else None

    def _filters(self, layer: ConvolutionalLayer, view: View) -> Filters:
        return filters_of(view, *self._arrays(layer), geometry(layer), layer.activation)

    def _wide(self, layer: ConvolutionalLayer) -> View:
        """The view that an expansion would have if it were stored."""
        return whole(self._map(layer.index, layer.shape), layer.filters)

    def _pointwise(self, layer: ConvolutionalLayer) -> Pointwise:
        return Pointwise(*self._arrays(layer), layer.activation)

    def _expanded(self, layer: ConvolutionalLayer, expand: ConvolutionalLayer) -> None:
        x = self._walked(self.view(self.graph.sources(expand.index)[0]))
        wide, y = self._wide(expand), self._map(layer.index, layer.shape)
        macs = expand.multiply_adds() + layer.multiply_adds()
        name = f"expand + depthwise {layer.size}x{layer.size}"
        members = (expand.index, layer.index)
        self._add(ExpandedDepthwise(name, members, macs, maps(x), (y,), x, y, self._pointwise(expand), self._filters(layer, wide)))
        self.emitted.add(expand.index)
        self._done(layer.index, whole(y, layer.filters))

    def _block(self, layer: ConvolutionalLayer, expand: ConvolutionalLayer | None, project: int | None) -> None:
        last = layer
        if project is not None and isinstance(reader := self.network.layers[project], ConvolutionalLayer):
            last = reader
        first = expand or layer
        x = self._walked(self.view(self.graph.sources(first.index)[0]))
        wide = self._wide(expand) if expand else x
        y = self._map(last.index, last.shape) if last is not layer else self._map(layer.index, layer.shape, len(wide.blocks))
        out = whole(y, last.filters) if last is not layer else whole(y, wide.channels)
        sum_, residual = self._residual(last.index, out) if last is not layer else (None, None)
        indices = tuple(dict.fromkeys([first.index, layer.index, last.index, *([sum_] if sum_ is not None else [])]))
        macs = sum(self.network.layers[index].multiply_adds() for index in indices)
        name = " + ".join(["expand"] * bool(expand) + [f"depthwise {layer.size}x{layer.size}"] + ["project"] * (last is not layer))
        fused = (
            self._pointwise(expand) if expand else None,
            self._filters(layer, wide),
            self._pointwise(last) if last is not layer else None,
            residual,
        )
        self._add(Block(name, indices, macs, maps(x, residual), (y,), x, y, wide, *fused))
        self.emitted.update(indices)
        self._done(sum_ if sum_ is not None else last.index, out)

    def _multiplied(self, layer: ConvolutionalLayer) -> None:
        """A depthwise layer by itself; with a multiplier, one pass for each filter of a channel, the channels' order permuted."""
        source = self.graph.sources(layer.index)[0]
        x = self.view(source)
        times = layer.filters // layer.groups
        kernel, bias = self._arrays(layer)
        y = self._map(layer.index, layer.shape, times * len(x.blocks))
        channels: list[int] = []
        for j in range(times):
            filters = filters_of(x, kernel[j::times], bias[j::times], geometry(layer), layer.activation)
            macs = layer.multiply_adds() // times
            name = f"depthwise {layer.size}x{layer.size}"
            self._add(Depthwise(name, (layer.index,), macs, maps(x), (y,), x, y, filters, j * len(x.blocks)))
            channels += [c * times + j if c >= 0 else -1 for c in x.channels]
        self._done(layer.index, whole(y, channels))


def _diagonal(kernel: Array, first: int, each: int) -> Array:
    """Filters (F, C, K, K) from number ``first`` on, ``each`` a group, as one group: (F, groups * C, K, K) with zeros between."""
    count, seen, *size = kernel.shape
    group = (first + np.arange(count)) // each - first // each
    out = np.zeros((count, int(group[-1]) + 1, seen, *size), np.float32)
    out[np.arange(count), group] = kernel
    return out.reshape(count, -1, *size)


def geometry(layer: ConvolutionalLayer) -> Geometry:
    """Size, strides, padding, dilation of a layer."""
    return Geometry(layer.size, layer.stride_y, layer.stride_x, layer.padding, layer.dilation)


def _even_margins(views: Sequence[View]) -> None:
    """Grow margins until all maps of each view have the same: such views are read with one stride."""
    changed = True
    while changed:
        changed = False
        for view in views:
            first, *others = view.maps
            for other in others:
                changed |= first.margin.cover(other.margin)
                changed |= other.margin.cover(first.margin)
