"""Planning of layers that work channel by channel: pools, sums, products, activations, upsampling, concatenation."""

from msgspec.structs import replace

from yolodsc.engine.codegen.dtypes import F32
from yolodsc.engine.operations.pool import Binary, Elementwise, GlobalAveragePool, Maxpool, Upsample, Windows
from yolodsc.engine.plan.builder import PlanBuilder
from yolodsc.engine.plan.layout import Tensor, TensorView, joined, sliced, whole
from yolodsc.network import (
    ActivationLayer,
    AvgpoolLayer,
    Layer,
    MaxpoolLayer,
    RouteLayer,
    SamLayer,
    ScaleChannelsLayer,
    ShortcutLayer,
    UpsampleLayer,
)


def route(builder: PlanBuilder, layer: RouteLayer) -> None:
    """Concatenate views; no operation."""
    dtype = builder.precision.element(layer.index).dtype
    views = [builder.view(source, dtype) for source in builder.graph.sources(layer.index)]
    if layer.groups > 1:
        counts = [shape.channels // layer.groups for shape in layer.inputs]
        views = [sliced(view, layer.group_id * n, n) for view, n in zip(views, counts, strict=True)]
    builder.set_output(layer.index, joined(views))


def maxpool(builder: PlanBuilder, layer: MaxpoolLayer) -> None:
    """Add a maxpool."""
    x, y = _alike(builder, layer)
    windows = Windows(layer.size, layer.stride_y, layer.stride_x, layer.padding // 2)
    builder.add(Maxpool("maxpool", (layer.index,), 0, x, y, windows), whole(y, x.channels))


def upsample(builder: PlanBuilder, layer: UpsampleLayer) -> None:
    """Add an upsampling."""
    x, y = _alike(builder, layer)
    builder.add(Upsample("upsample", (layer.index,), 0, x, y, layer.stride), whole(y, x.channels))


def average(builder: PlanBuilder, layer: AvgpoolLayer) -> None:
    """Add a global average pool."""
    x, y = _tensors(builder, layer)
    builder.add(GlobalAveragePool("avgpool", (layer.index,), 0, x, y), whole(y, x.channels))


def activation(builder: PlanBuilder, layer: ActivationLayer) -> None:
    """Add an activation."""
    x, y = _tensors(builder, layer)
    operation = Elementwise("activation", (layer.index,), 0, x, y, None, "copy", layer.activation)
    builder.add(operation, whole(y, x.channels))


def shortcut(builder: PlanBuilder, layer: ShortcutLayer) -> None:
    """Add the sum of two or more layers, two at a time."""
    views = [builder.view(source) for source in builder.graph.sources(layer.index)]
    if any(shape != layer.shape for shape in layer.inputs):
        return _partial_sum(builder, layer, *views)
    if any(view.channels != views[0].channels for view in views):
        return builder.add_reference(layer)
    total = views[0]
    for number, view in enumerate(views[1:], 2):
        y = builder.tensor(layer.index, layer.shape, len(total.blocks))
        y = y if number == len(views) or y.element.dtype != "u8" else replace(y, element=F32)
        last = layer.activation if number == len(views) else "linear"
        builder.add(Elementwise("shortcut", (layer.index,), 0, total, y, view, "add", last))
        total = whole(y, total.channels)
    return builder.set_output(layer.index, total)


def _partial_sum(builder: PlanBuilder, layer: ShortcutLayer, x: TensorView, other: TensorView) -> None:
    """Add the sum of the common channels; the other channels of ``x`` are a view where the activation leaves them unchanged."""
    count, common = layer.shape.channels, min(shape.channels for shape in layer.inputs)
    shared, added = sliced(x, 0, common), sliced(other, 0, common)
    stored = {view.dtype for view in (x, other)} | {builder.precision.element(layer.index).dtype}
    if shared.channels != added.channels or -1 in shared.channels or stored != {"f32"}:
        return builder.add_reference(layer)
    y = builder.tensor(layer.index, layer.shape, len(shared.blocks))
    builder.add(Elementwise("shortcut", (layer.index,), 0, shared, y, added, "add", layer.activation))
    parts = [whole(y, shared.channels)]
    if common < count:
        rest = sliced(x, common, count - common)
        if layer.activation != "linear":
            y = builder.tensor(layer.index, layer.shape, len(rest.blocks))
            builder.add(Elementwise("shortcut", (layer.index,), 0, rest, y, None, "copy", layer.activation))
            rest = whole(y, rest.channels)
        parts.append(rest)
    return builder.set_output(layer.index, joined(parts))


def scale_channels(builder: PlanBuilder, layer: ScaleChannelsLayer) -> None:
    """Add the product of a layer and one gate per channel."""
    _product(builder, layer, "gate")


def sam(builder: PlanBuilder, layer: SamLayer) -> None:
    """Add the product of two layers."""
    _product(builder, layer, "multiply")


def _product(builder: PlanBuilder, layer: ScaleChannelsLayer | SamLayer, operation: Binary) -> None:
    r, x = (builder.view(source) for source in builder.graph.sources(layer.index))
    if r.channels != x.channels:
        return builder.add_reference(layer)
    y = builder.tensor(layer.index, layer.shape, len(x.blocks))
    product = Elementwise(layer.type, (layer.index,), 0, x, y, r, operation, layer.activation)
    return builder.add(product, whole(y, x.channels))


def _tensors(builder: PlanBuilder, layer: Layer) -> tuple[TensorView, Tensor]:
    """The input, and a new tensor with the same channels in the same lanes."""
    x = builder.view(builder.graph.sources(layer.index)[0])
    return x, builder.tensor(layer.index, layer.shape, len(x.blocks))


def _alike(builder: PlanBuilder, layer: Layer) -> tuple[TensorView, Tensor]:
    """The input and a new tensor, both stored as the output is."""
    x = builder.view(builder.graph.sources(layer.index)[0], builder.precision.element(layer.index).dtype)
    return x, builder.tensor(layer.index, layer.shape, len(x.blocks))
