"""Layers from the sections of a cfg, and the limits on their size."""

from collections.abc import Sequence
from math import prod

from msgspec.structs import replace

from yolodsc.arrays import Shape
from yolodsc.darknet import Cfg, Profile, Section
from yolodsc.errors import CfgError
from yolodsc.network.layer import MAX_LAYER_OUTPUTS, MAX_WORKING, Layer, Preceding
from yolodsc.network.layers import LAYER_TYPES, UNSUPPORTED_TYPES
from yolodsc.network.layers.activation import foreign_activation
from yolodsc.network.layers.convolutional import ConvolutionalLayer
from yolodsc.values import Value

MAX_WEIGHTS = 2**30
"""Maximum number of weights of a network (4 GiB)."""

MAX_OUTPUTS = 2**32
"""Maximum number of outputs of all layers, padding included (16 GiB); the largest cfg of Darknet has 2.5 * 2^30."""

MAX_LAYERS = 10_000
"""Maximum number of layers; the largest cfg of Darknet has under 500."""

_NET_TRAINING = frozenset(
    "batch subdivisions time_steps learning_rate learning_rate_min batches_per_cycle batches_cycle_mult momentum decay policy "
    "steps scales seq_scales step scale power gamma burn_in max_batches max_epochs seen mosaic mosaic_bound cutmix mixup angle "
    "saturation exposure hue blur gaussian_noise aspect min_crop max_crop flip resize_step adam B1 B2 eps ema_alpha "
    "label_smooth_eps optimized_memory workspace_size_limit_MB sgdr_cycle sgdr_mult track augment_speed contrastive "
    "contrastive_jit_flip contrastive_color unsupervised show_receptive_field try_fix_nan loss_scale init_sequential_subdivisions "
    "sequential_subdivisions adversarial_lr attention badlabels_rejection_percentage num_sigmas_reject_badlabels dynamic_minibatch "
    "center use_cuda_graph cutmix_mixup random center trace max_chart_loss dontuse_opencv letterbox".split()
)
_LAYER_TRAINING = frozenset(
    "clip onlyforward dont_update burnin_update stopbackward train_only_bn learning_rate truth dontsave dontload dontloadscales "
    "keep_delta_gpu".split()
)


class BuiltLayers(Value, eq=False):
    """What a cfg describes, without arrays."""

    layers: tuple[Layer, ...]
    input_shape: Shape
    letter_box: bool
    notes: tuple[str, ...]
    """Remarks for the user: unused options, and where Darknet reads other values than the cfg describes."""


def build_layers(cfg: Cfg, profile: Profile) -> BuiltLayers:
    """Build every layer of a cfg.

    Raises
    ------
    CfgError
        A section is invalid, or the network exceeds a limit.
    """
    input_shape = _input_shape(cfg.net)
    layers: list[Layer] = []
    if len(cfg.sections) > MAX_LAYERS:
        raise CfgError(f"{cfg.file}: {len(cfg.sections) - 1} layers; at most {MAX_LAYERS - 1} are run")
    for section in cfg.sections[1:]:
        layers.append(_build_layer(section, Preceding(input_shape, layers, profile)))
    if not layers:
        raise cfg.net.error("is the only section; expected at least one layer")
    layers = _linear_bin_outputs(layers)
    _check_totals(cfg, layers)
    letter_box = cfg.net.flag("letter_box")
    notes = cfg.notes + tuple(cfg.net.unused(ignored=_NET_TRAINING))
    for layer in layers:
        notes += tuple(layer.section.unused(ignored=layer.training | _LAYER_TRAINING))
        notes += tuple(str(layer.section.error(remark)) for remark in layer.remarks(layers))
        notes += tuple(str(layer.section.error(remark, key="activation")) for remark in foreign_activation(layer.section))
    return BuiltLayers(tuple(layers), input_shape, letter_box, notes)


def _check_totals(cfg: Cfg, layers: Sequence[Layer]) -> None:
    """Refuse a network whose layers exceed the limits together."""
    total = sum(prod(shape) for layer in layers for shape in layer.weight_shapes().values())
    if total > MAX_WEIGHTS:
        raise CfgError(f"{cfg.file}: {total} weights; at most {MAX_WEIGHTS} are run")
    numbers = sum(layer.shape.size + layer.working() for layer in layers)
    if numbers > MAX_OUTPUTS:
        raise CfgError(f"{cfg.file}: its layers put out {numbers} numbers, padding included; at most {MAX_OUTPUTS} are run")


def _linear_bin_outputs(layers: Sequence[Layer]) -> list[Layer]:
    """The layers with the activation of ``bin_output=1`` dropped where Darknet drops it.

    Source: ``network.c: calculate_binary_weights``; ``parser.c: parse_network_cfg_custom`` ignores the option if a route, shortcut,
    scale_channels or sam layer reads the output.
    """
    kept = {source for layer in layers if layer.type in ("route", "shortcut", "scale_channels", "sam") for source in layer.sources}
    return [layer if layer.index in kept else _linear(layer) for layer in layers]


def _linear(layer: Layer) -> Layer:
    if not isinstance(layer, ConvolutionalLayer) or layer.profile.xnor != "bits" or not (layer.xnor and layer.bin_output):
        return layer
    return replace(layer, activation="linear")


def _input_shape(net: Section) -> Shape:
    """Input shape: ``height width channels``, or ``inputs`` alone (``parser.c: parse_net_options``)."""
    channels, height, width = (net.integer(key, 0, minimum=0) for key in ("channels", "height", "width"))
    inputs = net.integer("inputs", channels * height * width, minimum=0)
    if not channels * height * width and not inputs:
        raise net.error(f"height={height} width={width} channels={channels}; expected all three, or inputs")
    shape = Shape(channels, height, width) if channels * height * width else Shape(inputs, 1, 1)
    if shape.size > MAX_LAYER_OUTPUTS:
        raise net.error(f"an image of {shape} has {shape.size} numbers; at most {MAX_LAYER_OUTPUTS} are run")
    return shape


def _build_layer(section: Section, preceding: Preceding) -> Layer:
    if section.type in UNSUPPORTED_TYPES:
        raise section.error("sections of this type are not supported")
    if section.type not in LAYER_TYPES:
        raise section.error("is unknown; expected a section type of Darknet, such as [convolutional]")
    layer = LAYER_TYPES[section.type].build(section, preceding)
    weights = sum(prod(shape) for shape in layer.weight_shapes().values())
    if weights > MAX_WEIGHTS:
        raise section.error(f"{weights} weights; at most {MAX_WEIGHTS} are run")
    if (working := layer.working()) > MAX_WORKING:
        raise section.error(f"padding and windows take {working} numbers; at most {MAX_WORKING} are run")
    return layer
