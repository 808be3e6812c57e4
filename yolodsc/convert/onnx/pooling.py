"""``[maxpool]``, ``[local_avgpool]``, ``[avgpool]``."""

from collections.abc import Sequence

from yolodsc.convert.onnx.convolution import blurred
from yolodsc.convert.onnx.graph import Graph
from yolodsc.convert.onnx.windows import LOWEST, behind, pooled
from yolodsc.errors import ConversionError
from yolodsc.network import AvgpoolLayer, LocalAvgpoolLayer, MaxpoolLayer, Weights, pooled_shape


def maxpool(graph: Graph, layer: MaxpoolLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Over space, or over channels; with antialiasing at stride 1 and then the blur."""
    if layer.maxpool_depth:
        return _over_channels(graph, layer, inputs[0])
    input_shape, padding, strides = layer.inputs[0], layer.padding // 2, (layer.stride_y, layer.stride_x)
    if not layer.antialiasing:
        return pooled(
            graph,
            "MaxPool",
            inputs[0],
            input_shape=input_shape,
            shape=layer.shape,
            size=layer.size,
            strides=strides,
            padding=padding,
        )
    sharp = pooled_shape(input_shape, size=layer.size, stride_x=1, stride_y=1, padding=layer.padding)
    out = pooled(
        graph, "MaxPool", inputs[0], input_shape=input_shape, shape=sharp, size=layer.size, strides=(1, 1), padding=padding
    )
    return blurred(graph, out, sharp, layer.shape, antialiasing=layer.antialiasing, strides=strides)


def local_avgpool(graph: Graph, layer: LocalAvgpoolLayer, inputs: Sequence[str], weights: Weights) -> str:
    """AveragePool that counts cells of the map only."""
    input_shape, padding, strides = layer.inputs[0], layer.padding // 2, (layer.stride_y, layer.stride_x)
    after = behind(input_shape, layer.shape, extent=layer.size, strides=strides, padding=padding)
    if max(padding, *after) >= layer.size:
        found = f"layer {layer.index} [{layer.type}]: windows of {layer.size} that lie wholly outside a map of {input_shape}"
        raise ConversionError(f"{found}; ONNX averages only what is there")
    return pooled(
        graph,
        "AveragePool",
        inputs[0],
        input_shape=input_shape,
        shape=layer.shape,
        size=layer.size,
        strides=strides,
        padding=padding,
    )


def avgpool(graph: Graph, layer: AvgpoolLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Mean of each channel."""
    return graph.add("GlobalAveragePool", inputs[0])


def _over_channels(graph: Graph, layer: MaxpoolLayer, x: str) -> str:
    """Largest of channels g, g + n, g + 2n, …; the last round is filled up where n does not divide the channels."""
    channels, height, width = layer.inputs[0]
    missing = -channels % layer.maxpool_depth
    if missing:
        x = graph.pad(x, [0, 0, 0, 0], [0, missing, 0, 0], LOWEST)
    rounds = graph.reshape(x, (channels + missing) // layer.maxpool_depth, layer.maxpool_depth, height * width)
    return graph.reshape(graph.add("ReduceMax", rounds, axes=[1], keepdims=0), *layer.shape)
