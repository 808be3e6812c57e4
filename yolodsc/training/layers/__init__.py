"""One small file for each layer that can be trained; `operation` finds it."""

from collections.abc import Callable
from typing import Any

from yolodsc.errors import YolodscError
from yolodsc.network import ConvolutionalLayer, Layer
from yolodsc.training.kernels.moments import Moments
from yolodsc.training.layers.activation import ActivationOperation
from yolodsc.training.layers.avgpool import Avgpool
from yolodsc.training.layers.batchnorm import Normalised
from yolodsc.training.layers.context import LayerContext, TrainingOperation
from yolodsc.training.layers.depthwise import DepthwiseTraining
from yolodsc.training.layers.depthwise3x3 import Depthwise3x3Training, is_three
from yolodsc.training.layers.maxpool import MaxpoolTraining
from yolodsc.training.layers.pointwise import PointwiseTraining
from yolodsc.training.layers.product import ProductTraining
from yolodsc.training.layers.regular import Regular
from yolodsc.training.layers.reorg import Reorg
from yolodsc.training.layers.route import Route
from yolodsc.training.layers.shortcut import Shortcut
from yolodsc.training.layers.upsample import UpsampleTraining


def _convolution(place: LayerContext[ConvolutionalLayer]) -> TrainingOperation:
    if place.layer.pointwise:
        return PointwiseTraining(place)
    if place.layer.depthwise:
        return Depthwise3x3Training(place) if is_three(place.layer) else DepthwiseTraining(place)
    return Regular(place)


OPERATIONS: dict[str, Callable[[LayerContext[Any]], TrainingOperation]] = {
    "convolutional": _convolution,
    "activation": ActivationOperation,
    "avgpool": Avgpool,
    "maxpool": MaxpoolTraining,
    "reorg": Reorg,
    "route": Route,
    "sam": ProductTraining,
    "scale_channels": ProductTraining,
    "shortcut": Shortcut,
    "upsample": UpsampleTraining,
}
"""By the layers' canonical names."""

PASSING = frozenset({"dropout", "cost", "empty", "yolo", "region", "Gaussian_yolo"})
"""Layers whose input is their output: heads (raw), and what does nothing."""


def check(layer: Layer) -> None:
    """A `YolodscError` for a layer that has no backward pass."""
    if layer.type not in OPERATIONS and layer.type not in PASSING:
        raise YolodscError(f"layer {layer.index} [{layer.type}] cannot be trained: it has no backward pass")
    if isinstance(layer, ConvolutionalLayer) and not layer.ordinary:
        raise layer.section.error("with xnor, antialiasing or a misread input cannot be trained")


def operation(place: LayerContext[Any]) -> TrainingOperation:
    """The operation of a layer at its place."""
    return OPERATIONS[place.layer.type](place)


def normalised_operation(place: LayerContext[ConvolutionalLayer], moments: Moments) -> Normalised:
    """A convolution with live batch norm at its place."""
    return Normalised(place, _convolution, moments)
