"""Layers in reduced precision in ONNX: QuantizeLinear and DequantizeLinear around ordinary operations (QDQ), casts for bf16."""

import numpy as np

from yolodsc.convert.onnx.activations import activated
from yolodsc.convert.onnx.convolution import geometry_of
from yolodsc.convert.onnx.graph import Graph
from yolodsc.convert.onnx.windows import convolved
from yolodsc.network import ConvolutionalLayer, Weights, folded
from yolodsc.precision import Int8Weights, TensorScale, integer_bias, round_bf16

FLOAT, BFLOAT16 = 1, 16
"""Element types of Cast (onnx.proto: TensorProto.DataType)."""


def rounded(graph: Graph, x: str, scale: TensorScale) -> str:
    """``x`` rounded to the levels of a tensor of bytes."""
    arguments = graph.number(scale.scale), graph.constant(np.array(scale.zero_point, np.uint8))
    return graph.add("DequantizeLinear", graph.add("QuantizeLinear", x, *arguments), *arguments)


def quantized_convolution(graph: Graph, layer: ConvolutionalLayer, x: str, weights: Int8Weights, scale: TensorScale) -> str:
    """Conv of 8-bit weights, with the bias in units of the products, and the activation; ``scale`` is that of ``x``."""
    scales = graph.constant(weights.scale, "weight_scale")
    zeros = graph.constant(np.zeros(layer.filters, np.int8), "weight_zero_point")
    kernel = graph.add("DequantizeLinear", graph.constant(weights.weights, "weights"), scales, zeros, axis=0)
    unit = (float(scale.scale) * weights.scale.astype(np.float64)).astype(np.float32)
    bias = graph.constant(integer_bias(weights, scale).astype(np.int32), "biases")
    biases = graph.add("DequantizeLinear", bias, graph.constant(unit, "bias_scale"), axis=0)
    return activated(graph, convolved(graph, x, kernel, biases, geometry_of(layer.product), groups=layer.groups), layer.activation)


def bf16_convolution(graph: Graph, layer: ConvolutionalLayer, x: str, weights: Weights) -> str:
    """Conv of an input and weights that are rounded to bf16, with sums, bias and activation in float32."""
    kernel, bias = folded(layer, weights)
    names = graph.constant(round_bf16(kernel), "weights"), graph.constant(bias, "biases")
    x = graph.add("Cast", graph.add("Cast", x, to=BFLOAT16), to=FLOAT)
    return activated(graph, convolved(graph, x, *names, geometry_of(layer.product), groups=layer.groups), layer.activation)
