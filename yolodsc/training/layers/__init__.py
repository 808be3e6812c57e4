"""One file for each layer type that can be trained; `training_operation` finds it."""

from collections.abc import Callable
from typing import Any

from yolodsc.errors import YolodscError
from yolodsc.network import ConvolutionalLayer, Layer
from yolodsc.training.layers.activation import ActivationTraining
from yolodsc.training.layers.avgpool import AvgpoolTraining
from yolodsc.training.layers.context import LayerContext, TrainingOperation
from yolodsc.training.layers.convolution import convolution
from yolodsc.training.layers.maxpool import MaxpoolTraining
from yolodsc.training.layers.multiply import MultiplyTraining
from yolodsc.training.layers.reorg import ReorgTraining
from yolodsc.training.layers.route import RouteTraining
from yolodsc.training.layers.shortcut import ShortcutTraining
from yolodsc.training.layers.upsample import UpsampleTraining

OPERATIONS: dict[str, Callable[[LayerContext[Any]], TrainingOperation]] = {
    "convolutional": convolution,
    "activation": ActivationTraining,
    "avgpool": AvgpoolTraining,
    "maxpool": MaxpoolTraining,
    "reorg": ReorgTraining,
    "route": RouteTraining,
    "sam": MultiplyTraining,
    "scale_channels": MultiplyTraining,
    "shortcut": ShortcutTraining,
    "upsample": UpsampleTraining,
}
"""By the canonical names of layer types."""

IDENTITY_LAYERS = frozenset({"dropout", "cost", "empty", "yolo", "region", "Gaussian_yolo"})
"""Types of layers whose output is their input in training: heads, whose raw input the losses read, and layers without effect."""


def require_trainable(layer: Layer) -> None:
    """Raise `YolodscError` for a layer that has no backward pass."""
    if layer.type not in OPERATIONS and layer.type not in IDENTITY_LAYERS:
        raise YolodscError(f"layer {layer.index} [{layer.type}] cannot be trained: it has no backward pass")
    if isinstance(layer, ConvolutionalLayer) and not layer.ordinary:
        raise layer.section.error("with xnor, antialiasing or a misread input cannot be trained")


def training_operation(context: LayerContext[Any]) -> TrainingOperation:
    """Return the operation of the layer of a context."""
    return OPERATIONS[context.layer.type](context)
