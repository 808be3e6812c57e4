"""The function that exports each layer type."""

from collections.abc import Callable, Sequence
from typing import Any

from yolodsc.convert.onnx import arithmetic, convolution, data_movement, heads, pooling
from yolodsc.convert.onnx.graph import Graph
from yolodsc.network import Weights

Write = Callable[[Graph, Any, Sequence[str], Weights], str]
"""Appends a layer's nodes to the graph, given the names of its inputs, and returns the name of its output."""

LAYERS: dict[str, Write] = {
    "convolutional": convolution.convolutional,
    "connected": convolution.connected,
    "local": convolution.local,
    "batchnorm": convolution.batchnorm,
    "maxpool": pooling.maxpool,
    "local_avgpool": pooling.local_avgpool,
    "avgpool": pooling.avgpool,
    "route": data_movement.route,
    "reorg": data_movement.reorg,
    "reorg3d": data_movement.reorg3d,
    "upsample": data_movement.upsample,
    "crop": data_movement.crop,
    "dropout": data_movement.identity,
    "cost": data_movement.identity,
    "empty": data_movement.identity,
    "implicit": data_movement.implicit,
    "shortcut": arithmetic.shortcut,
    "shift_channels": arithmetic.shifted,
    "sam": arithmetic.product,
    "scale_channels": arithmetic.product,
    "activation": arithmetic.activation,
    "normalization": arithmetic.normalization,
    "softmax": arithmetic.softmax,
    "yolo": heads.yolo,
    "Gaussian_yolo": heads.gaussian_yolo,
    "region": heads.region,
    "detection": heads.detection,
}
"""By `Layer.type`; `tests/onnx_export` fails where a type of `yolodsc.network.layers.LAYER_TYPES` is missing."""
