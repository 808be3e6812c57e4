"""Planning of depthwise convolutions, fused with the pointwise layers and the shortcut around them that no other layer reads."""

from yolodsc.engine.codegen.dtypes import Element
from yolodsc.engine.operations.coefficients import Coefficients
from yolodsc.engine.operations.depthwise import Depthwise, DepthwiseFilters, Pointwise
from yolodsc.engine.operations.expanded_depthwise import ExpandedDepthwise
from yolodsc.engine.operations.inverted_residual import InvertedResidual
from yolodsc.engine.plan.builder import PlanBuilder
from yolodsc.engine.plan.convolutions import arrays_of, coefficients, geometry, residual_of
from yolodsc.engine.plan.graph import is_fusable, is_pointwise
from yolodsc.engine.plan.layout import TensorView, whole
from yolodsc.network import INPUT_INDEX, ConvolutionalLayer

SMALL = 20 * 20
"""Pixels up to which expansion and depthwise convolution run by channel groups instead of by rows."""


def depthwise(builder: PlanBuilder, layer: ConvolutionalLayer) -> None:
    """Add a depthwise layer with the layers around it that can be fused."""
    if not is_fusable(layer) or builder.precision.product(layer.index) == "u8":
        return _multiplied(builder, layer)
    expand = _expansion(builder, layer)
    project = _projection(builder, layer)
    if expand is not None and layer.shape.height * layer.shape.width <= SMALL:
        return _expanded(builder, layer, expand)
    if expand is None and project is None:
        return _multiplied(builder, layer)
    return _inverted_residual(builder, layer, expand, project)


def _expansion(builder: PlanBuilder, layer: ConvolutionalLayer) -> ConvolutionalLayer | None:
    source = builder.graph.sources(layer.index)[0]
    if source in builder.emitted or source == INPUT_INDEX or not builder.graph.deferred(source):
        return None
    expand = builder.network.layers[source]
    return expand if isinstance(expand, ConvolutionalLayer) else None


def _projection(builder: PlanBuilder, layer: ConvolutionalLayer) -> ConvolutionalLayer | None:
    reader = builder.graph.only_reader(layer.index)
    project = builder.network.layers[reader] if reader is not None else None
    return project if isinstance(project, ConvolutionalLayer) and is_pointwise(project) else None


def _filters_of(view: TensorView, weights: Coefficients, layer: ConvolutionalLayer) -> DepthwiseFilters:
    if weights.dtype == "u8":
        return DepthwiseFilters.of_bytes(view, weights, geometry(layer), layer.activation)
    return DepthwiseFilters.of(view, weights.kernel, weights.bias, geometry(layer), layer.activation)


def _filters(builder: PlanBuilder, layer: ConvolutionalLayer, view: TensorView) -> DepthwiseFilters:
    return DepthwiseFilters.of(view, *arrays_of(builder, layer), geometry(layer), layer.activation)


def _wide(builder: PlanBuilder, layer: ConvolutionalLayer) -> TensorView:
    """The view that an expansion would have if it were stored."""
    return whole(builder.tensor(layer.index, layer.shape), layer.filters)


def _pointwise(builder: PlanBuilder, layer: ConvolutionalLayer) -> Pointwise:
    return Pointwise(coefficients(builder, layer), layer.activation)


def _expanded(builder: PlanBuilder, layer: ConvolutionalLayer, expand: ConvolutionalLayer) -> None:
    part = _pointwise(builder, expand)
    x = builder.view(builder.graph.sources(expand.index)[0], part.weights.dtype)
    wide, y = _wide(builder, expand), builder.tensor(layer.index, layer.shape)
    macs = expand.multiply_adds() + layer.multiply_adds()
    described = (f"expand + depthwise {layer.size}x{layer.size}", (expand.index, layer.index), macs)
    parts = (part, _filters(builder, layer, wide))
    builder.add(ExpandedDepthwise(*described, x, y, *parts), whole(y, layer.filters))


def _inverted_residual(
    builder: PlanBuilder, layer: ConvolutionalLayer, expand: ConvolutionalLayer | None, project: ConvolutionalLayer | None
) -> None:
    first = expand or layer
    expansion, projection = (_pointwise(builder, member) if member else None for member in (expand, project))
    x = builder.view(builder.graph.sources(first.index)[0], expansion.weights.dtype if expansion else None)
    wide = _wide(builder, expand) if expand else x
    if project:
        y = builder.tensor(project.index, project.shape)
        out = whole(y, project.filters)
        shortcut, residual = residual_of(builder, project.index, out)
        if shortcut is not None:
            y = builder.tensor(shortcut, project.shape)
            out = whole(y, project.filters)
    else:
        y = builder.tensor(layer.index, layer.shape, len(wide.blocks))
        out = whole(y, wide.channels)
        shortcut, residual = None, None
    members = [first.index, layer.index, *([project.index] if project else []), *([shortcut] if shortcut is not None else [])]
    layers = tuple(dict.fromkeys(members))
    macs = sum(builder.network.layers[index].multiply_adds() for index in layers)
    name = " + ".join(["expand"] * bool(expand) + [f"depthwise {layer.size}x{layer.size}"] + ["project"] * bool(project))
    middle = _middle(builder, layer, projection)
    parts = (expansion, _filters(builder, layer, wide), projection, residual, middle)
    builder.add(InvertedResidual(name, layers, macs, x, y, wide, *parts), out)


def _middle(builder: PlanBuilder, layer: ConvolutionalLayer, projection: Pointwise | None) -> Element:
    """How the output of a fused depthwise layer is stored for the projection."""
    stored = builder.precision.element(layer.index)
    return stored if stored.dtype == "u8" or projection is None else Element(projection.weights.dtype)


def _multiplied(builder: PlanBuilder, layer: ConvolutionalLayer) -> None:
    """A depthwise layer by itself; with a multiplier, one pass per filter of a channel, which permutes the channels."""
    x = builder.view(builder.graph.sources(layer.index)[0])
    times = layer.filters // layer.groups
    weights = coefficients(builder, layer)
    y = builder.tensor(layer.index, layer.shape, times * len(x.blocks))
    described = (f"depthwise {layer.size}x{layer.size}", (layer.index,), layer.multiply_adds() // times)
    channels: list[int] = []
    for j in range(times):
        filters = _filters_of(x, weights.filters(j, None, times), layer)
        builder.add(Depthwise(*described, x, y, filters, j * len(x.blocks)))
        channels += [c * times + j if c >= 0 else -1 for c in x.channels]
    builder.set_output(layer.index, whole(y, channels))
