"""Regular, grouped and first convolutions in the plan, with the shortcut that they can add by themselves."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.engine.operations.convolution import Convolution, Geometry
from yolodsc.engine.operations.first import FirstConvolution
from yolodsc.engine.operations.operation import maps
from yolodsc.engine.operations.winograd import Winograd, worthwhile
from yolodsc.engine.plan.builder import PlanBuilder
from yolodsc.engine.plan.graph import is_sum
from yolodsc.engine.plan.layout import TensorView, sliced, whole
from yolodsc.network import ConvolutionalLayer, ShortcutLayer, folded


def convolution(at: PlanBuilder, layer: ConvolutionalLayer) -> None:
    """Add a convolution that is not depthwise."""
    if layer.groups > 1:
        return _grouped(at, layer)
    source = at.graph.sources(layer.index)[0]
    few = layer.inputs[0].channels <= 4 and layer.dilation == 1 and layer.size <= 16
    if few and source in at.planes and source not in at.views:
        return _first(at, layer, source)
    return _regular(at, layer, source)


def _first(at: PlanBuilder, layer: ConvolutionalLayer, source: int) -> None:
    x, y = at.planes[source], at.map(layer.index, layer.shape)
    name = f"first {layer.size}x{layer.size}"
    macs = layer.multiply_adds()
    operation = FirstConvolution(
        name, (layer.index,), macs, (x,), (y,), x, y, *arrays_of(at, layer), geometry(layer), layer.activation
    )
    at.add(operation)
    at.done(layer.index, whole(y, layer.filters))


def _regular(at: PlanBuilder, layer: ConvolutionalLayer, source: int) -> None:
    x, y = at.walk(at.view(source)), at.map(layer.index, layer.shape)
    kernel, bias = arrays_of(at, layer)
    macs = layer.multiply_adds()
    plain = (layer.size, layer.stride_x, layer.stride_y, layer.dilation) == (3, 1, 1, 1)
    if plain and layer.padding <= 1 and worthwhile(layer.inputs[0].channels, layer.filters, *layer.shape[1:]):
        padding, activation = layer.padding, layer.activation
        at.add(
            Winograd("winograd 3x3", layer.index, macs, x=x, y=y, kernel=kernel, bias=bias, padding=padding, activation=activation)
        )
        at.done(layer.index, whole(y, layer.filters))
        return
    sum_, residual = residual_of(at, layer.index, whole(y, layer.filters))
    names, members = f"conv {layer.size}x{layer.size}", (layer.index, *([sum_] if sum_ is not None else []))
    reads = maps(x, residual)
    at.add(Convolution(names, members, macs, reads, (y,), x, y, kernel, bias, geometry(layer), layer.activation, residual))
    at.done(sum_ if sum_ is not None else layer.index, whole(y, layer.filters))


def _grouped(at: PlanBuilder, layer: ConvolutionalLayer) -> None:
    """A group at a time; where groups do not fill blocks, a block at a time, with zeros between the groups that it holds."""
    lanes, each, seen = at.lanes[layer.index], layer.filters // layer.groups, layer.inputs[0].channels // layer.groups
    source = at.walk(at.view(at.graph.sources(layer.index)[0]))
    y = at.map(layer.index, layer.shape)
    kernel, bias = arrays_of(at, layer)
    step = each // lanes if each % lanes == 0 else 1
    for block in range(0, y.blocks, step):
        own = slice(block * lanes, min((block + step) * lanes, layer.filters))
        groups = (own.start // each, -(-own.stop // each))
        x = at.walk(sliced(source, groups[0] * seen, (groups[1] - groups[0]) * seen))
        macs = layer.multiply_adds() // layer.filters * (own.stop - own.start)
        named = f"group {groups[0]}" if groups[1] - groups[0] == 1 else f"groups {groups[0]}-{groups[1] - 1}"
        name = f"conv {layer.size}x{layer.size} {named}"
        dense = _diagonal(kernel[own], own.start, each)
        arrays = (dense, bias[own], geometry(layer), layer.activation, None, (block, block + step))
        at.add(Convolution(name, (layer.index,), macs, maps(x), (y,), x, y, *arrays))
    return at.done(layer.index, whole(y, layer.filters))


def _diagonal(kernel: Array, first: int, each: int) -> Array:
    """Filters (F, C, K, K) from number ``first`` on, ``each`` a group, as one group: (F, groups * C, K, K) with zeros between."""
    count, seen, *size = kernel.shape
    group = (first + np.arange(count)) // each - first // each
    out = np.zeros((count, int(group[-1]) + 1, seen, *size), np.float32)
    out[np.arange(count), group] = kernel
    return out.reshape(count, -1, *size)


def residual_of(at: PlanBuilder, index: int, out: TensorView) -> tuple[int | None, TensorView | None]:
    """A shortcut that the layer can add by itself: its index and what is added."""
    reader = at.graph.only_reader(index)
    if reader is None:
        return None, None
    layer, sources = at.network.layers[reader], at.graph.sources(reader)
    if not isinstance(layer, ShortcutLayer) or not is_sum(layer) or layer.activation != "linear" or len(sources) != 2:
        return None, None
    other = sources[0] if sources[1] == index else sources[1]
    view = at.views.get(other)
    if view is None or view.channels != out.channels or len(list(view.runs())) != 1:
        return None, None
    return reader, view


def arrays_of(at: PlanBuilder, layer: ConvolutionalLayer) -> tuple[Array, Array]:
    """Kernel and bias, batch norm folded in."""
    return folded(layer, at.network.weights[layer.index])


def geometry(layer: ConvolutionalLayer) -> Geometry:
    """Size, strides, padding, dilation of a layer."""
    return Geometry(layer.size, layer.stride_y, layer.stride_x, layer.padding, layer.dilation)
