"""Planning of regular, grouped and first convolutions, with the shortcut that they can add."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.engine.operations.convolution import Convolution, Geometry
from yolodsc.engine.operations.first import FirstConvolution
from yolodsc.engine.operations.winograd import Winograd, workspace_for, worthwhile
from yolodsc.engine.plan.builder import PlanBuilder
from yolodsc.engine.plan.graph import is_sum
from yolodsc.engine.plan.layout import TensorView, sliced, whole
from yolodsc.network import ConvolutionalLayer, ShortcutLayer, folded


def convolution(builder: PlanBuilder, layer: ConvolutionalLayer) -> None:
    """Add a convolution that is not depthwise."""
    if layer.groups > 1:
        return _grouped(builder, layer)
    source = builder.graph.sources(layer.index)[0]
    few = layer.inputs[0].channels <= 4 and layer.dilation == 1 and layer.size <= 16
    if few and source in builder.planars and source not in builder.views:
        return _first(builder, layer, source)
    return _regular(builder, layer, source)


def _first(builder: PlanBuilder, layer: ConvolutionalLayer, source: int) -> None:
    x, y = builder.planars[source], builder.tensor(layer.index, layer.shape)
    described = (f"first {layer.size}x{layer.size}", (layer.index,), layer.multiply_adds())
    operation = FirstConvolution(*described, x, y, *arrays_of(builder, layer), geometry(layer), layer.activation)
    builder.add(operation, whole(y, layer.filters))


def _regular(builder: PlanBuilder, layer: ConvolutionalLayer, source: int) -> None:
    x, y = builder.view(source), builder.tensor(layer.index, layer.shape)
    kernel, bias = arrays_of(builder, layer)
    macs, out = layer.multiply_adds(), whole(y, layer.filters)
    plain = (layer.size, layer.stride_x, layer.stride_y, layer.dilation) == (3, 1, 1, 1)
    if plain and layer.padding <= 1 and worthwhile(layer.inputs[0].channels, layer.filters, *layer.shape[1:]):
        arguments = (kernel, bias, layer.padding, layer.activation, workspace_for(x, y))
        return builder.add(Winograd("winograd 3x3", (layer.index,), macs, x, y, *arguments), out)
    shortcut, residual = residual_of(builder, layer.index, out)
    layers = (layer.index, *([shortcut] if shortcut is not None else []))
    name = f"conv {layer.size}x{layer.size}"
    return builder.add(Convolution(name, layers, macs, x, y, kernel, bias, geometry(layer), layer.activation, residual), out)


def _grouped(builder: PlanBuilder, layer: ConvolutionalLayer) -> None:
    """A group at a time; if groups do not fill blocks, a block at a time, with zeros between the groups that it contains."""
    lanes, each, inputs = builder.lanes[layer.index], layer.filters // layer.groups, layer.inputs[0].channels // layer.groups
    source = builder.view(builder.graph.sources(layer.index)[0])
    y = builder.tensor(layer.index, layer.shape)
    kernel, bias = arrays_of(builder, layer)
    step = each // lanes if each % lanes == 0 else 1
    for block in range(0, y.blocks, step):
        filters = slice(block * lanes, min((block + step) * lanes, layer.filters))
        first, last = filters.start // each, -(-filters.stop // each)
        x = sliced(source, first * inputs, (last - first) * inputs)
        macs = layer.multiply_adds() // layer.filters * (filters.stop - filters.start)
        groups = f"group {first}" if last - first == 1 else f"groups {first}-{last - 1}"
        dense = _diagonal(kernel[filters], filters.start, each)
        arguments = (dense, bias[filters], geometry(layer), layer.activation, None, (block, block + step))
        builder.add(Convolution(f"conv {layer.size}x{layer.size} {groups}", (layer.index,), macs, x, y, *arguments))
    builder.set_output(layer.index, whole(y, layer.filters))


def _diagonal(kernel: Array, first: int, each: int) -> Array:
    """Filters (F, C, K, K) from number ``first`` on, ``each`` a group, as one group: (F, groups * C, K, K) with zeros between."""
    count, channels, *size = kernel.shape
    group = (first + np.arange(count)) // each - first // each
    out = np.zeros((count, int(group[-1]) + 1, channels, *size), np.float32)
    out[np.arange(count), group] = kernel
    return out.reshape(count, -1, *size)


def residual_of(builder: PlanBuilder, index: int, out: TensorView) -> tuple[int | None, TensorView | None]:
    """A shortcut that the layer's operation can add: its index and the view that is added."""
    reader = builder.graph.only_reader(index)
    if reader is None:
        return None, None
    layer, sources = builder.network.layers[reader], builder.graph.sources(reader)
    if not isinstance(layer, ShortcutLayer) or not is_sum(layer) or layer.activation != "linear" or len(sources) != 2:
        return None, None
    other = sources[0] if sources[1] == index else sources[1]
    view = builder.views.get(other)
    if view is None or view.channels != out.channels or len(list(view.runs())) != 1:
        return None, None
    return reader, view


def arrays_of(builder: PlanBuilder, layer: ConvolutionalLayer) -> tuple[Array, Array]:
    """Kernel and bias, batch norm folded in."""
    return folded(layer, builder.network.weights[layer.index])


def geometry(layer: ConvolutionalLayer) -> Geometry:
    """Size, strides, padding, dilation of a layer."""
    return Geometry(layer.size, layer.stride_y, layer.stride_x, layer.padding, layer.dilation)
