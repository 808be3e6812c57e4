"""Depthwise convolutions in the plan: with the pointwise layers and the shortcut around them that nobody else reads."""

from yolodsc.engine.operations.depthwise import Block, Depthwise, ExpandedDepthwise, Filters, Pointwise, filters_of
from yolodsc.engine.operations.operation import maps
from yolodsc.engine.plan.builder import PlanBuilder
from yolodsc.engine.plan.convolutions import arrays_of, geometry, residual_of
from yolodsc.engine.plan.graph import is_fusable, is_pointwise
from yolodsc.engine.plan.layout import TensorView, whole
from yolodsc.network import INPUT_INDEX, ConvolutionalLayer

SMALL = 20 * 20
"""Pixels up to which expand and depthwise run channel group by channel group instead of row by row."""


def depthwise(at: PlanBuilder, layer: ConvolutionalLayer) -> None:
    """A depthwise layer with the pointwise layers and the shortcut around it that nobody else sees."""
    if not is_fusable(layer):
        return _multiplied(at, layer)
    expand = _expansion(at, layer)
    project = at.graph.only_reader(layer.index)
    if project is not None and not is_pointwise(at.network.layers[project]):
        project = None
    if expand is not None and layer.shape.height * layer.shape.width <= SMALL:
        return _expanded(at, layer, expand)
    if expand is None and project is None:
        return _multiplied(at, layer)
    return _block(at, layer, expand, project)


def _expansion(at: PlanBuilder, layer: ConvolutionalLayer) -> ConvolutionalLayer | None:
    source = at.graph.sources(layer.index)[0]
    if source in at.emitted or source == INPUT_INDEX or not at.graph.deferred(source):
        return None
    expand = at.network.layers[source]
    return expand if isinstance(expand, ConvolutionalLayer) else None


def _filters(at: PlanBuilder, layer: ConvolutionalLayer, view: TensorView) -> Filters:
    return filters_of(view, *arrays_of(at, layer), geometry(layer), layer.activation)


def _wide(at: PlanBuilder, layer: ConvolutionalLayer) -> TensorView:
    """The view that an expansion would have if it were stored."""
    return whole(at.map(layer.index, layer.shape), layer.filters)


def _pointwise(at: PlanBuilder, layer: ConvolutionalLayer) -> Pointwise:
    return Pointwise(*arrays_of(at, layer), layer.activation)


def _expanded(at: PlanBuilder, layer: ConvolutionalLayer, expand: ConvolutionalLayer) -> None:
    x = at.walk(at.view(at.graph.sources(expand.index)[0]))
    wide, y = _wide(at, expand), at.map(layer.index, layer.shape)
    macs = expand.multiply_adds() + layer.multiply_adds()
    name = f"expand + depthwise {layer.size}x{layer.size}"
    members = (expand.index, layer.index)
    at.add(ExpandedDepthwise(name, members, macs, maps(x), (y,), x, y, _pointwise(at, expand), _filters(at, layer, wide)))
    at.emitted.add(expand.index)
    at.done(layer.index, whole(y, layer.filters))


def _block(at: PlanBuilder, layer: ConvolutionalLayer, expand: ConvolutionalLayer | None, project: int | None) -> None:
    last = layer
    if project is not None and isinstance(reader := at.network.layers[project], ConvolutionalLayer):
        last = reader
    first = expand or layer
    x = at.walk(at.view(at.graph.sources(first.index)[0]))
    wide = _wide(at, expand) if expand else x
    y = at.map(last.index, last.shape) if last is not layer else at.map(layer.index, layer.shape, len(wide.blocks))
    out = whole(y, last.filters) if last is not layer else whole(y, wide.channels)
    sum_, residual = residual_of(at, last.index, out) if last is not layer else (None, None)
    indices = tuple(dict.fromkeys([first.index, layer.index, last.index, *([sum_] if sum_ is not None else [])]))
    macs = sum(at.network.layers[index].multiply_adds() for index in indices)
    name = " + ".join(["expand"] * bool(expand) + [f"depthwise {layer.size}x{layer.size}"] + ["project"] * (last is not layer))
    fused = (
        _pointwise(at, expand) if expand else None,
        _filters(at, layer, wide),
        _pointwise(at, last) if last is not layer else None,
        residual,
    )
    at.add(Block(name, indices, macs, maps(x, residual), (y,), x, y, wide, *fused))
    at.emitted.update(indices)
    at.done(sum_ if sum_ is not None else last.index, out)


def _multiplied(at: PlanBuilder, layer: ConvolutionalLayer) -> None:
    """A depthwise layer by itself; with a multiplier, one pass for each filter of a channel, the channels' order permuted."""
    source = at.graph.sources(layer.index)[0]
    x = at.view(source)
    times = layer.filters // layer.groups
    kernel, bias = arrays_of(at, layer)
    y = at.map(layer.index, layer.shape, times * len(x.blocks))
    channels: list[int] = []
    for j in range(times):
        filters = filters_of(x, kernel[j::times], bias[j::times], geometry(layer), layer.activation)
        macs = layer.multiply_adds() // times
        name = f"depthwise {layer.size}x{layer.size}"
        at.add(Depthwise(name, (layer.index,), macs, maps(x), (y,), x, y, filters, j * len(x.blocks)))
        channels += [c * times + j if c >= 0 else -1 for c in x.channels]
    at.done(layer.index, whole(y, channels))
