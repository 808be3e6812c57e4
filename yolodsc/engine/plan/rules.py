"""How each type of layer is planned: the one table that a new operation is added to.

A layer whose type is not in the table, or whose options its rule does not support, runs on its reference implementation.
"""

from collections.abc import Callable, Mapping
from typing import Any

from yolodsc.engine.codegen.epilogue import ACTIVATIONS
from yolodsc.engine.plan.builder import PlanBuilder
from yolodsc.engine.plan.convolutions import convolution
from yolodsc.engine.plan.depthwise import depthwise
from yolodsc.engine.plan.elementwise import activation, average, maxpool, route, sam, scale_channels, shortcut, upsample
from yolodsc.engine.plan.graph import is_convolution, is_depthwise, is_partial_sum, is_pool, is_sum
from yolodsc.engine.plan.heads import yolo
from yolodsc.network import (
    ActivationLayer,
    AvgpoolLayer,
    ConvolutionalLayer,
    Layer,
    MaxpoolLayer,
    RouteLayer,
    SamLayer,
    ScaleChannelsLayer,
    ShortcutLayer,
    UpsampleLayer,
    YoloLayer,
)
from yolodsc.values import Value


def _convolution(builder: PlanBuilder, layer: ConvolutionalLayer) -> None:
    (depthwise if is_depthwise(layer) else convolution)(builder, layer)


def _always(_: Any) -> bool:
    return True


def _never(_: Any) -> bool:
    return False


def _has_activation(layer: ActivationLayer | SamLayer) -> bool:
    return layer.activation in ACTIVATIONS


def _gates(layer: ScaleChannelsLayer) -> bool:
    return not layer.scale_wh and layer.activation in ACTIVATIONS


def _sums(layer: ShortcutLayer) -> bool:
    return is_sum(layer) or is_partial_sum(layer)


def _repeats_pixels(layer: UpsampleLayer) -> bool:
    return 0 < layer.stride <= 4 and layer.scale == 1


def _is_depthwise(layer: ConvolutionalLayer) -> bool:
    return layer.depthwise


class PlanRule(Value):
    """How layers of one type are planned.

    Attributes
    ----------
    emit
        Adds a layer to the plan, with everything that is fused with it.
    supports
        Whether there are kernels for a layer.
    keeps_lanes
        Whether inputs and output of a layer have the same vector length.
    """

    emit: Callable[[PlanBuilder, Any], None]
    supports: Callable[[Any], bool] = _always
    keeps_lanes: Callable[[Any], bool] = _always


RULES: Mapping[type[Layer], PlanRule] = {
    ActivationLayer: PlanRule(activation, _has_activation),
    AvgpoolLayer: PlanRule(average),
    ConvolutionalLayer: PlanRule(_convolution, is_convolution, _is_depthwise),
    MaxpoolLayer: PlanRule(maxpool, is_pool),
    RouteLayer: PlanRule(route),
    SamLayer: PlanRule(sam, _has_activation),
    ScaleChannelsLayer: PlanRule(scale_channels, _gates),
    ShortcutLayer: PlanRule(shortcut, _sums),
    UpsampleLayer: PlanRule(upsample, _repeats_pixels),
    YoloLayer: PlanRule(yolo, keeps_lanes=_never),
}


def emit(builder: PlanBuilder, layer: Layer) -> None:
    """Add a layer to the plan."""
    rule = RULES.get(type(layer))
    if rule and rule.supports(layer):
        rule.emit(builder, layer)
    else:
        builder.add_reference(layer)


def keeps_lanes(layer: Layer) -> bool:
    """Whether inputs and output of a layer have the same vector length."""
    rule = RULES.get(type(layer))
    return rule is not None and rule.keeps_lanes(layer)


def reads_blocks(layer: Layer) -> bool:
    """Whether a layer has kernels that read blocked tensors."""
    rule = RULES.get(type(layer))
    return rule is not None and rule.supports(layer) and not isinstance(layer, YoloLayer)
