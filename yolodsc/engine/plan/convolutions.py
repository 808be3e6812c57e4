"""Planning of regular, grouped and first convolutions, with the shortcut that they can add."""

from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.engine.codegen.dtypes import BF16
from yolodsc.engine.operations.coefficients import AMX, Coefficients
from yolodsc.engine.operations.convolution import Convolution, Geometry
from yolodsc.engine.operations.first import FirstConvolution
from yolodsc.engine.operations.operation import Operation
from yolodsc.engine.operations.winograd import Winograd, workspace_for, worthwhile
from yolodsc.engine.plan.builder import PlanBuilder
from yolodsc.engine.plan.graph import is_pool, is_sum
from yolodsc.engine.plan.layout import Tensor, TensorView, sliced, whole
from yolodsc.network import INPUT_INDEX, ConvolutionalLayer, MaxpoolLayer, ShortcutLayer, folded

if TYPE_CHECKING:
    from yolodsc.engine.operations.interleaved_first import InterleavedFirst

LARGE = 128 * 1024
"""Bytes of an output that is better not stored: the maxpool that reads it becomes part of the convolution."""


def convolution(builder: PlanBuilder, layer: ConvolutionalLayer) -> None:
    """Add a convolution that is not depthwise."""
    if layer.groups > 1:
        return _grouped(builder, layer)
    source = builder.graph.sources(layer.index)[0]
    few = layer.inputs[0].channels <= 4 and layer.dilation == 1 and layer.size <= 16
    exact = builder.precision.product(layer.index) == "u8" or builder.precision.element(source).dtype != "u8"
    if few and exact and source not in builder.views and (source == INPUT_INDEX or source in builder.planars):
        return _first(builder, layer, source)
    return _regular(builder, layer, source)


def _first(builder: PlanBuilder, layer: ConvolutionalLayer, source: int) -> None:
    x, y = builder.image if source == INPUT_INDEX else builder.planars[source], builder.tensor(layer.index, layer.shape)
    described = (f"first {layer.size}x{layer.size}", (layer.index,), layer.multiply_adds())
    weights = coefficients(builder, layer)
    if weights.dtype == "f32":
        operation: Operation = FirstConvolution(*described, x, y, weights, geometry(layer), layer.activation)
    else:
        element = builder.precision.element(source) if weights.dtype == "u8" else BF16
        from yolodsc.engine.operations.interleaved_first import InterleavedFirst

        operation = InterleavedFirst(*described, x, y, element, weights, geometry(layer), layer.activation)
        if _pooled(builder, layer, operation):
            return
    builder.add(operation, whole(y, layer.filters))


def _regular(builder: PlanBuilder, layer: ConvolutionalLayer, source: int) -> None:
    y = builder.tensor(layer.index, layer.shape)
    macs, out = layer.multiply_adds(), whole(y, layer.filters)
    if _through_winograd(builder, layer, y):
        x = builder.view(source, None if builder.view(source).dtype == "bf16" else "f32")
        transformed = (*arrays_of(builder, layer), layer.padding, layer.activation, workspace_for(x, y))
        return builder.add(Winograd("winograd 3x3", (layer.index,), macs, x, y, *transformed), out)
    weights = coefficients(builder, layer)
    x = builder.view(source, weights.dtype)
    shortcut, residual = residual_of(builder, layer.index, out)
    layers = (layer.index, *([shortcut] if shortcut is not None else []))
    y = builder.tensor(layers[-1], layer.shape)
    name = f"conv {layer.size}x{layer.size}"
    arguments = (weights, geometry(layer), layer.activation, residual)
    operation = Convolution(name, layers, macs, x, y, *arguments)
    if shortcut is None and weights.dtype != "f32" and _pooled(builder, layer, operation):
        return None
    return builder.add(operation, whole(y, layer.filters))


