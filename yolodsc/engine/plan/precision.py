"""The precision of each product and the storage of each tensor.

In bf16 every convolution but the depthwise ones multiplies bf16, and the tensors that they read are stored as bf16; what only
depthwise layers, heads and reference operations read stays float32. A quantization states both for int8. Without instructions for
dot products of bf16, such layers run in float32.
"""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from yolodsc.engine.codegen.dtypes import BF16, F32, DType, Element
from yolodsc.engine.plan.graph import LayerGraph, is_convolution, is_depthwise
from yolodsc.jit import Isa
from yolodsc.network import Layer, MaxpoolLayer, RouteLayer, UpsampleLayer
from yolodsc.values import Value

if TYPE_CHECKING:
    from yolodsc.precision import Int8Weights, Precision, Quantization

MOVING = (RouteLayer, MaxpoolLayer, UpsampleLayer)
"""Layers whose inputs and output are stored alike."""


class PrecisionPlan(Value):
    """What is not float32.

    Attributes
    ----------
    products
        Number format of the products of convolutions.
    elements
        How the output of a layer is stored, -1: the image.
    weights
        Of the layers whose products are bytes.
    """

    products: Mapping[int, DType] = {}
    elements: Mapping[int, Element] = {}
    weights: Mapping[int, "Int8Weights"] = {}

    def product(self, index: int) -> DType:
        """Number format of a layer's products."""
        return self.products.get(index, "f32")

    def element(self, index: int) -> Element:
        """How the output of a layer is stored."""
        return self.elements.get(index, F32)


def planned_precision(
    graph: LayerGraph, isa: Isa, precision: "Precision", quantization: "Quantization | None", reads_blocks: Callable[[Layer], bool]
) -> PrecisionPlan:
    """The plan for a network; ``reads_blocks`` says whether a layer has kernels that read blocked tensors."""
    if quantization is not None:
        return _quantized(isa, quantization)
    if precision == "f32" or not isa.bf16:
        return PrecisionPlan()
    layers = graph.network.layers
    products: dict[int, DType] = {i: "bf16" for i in graph.needed if is_convolution(layers[i]) and not is_depthwise(layers[i])}
    return PrecisionPlan(products, dict.fromkeys(_read_by_products(graph, products, reads_blocks), BF16))


def _quantized(isa: Isa, quantization: "Quantization") -> PrecisionPlan:
    dtypes: Mapping[Precision, DType] = {"int8": "u8", "bf16": "bf16" if isa.bf16 else "f32", "f32": "f32"}
    products = {index: dtypes[precision] for index, precision in quantization.layers.items()}
    elements = {index: Element("u8", scale.scale, scale.zero_point) for index, scale in quantization.scales.items()}
    return PrecisionPlan(products, elements, quantization.weights)


def _read_by_products(graph: LayerGraph, products: Collection[int], reads_blocks: Callable[[Layer], bool]) -> list[int]:
    """Tensors that products of bf16 read, themselves or through layers that move numbers; such layers' inputs are alike."""
    parent: dict[int, int] = {}

    def root(index: int) -> int:
        while parent.setdefault(index, index) != index:
            index = parent[index]
        return index

    layers = graph.network.layers
    read: set[int] = set()
    for index in graph.needed:
        root(index)
        for source in graph.sources(index):
            if not reads_blocks(layers[index]):
                root(source)
            elif isinstance(layers[index], MOVING):
                parent[root(source)] = root(index)
            elif index in products:
                read.add(source)
            else:
                root(source)
    roots = {root(index) for index in read}
    return [index for index in list(parent) if root(index) in roots]
