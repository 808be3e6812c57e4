"""Layers of a quantized network in ONNX whose results equal the engine's bits, in runtimes that compute each node as written.

Sums are sums of integers in float32, which are exact below 2**24 in any order. Scales are separate products, in the engine's order.
A depthwise layer in float32 is a chain of products and sums, tap by tap: each is computed in float64 and rounded to float32,
which is a fused multiply-add but for double roundings (one in 2**29).
"""

import numpy as np

from yolodsc.convert.onnx.activations import activated
from yolodsc.convert.onnx.convolution import geometry_of
from yolodsc.convert.onnx.graph import DOUBLE, FLOAT, Graph
from yolodsc.convert.onnx.windows import convolved
from yolodsc.network import ConvolutionalLayer, Weights, folded
from yolodsc.precision import DEPTHWISE_LIMIT, Int8Weights, TensorScale, integer_bias, multipliers


def exactly_rounded(graph: Graph, x: str, scale: TensorScale) -> str:
    """``x`` rounded to the levels of a tensor of bytes, multiplied by the inverse of the scale as the engine does."""
    zero = graph.constant(np.array(scale.zero_point, np.uint8))
    levels = graph.add("QuantizeLinear", graph.add("Mul", x, graph.number(float(scale.inverse))), graph.number(1), zero)
    return graph.add("DequantizeLinear", levels, graph.number(scale.scale), zero)


def exact_int8_convolution(graph: Graph, layer: ConvolutionalLayer, x: str, weights: Int8Weights, scale: TensorScale) -> str:
    """Conv of integers, multiplied by the scales, and the activation; ``scale`` is that of ``x``."""
    integers = graph.add("Round", graph.add("Mul", x, graph.number(float(scale.inverse))))
    units = graph.constant(np.ones(layer.filters, np.float32), "weight_scale")
    zeros = graph.constant(np.zeros(layer.filters, np.int8), "weight_zero_point")
    kernel = graph.add("DequantizeLinear", graph.constant(weights.weights, "weights"), units, zeros, axis=0)
    bias = graph.constant(integer_bias(weights, scale).astype(np.float32), "biases")
    sums = convolved(graph, integers, kernel, bias, geometry_of(layer.product), groups=layer.groups)
    return activated(graph, graph.add("Mul", sums, _by_channel(graph, multipliers(weights, scale))), layer.activation)


def chains_taps(layer: ConvolutionalLayer) -> bool:
    """Whether the engine computes a layer in float32 tap by tap, as `exact_depthwise` does."""
    return layer.depthwise and layer.ordinary and layer.size <= DEPTHWISE_LIMIT


def exact_depthwise(graph: Graph, layer: ConvolutionalLayer, x: str, weights: Weights) -> str:
    """The bias, then every tap by rows."""
    kernel, bias = folded(layer, weights)  # (F, 1, K, K), (F,)
    geometry, times = geometry_of(layer.product), layer.filters // layer.groups
    if times > 1:
        x = graph.add("Gather", x, graph.indices(np.arange(layer.groups).repeat(times).tolist()), axis=1)
    halo, (below, right) = geometry.padding, geometry.padding_after
    windows = graph.add("Cast", graph.pad(x, [0, 0, halo, halo], [0, 0, below, right]), to=DOUBLE)
    total = graph.add("Cast", _by_channel(graph, bias), to=DOUBLE)
    for ky, kx in np.ndindex(layer.size, layer.size):
        tap = graph.add("Cast", _by_channel(graph, kernel[:, 0, ky, kx]), to=DOUBLE)
        first = [ky * layer.dilation, kx * layer.dilation]
        last = [start + (n - 1) * s + 1 for start, n, s in zip(first, layer.shape[1:], geometry.strides, strict=True)]
        seen = graph.slice(windows, first, last, [2, 3], geometry.strides)
        total = _single(graph, graph.add("Add", graph.add("Mul", seen, tap), total))
    return activated(graph, graph.add("Cast", total, to=FLOAT), layer.activation)


def _single(graph: Graph, x: str) -> str:
    """float64 values rounded to float32."""
    return graph.add("Cast", graph.add("Cast", x, to=FLOAT), to=DOUBLE)


def _by_channel(graph: Graph, values: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> str:
    """One number for each channel, (1, C, 1, 1)."""
    return graph.constant(values.astype(np.float32).reshape(1, -1, 1, 1))