def _pooled(builder: PlanBuilder, layer: ConvolutionalLayer, convolution: "Convolution | InterleavedFirst") -> bool:
    """Add the convolution and its maxpool as one operation, if it can be done and pays."""
    reader = builder.graph.only_reader(layer.index)
    pool = builder.network.layers[reader] if reader is not None else None
    if not isinstance(pool, MaxpoolLayer) or not is_pool(pool) or convolution.y.size < LARGE:
        return False
    y = builder.tensor(pool.index, pool.shape)
    square = (pool.size, pool.stride_y, pool.stride_x, pool.padding // 2) == (2, 2, 2, 0)
    halves = (2 * pool.shape.height, 2 * pool.shape.width) == (layer.shape.height, layer.shape.width)
    if not square or not halves or y.element != convolution.y.element:
        return False
    from yolodsc.engine.operations.pooled import PooledConvolution

    described = (f"{convolution.name} + maxpool", (layer.index, pool.index), convolution.macs)
    builder.add(PooledConvolution(*described, convolution, y), whole(y, layer.filters))
    return True


def _through_winograd(builder: PlanBuilder, layer: ConvolutionalLayer, y: Tensor) -> bool:
    """Whether Winograd's method in float32 is faster than the direct one in the layer's precision."""
    plain = (layer.size, layer.stride_x, layer.stride_y, layer.dilation) == (3, 1, 1, 1) and layer.padding <= 1
    product = builder.precision.product(layer.index)
    if product == "u8" or (product == "bf16" and AMX in builder.isa.bf16):
        return False
    return plain and worthwhile(layer.inputs[0].channels, layer.filters, *layer.shape[1:])


def _grouped(builder: PlanBuilder, layer: ConvolutionalLayer) -> None:
    """A group at a time; if groups do not fill blocks, a block at a time, with zeros between the groups that it contains."""
    lanes, each, inputs = builder.lanes[layer.index], layer.filters // layer.groups, layer.inputs[0].channels // layer.groups
    weights = coefficients(builder, layer)
    source = builder.view(builder.graph.sources(layer.index)[0], weights.dtype)
    y = builder.tensor(layer.index, layer.shape)
    step = each // lanes if each % lanes == 0 else 1
    for block in range(0, y.blocks, step):
        filters = slice(block * lanes, min((block + step) * lanes, layer.filters))
        first, last = filters.start // each, -(-filters.stop // each)
        x = sliced(source, first * inputs, (last - first) * inputs)
        macs = layer.multiply_adds() // layer.filters * (filters.stop - filters.start)
        groups = f"group {first}" if last - first == 1 else f"groups {first}-{last - 1}"
        part = weights.filters(filters.start, filters.stop)
        dense = replace(part, kernel=_diagonal(part.kernel, filters.start, each))
        arguments = (dense, geometry(layer), layer.activation, None, (block, block + step))
        builder.add(Convolution(f"conv {layer.size}x{layer.size} {groups}", (layer.index,), macs, x, y, *arguments))
    builder.set_output(layer.index, whole(y, layer.filters))


def _diagonal(kernel: NDArray[Any], first: int, each: int) -> NDArray[Any]:
    """Filters (F, C, K, K) from number ``first`` on, ``each`` a group, as one group: (F, groups * C, K, K) with zeros between."""
    count, channels, *size = kernel.shape
    group = (first + np.arange(count)) // each - first // each
    out = np.zeros((count, int(group[-1]) + 1, channels, *size), kernel.dtype)
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


def coefficients(builder: PlanBuilder, layer: ConvolutionalLayer) -> Coefficients:
    """Weights and bias of a layer in the precision of its products."""
    dtype = builder.precision.product(layer.index)
    if dtype != "u8":
        return Coefficients(*arrays_of(builder, layer), dtype)
    from yolodsc.precision import TensorScale, integer_bias, multipliers

    weights = builder.precision.weights[layer.index]
    element = builder.precision.element(builder.graph.sources(layer.index)[0])
    scale = TensorScale(element.scale, element.zero_point)
    return Coefficients(weights.weights, integer_bias(weights, scale), dtype, multipliers(weights, scale), element.zero_point)


def geometry(layer: ConvolutionalLayer) -> Geometry:
    """Size, strides, padding, dilation of a layer."""
    return Geometry(layer.size, layer.stride_y, layer.stride_x, layer.padding, layer.dilation)
