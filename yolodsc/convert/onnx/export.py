"""`export_onnx`: layers to a graph, the graph to a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from yolodsc.convert.onnx.graph import INPUT, Graph
from yolodsc.convert.onnx.layers import LAYERS
from yolodsc.convert.onnx.quantized import Int8Form, QuantizedGraph
from yolodsc.errors import ConversionError, MissingExtraError
from yolodsc.files import write_bytes
from yolodsc.network import INPUT_INDEX, Head, Network, reachable
from yolodsc.precision import Quantization, check_quantization

OPSET = 13
"""Version of the ONNX operator set; runtimes since 2021 support it."""

MAX_BYTES = 2**31 - 2**20
"""Maximum size of the constants: 2 GiB, the limit of the format, less 1 MiB for names and nodes."""

Heads = Literal["activated", "raw"]


def export_onnx(
    network: Network,
    path: str | Path,
    *,
    outputs: Sequence[int] | None = None,
    heads: Heads = "activated",
    dynamic_batch: bool = False,
    quantization: Quantization | None = None,
    int8_form: Int8Form = "fast",
) -> None:
    """Write a network as an ONNX model.

    The input is ``picture``, (N, C, H, W) float32, RGB in 0..1. The outputs are ``layer_94`` and so on, (N, *layer.shape).

    Parameters
    ----------
    outputs
        Indices of the output layers; by default the heads, or the last layer of a network without heads.
    heads
        ``activated``: the outputs of the engine, after logistic or softmax. ``raw``: the inputs of the heads.
    dynamic_batch
        Whether the model accepts any N; else N is 1.
    quantization
        Write its int8 layers with 8-bit weights, round the tensors that it stores in bytes (QuantizeLinear and
        DequantizeLinear), and round inputs and weights of bf16 layers to bf16.
    int8_form
        ``fast``: in the form that runtimes fuse to operations on bytes; they round some sums to the neighbouring level. ``exact``:
        a form that is slower, but gives the bytes of the engine in runtimes that compute each node as written (ONNX Runtime).

    Raises
    ------
    QuantizationError
        The quantization does not fit the network.
    ConversionError
        A layer cannot be expressed, an output does not exist, the weights exceed 2 GiB, or the path cannot be written.
    MissingExtraError
        The library onnx is not installed.
    """
    chosen = _chosen(network, outputs)
    if quantization is not None:
        check_quantization(network, quantization)
    graph = _graph(network, chosen, raw_heads=heads == "raw", quantization=quantization, int8_form=int8_form)
    write_bytes(path, _serialised(network, graph, chosen, dynamic_batch=dynamic_batch), error=ConversionError)


def _graph(
    network: Network, chosen: Sequence[int], *, raw_heads: bool, quantization: Quantization | None, int8_form: Int8Form
) -> Graph:
    """The nodes of all layers that the chosen ones need."""
    graph, needed = Graph(), reachable(network.layers, chosen)
    lowered = None if quantization is None else QuantizedGraph(graph, network, quantization, int8_form)
    names = {INPUT_INDEX: lowered.stored(INPUT_INDEX, INPUT) if lowered else INPUT}
    for layer, weights in zip(network.layers, network.weights, strict=True):
        if layer.index not in needed:
            continue
        graph.layer = f"layer_{layer.index}"
        inputs = [names[source] for source in layer.sources]
        if raw_heads and isinstance(layer, Head):
            output = inputs[0]
        else:
            written = lowered.layer(layer, inputs, weights) if lowered else None
            output = written or LAYERS[layer.type](graph, layer, inputs, weights)
            output = lowered.stored(layer.index, output) if lowered else output
        names[layer.index] = _named(graph, output, graph.layer, is_output=layer.index in chosen)
    return graph


def _chosen(network: Network, outputs: Sequence[int] | None) -> list[int]:
    """Indices of the output layers, in order."""
    if outputs is None:
        return [head.index for head in network.heads] or [network.output]
    for index in outputs:
        if not 0 <= index < len(network.layers):
            raise ConversionError(f"output layer {index}: the network has {len(network.layers)}")
    return sorted(set(outputs))


def _named(graph: Graph, output: str, name: str, *, is_output: bool) -> str:
    """Rename the output to its layer's name; a layer that returns its input gets a name only if it is an output."""
    if output.startswith(f"{name}/"):
        graph.rename(output, name)
        return name
    if not is_output:
        return output
    copy = graph.add("Identity", output)
    graph.rename(copy, name)
    return name


def _serialised(network: Network, graph: Graph, outputs: Sequence[int], *, dynamic_batch: bool) -> bytes:
    size = sum(array.nbytes for array in graph.constants.values())
    if size > MAX_BYTES:
        raise ConversionError(f"{size / 2**30:.1f} GiB of weights; an ONNX file holds 2")
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise MissingExtraError("onnx", needed_for="an .onnx file") from None
    batch: Any = "N" if dynamic_batch else 1
    image = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [batch, *network.input_shape])
    results = [
        helper.make_tensor_value_info(f"layer_{index}", TensorProto.FLOAT, [batch, *network.layers[index].shape])
        for index in outputs
    ]
    nodes = [
        helper.make_node(node.operation, node.inputs, [node.output], name=node.output, **node.attributes) for node in graph.nodes
    ]
    constants = [numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    body = helper.make_graph(nodes, Path(network.cfg.file).stem or "network", [image], results, constants)
    model = helper.make_model(body, producer_name="yolodsc", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content
