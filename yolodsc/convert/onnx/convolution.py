"""``[convolutional]``, ``[connected]``, ``[local]``, ``[batchnorm]``: layers with weights, batch normalization folded."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.convert.onnx.activations import activated
from yolodsc.convert.onnx.graph import Graph
from yolodsc.convert.onnx.windows import WindowGeometry, convolved
from yolodsc.network import (
    BLUR_GEOMETRY,
    BatchnormLayer,
    ConnectedLayer,
    ConvolutionalLayer,
    LocalLayer,
    Product,
    Weights,
    binarized_weights,
    folded,
    scale_and_shift,
)


def convolutional(graph: Graph, layer: ConvolutionalLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Conv with bias, activation, and the blur of ``antialiasing``."""
    (x,) = inputs
    if layer.xnor:
        x, weights = _signs(graph, x), {**weights, "weights": binarized_weights(weights["weights"])}
    kernel, biases = folded(layer, weights)
    out = activated(graph, _multiplied(graph, layer.product, x, kernel, graph.constant(biases, "biases")), layer.activation)
    if not layer.antialiasing:
        return out
    strides = (layer.stride_y, layer.stride_x)
    return blurred(graph, out, layer.convolved, layer.shape, antialiasing=layer.antialiasing, strides=strides)


def _multiplied(graph: Graph, product: Product, x: str, kernel: Array, biases: str) -> str:
    """Conv of windows, or 1x1 on the input as Darknet reads it."""
    if product.reads != "windows":
        x = _rearranged(graph, product, x)
        weights = graph.constant(kernel.reshape(product.filters, -1, 1, 1), "weights")
        return graph.add("Conv", x, weights, biases, kernel_shape=[1, 1], group=product.groups)
    geometry = geometry_of(product)
    if product.padding_value and product.halo:
        x, geometry = _padded(graph, geometry, x, product.padding_value)
    return convolved(graph, x, graph.constant(kernel, "weights"), biases, geometry, groups=product.groups)


def geometry_of(product: Product) -> WindowGeometry:
    """The windows of a convolution."""
    return WindowGeometry(
        input_shape=product.input,
        shape=product.shape,
        size=product.size,
        strides=product.strides,
        padding=product.halo,
        dilation=product.dilation,
    )


def _padded(graph: Graph, geometry: WindowGeometry, x: str, value: float) -> tuple[str, WindowGeometry]:
    """``x`` padded with ``value`` wherever its windows extend beyond it, and the geometry on the padded input."""
    padding, (below, right) = geometry.padding, geometry.padding_after
    channels, height, width = geometry.input_shape
    padded = graph.pad(x, [0, 0, padding, padding], [0, 0, below, right], value)
    shape = Shape(channels, height + padding + below, width + padding + right)
    return padded, replace(geometry, input_shape=shape, padding=0)


def _rearranged(graph: Graph, product: Product, x: str) -> str:
    """``x`` as `yolodsc.network.reference.columns` rearranges it."""
    _, height, width = product.shape
    rows, listed = product.input.channels, product.input.height * product.input.width
    if product.reads == "shifted":
        x, rows, listed = _columns(graph, product, x), rows * product.size**2, prod(product.columns)
    group_rows = rows // product.groups
    flat = graph.reshape(x, product.groups, group_rows * listed)
    if height * width > listed:
        flat = graph.pad(flat, [0, 0, 0], [0, 0, group_rows * (height * width - listed)])
    return graph.reshape(graph.slice(flat, [0], [group_rows * height * width], [2]), rows, height, width)


def _columns(graph: Graph, product: Product, x: str) -> str:
    """Columns (N, C K K, H', W') by a convolution with unit kernels."""
    channels, count = product.input.channels, product.input.channels * product.size**2
    geometry = replace(geometry_of(product), shape=Shape(count, *product.columns))
    units, biases = (
        graph.constant(_units(channels, product.size), "units"),
        graph.constant(np.zeros(count, np.float32), "no_biases"),
    )
    return convolved(graph, x, units, biases, geometry, groups=channels)


def _units(channels: int, size: int) -> Array:
    """Kernels (C K K, 1, K, K), each of which selects one pixel of the window."""
    return np.tile(np.eye(size**2, dtype=np.float32).reshape(size**2, 1, size, size), (channels, 1, 1, 1))


def blurred(graph: Graph, x: str, input_shape: Shape, shape: Shape, *, antialiasing: int, strides: tuple[int, int]) -> str:
    """The fixed depthwise blur of an anti-aliased layer (`yolodsc.network.reference.convolution.blur`)."""
    size, padding = BLUR_GEOMETRY[antialiasing]
    row = np.array([1, 2, 1] if size == 3 else [1, 1], np.float32)
    kernel = np.outer(row, row) / row.sum() ** 2  # (K, K)
    channels = input_shape.channels
    weights = graph.constant(np.broadcast_to(kernel, (channels, 1, size, size)), "blur")
    biases = graph.constant(np.zeros(channels, np.float32), "no_biases")
    geometry = WindowGeometry(input_shape=input_shape, shape=shape, size=size, strides=strides, padding=padding)
    return convolved(graph, x, weights, biases, geometry, groups=channels)


def connected(graph: Graph, layer: ConnectedLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Gemm on the flattened input."""
    matrix, biases = folded(layer, weights)  # (F, C H W), (F,)
    flat = graph.reshape(inputs[0], layer.inputs[0].size)
    product = graph.add("Gemm", flat, graph.constant(matrix, "weights"), graph.constant(biases, "biases"), transB=1)
    return activated(graph, graph.reshape(product, *layer.shape), layer.activation)


def local(graph: Graph, layer: LocalLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Columns by a convolution with unit kernels, then one matrix product for each location."""
    channels = layer.inputs[0].channels
    units = _units(channels, layer.size)
    column = Shape(len(units), *layer.shape[1:])
    geometry = WindowGeometry(
        input_shape=layer.inputs[0], shape=column, size=layer.size, strides=(layer.stride, layer.stride), padding=layer.pad
    )
    no_biases = np.zeros(len(units), np.float32)
    names = graph.constant(units, "units"), graph.constant(no_biases, "no_biases")
    columns = convolved(graph, inputs[0], *names, geometry, groups=channels)
    locations = layer.shape.height * layer.shape.width
    seen = graph.transpose(graph.reshape(columns, column.channels, locations), 2, 1, 0)  # (locations, C K K, N)
    product = graph.add("MatMul", graph.constant(weights["weights"], "weights"), seen)  # (locations, F, N)
    out = graph.reshape(graph.transpose(product, 2, 1, 0), *layer.shape)
    biases = graph.constant(weights["biases"].reshape(1, *layer.shape), "biases")
    return activated(graph, graph.add("Add", out, biases), layer.activation)


def batchnorm(graph: Graph, layer: BatchnormLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Mul and Add with one scale and one shift for each channel."""
    scale, shift = (array.astype(np.float32).reshape(1, -1, 1, 1) for array in scale_and_shift(weights, profile=layer.profile))
    scaled = graph.add("Mul", inputs[0], graph.constant(scale, "factors"))
    return graph.add("Add", scaled, graph.constant(shift, "offsets"))


def _signs(graph: Graph, x: str) -> str:
    """+1 above 0, else -1."""
    return graph.add("Where", graph.add("Greater", x, graph.number(0)), graph.number(1), graph.number(-1))
