"""Layers in reduced precision in ONNX: QuantizeLinear and DequantizeLinear around ordinary operations (QDQ), casts for bf16."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from yolodsc.convert.onnx.activations import activated
from yolodsc.convert.onnx.convolution import geometry_of
from yolodsc.convert.onnx.exact import chains_taps, exact_depthwise, exact_int8_convolution, exactly_rounded
from yolodsc.convert.onnx.graph import BFLOAT16, FLOAT, Graph
from yolodsc.convert.onnx.windows import convolved
from yolodsc.network import ConvolutionalLayer, Layer, Network, Weights, folded
from yolodsc.precision import Int8Weights, Quantization, TensorScale, integer_bias, round_bf16, sources

Int8Form = Literal["fast", "exact"]
"""Form of a quantized network: nodes that runtimes fuse to operations on bytes, or nodes that compute the engine's bits."""


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedGraph:
    """Appends the layers of a quantized network to a graph."""

    graph: Graph
    network: Network
    quantization: Quantization
    form: Int8Form

    def layer(self, layer: Layer, inputs: Sequence[str], weights: Weights) -> str | None:
        """Name of the output of a layer that depends on the quantization; None for a layer that is written as in float32."""
        if not isinstance(layer, ConvolutionalLayer):
            return None
        precision = self.quantization.precision(layer.index)
        if precision == "int8":
            write = exact_int8_convolution if self.form == "exact" else quantized_convolution
            scale = self.quantization.scales[sources(self.network, layer.index)[0]]
            return write(self.graph, layer, inputs[0], self.quantization.weights[layer.index], scale)
        if precision == "bf16":
            return bf16_convolution(self.graph, layer, inputs[0], weights)
        if self.form == "exact" and chains_taps(layer):
            return exact_depthwise(self.graph, layer, inputs[0], weights)
        return None

    def stored(self, index: int, output: str) -> str:
        """The output of a layer as it is stored: rounded where it is stored in bytes."""
        scale = self.quantization.scales.get(index)
        if scale is None:
            return output
        return (exactly_rounded if self.form == "exact" else rounded)(self.graph, output, scale)


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
