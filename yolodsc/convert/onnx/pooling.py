"""``[maxpool]``, ``[local_avgpool]``, ``[avgpool]``."""

from collections.abc import Sequence

from yolodsc.convert.onnx.convolution import blurred
from yolodsc.convert.onnx.graph import Graph
from yolodsc.convert.onnx.windows import LOWEST, WindowGeometry, pooled
from yolodsc.errors import ConversionError
from yolodsc.network import AvgpoolLayer, LocalAvgpoolLayer, MaxpoolLayer, Weights, pooled_shape


def maxpool(graph: Graph, layer: MaxpoolLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Over space, or over channels; with antialiasing at stride 1, followed by the blur."""
    if layer.maxpool_depth:
        return _over_channels(graph, layer, inputs[0])
    if not layer.antialiasing:
        return pooled(graph, "MaxPool", inputs[0], _geometry(layer))
    strides = (layer.stride_y, layer.stride_x)
    sharp = pooled_shape(layer.inputs[0], size=layer.size, stride_x=1, stride_y=1, padding=layer.padding)
    geometry = WindowGeometry(input_shape=layer.inputs[0], shape=sharp, size=layer.size, strides=(1, 1), padding=layer.padding // 2)
    out = pooled(graph, "MaxPool", inputs[0], geometry)
    return blurred(graph, out, sharp, layer.shape, antialiasing=layer.antialiasing, strides=strides)


def local_avgpool(graph: Graph, layer: LocalAvgpoolLayer, inputs: Sequence[str], weights: Weights) -> str:
    """AveragePool over the pixels inside the image only."""
    geometry = _geometry(layer)
    if max(geometry.padding, *geometry.padding_after) >= layer.size:
        found = f"layer {layer.index} [{layer.type}]: windows of {layer.size} wholly outside an input of {layer.inputs[0]}"
        raise ConversionError(f"{found}; ONNX averages pixels inside the input only")
    return pooled(graph, "AveragePool", inputs[0], geometry)


def avgpool(graph: Graph, layer: AvgpoolLayer, inputs: Sequence[str], weights: Weights) -> str:
    """Mean of each channel."""
    return graph.add("GlobalAveragePool", inputs[0])


def _geometry(layer: MaxpoolLayer | LocalAvgpoolLayer) -> WindowGeometry:
    return WindowGeometry(
        input_shape=layer.inputs[0],
        shape=layer.shape,
        size=layer.size,
        strides=(layer.stride_y, layer.stride_x),
        padding=layer.padding // 2,
    )


def _over_channels(graph: Graph, layer: MaxpoolLayer, x: str) -> str:
    """Maximum of channels g, g + n, g + 2n, …, for n output channels; missing channels hold `LOWEST`."""
    channels, height, width = layer.inputs[0]
    missing = -channels % layer.maxpool_depth
    if missing:
        x = graph.pad(x, [0, 0, 0, 0], [0, missing, 0, 0], LOWEST)
    rounds = graph.reshape(x, (channels + missing) // layer.maxpool_depth, layer.maxpool_depth, height * width)
    return graph.reshape(graph.add("ReduceMax", rounds, axes=[1], keepdims=0), *layer.shape)
