"""One small file for each layer that can be trained; `operation` finds it."""

from collections.abc import Callable
from typing import Any

from yolodsc.errors import YolodscError
from yolodsc.network import Layer
from yolodsc.network import ConvolutionalLayer
from yolodsc.training.layers.activation import ActivationOperation
from yolodsc.training.layers.avgpool import Avgpool
from yolodsc.training.layers.depthwise import Depthwise
from yolodsc.training.layers.depthwise3x3 import DepthwiseThree, is_three
from yolodsc.training.layers.maxpool import Maxpool
from yolodsc.training.kernels.moments import Moments
from yolodsc.training.layers.batchnorm import Normalised
from yolodsc.training.layers.context import Operation, Place
from yolodsc.training.layers.pointwise import Pointwise
from yolodsc.training.layers.product import Product
from yolodsc.training.layers.regular import Regular
from yolodsc.training.layers.reorg import Reorg
from yolodsc.training.layers.route import Route
from yolodsc.training.layers.shortcut import Shortcut
from yolodsc.training.layers.upsample import Upsample


def _convolution(place: Place[ConvolutionalLayer]) -> Operation:
    if place.layer.pointwise:
        return Pointwise(place)
    if place.layer.depthwise:
        return DepthwiseThree(place) if is_three(place.layer) else Depthwise(place)
    return Regular(place)


OPERATIONS: dict[str, Callable[[Place[Any]], Operation]] = {
    "convolutional": _convolution,
    "activation": ActivationOperation,
    "avgpool": Avgpool,
    "maxpool": Maxpool,
    "reorg": Reorg,
    "route": Route,
    "sam": Product,
    "scale_channels": Product,
    "shortcut": Shortcut,
    "upsample": Upsample,
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


def operation(place: Place[Any]) -> Operation:
    """The operation of a layer at its place."""
    return OPERATIONS[place.layer.type](place)


def normalised_operation(place: Place[ConvolutionalLayer], moments: Moments) -> Normalised:
    """A convolution with live batch norm at its place."""
    return Normalised(place, _convolution, moments)
