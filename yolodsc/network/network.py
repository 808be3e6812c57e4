"""`Network`: a cfg/weights pair as one frozen value."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Self

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import ALEXEYAB, Cfg, Profile, Section, read_cfg
from yolodsc.errors import CfgError
from yolodsc.files import write_bytes
from yolodsc.network.finite import require_finite
from yolodsc.network.layer import INPUT_INDEX, MAX_LAYER_OUTPUTS, MOST_WORKING, Head, Layer, Preceding, Weights
from yolodsc.network.layers import LAYER_TYPES, UNSUPPORTED_TYPES
from yolodsc.network.layers.convolutional import ConvolutionalLayer
from yolodsc.network.weights import Header, initial_weights, read_weights, write_weights

MOST_WEIGHTS = 2**30
"""The most numbers that a network's weights may have (4 GiB)."""

MOST_OUTPUTS = 2**32
"""The most numbers that all layers together may put out, padding included (16 GiB); the largest shipped cfg's are 2.5 * 2^30."""

MOST_LAYERS = 10_000
"""The most layers; the largest shipped cfg has under 500."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Layers, their weights as on disk, and the options of ``[net]`` that matter after training.

    Attributes
    ----------
    cfg : Cfg
        The sections it was built from.
    layers : tuple of Layer
    weights : tuple of mappings
        One a layer: raw arrays by Darknet's names; the other layer's own mapping with ``share_index``.
    image : Shape
        What goes in.
    letter_box : bool
        ``[net] letter_box=1``: the network was trained on letterboxed images.
    profile : Profile
    header : Header
        Of the weights file, kept for saving.
    notes : tuple of str
        Remarks for the user: unused options, what ``partial`` passed over.
    """

    cfg: Cfg
    layers: tuple[Layer, ...]
    weights: tuple[Weights, ...]
    input_shape: Shape
    letter_box: bool
    profile: Profile
    header: Header = field(default_factory=Header)
    notes: tuple[str, ...] = ()

    @classmethod
    def build(cls, cfg: Cfg, *, profile: Profile = ALEXEYAB) -> Self:
        """A network with initial weights (scales 1, everything else 0); a `CfgError` where the cfg cannot be built."""
        network = cls._blueprint(cfg, profile)
        return network.with_weights([initial_weights(layer) for layer in network.layers])

    @classmethod
    def load(
        cls,
        cfg: str | Path,
        weights: str | Path,
        *,
        profile: Profile = ALEXEYAB,
        partial: bool = False,
        allow_nonfinite: bool = False,
    ) -> Self:
        """Read a cfg/weights pair.

        Parameters
        ----------
        partial
            Accept a weights file that is too short or too long; ``notes`` then says so.
        allow_nonfinite
            Accept NaN, infinity, and variances that make NaN of batch norm.

        Raises
        ------
        CfgError, WeightsError
        """
        blueprint = cls._blueprint(read_cfg(cfg), profile)
        file = read_weights(weights, blueprint.layers, partial=partial)
        if not allow_nonfinite:
            require_finite(str(weights), blueprint.layers, file.arrays, profile)
        notes = (file.note,) if file.note else ()
        return blueprint.with_weights(file.arrays, header=file.header, notes=notes)

    def with_weights(self, weights: Sequence[Weights], *, header: Header | None = None, notes: tuple[str, ...] = ()) -> Self:
        """The same layers with other arrays; layers with ``share_index`` get the mapping of the layer they name."""
        linked: list[Weights] = []
        for layer, own in zip(self.layers, weights, strict=True):
            shared = layer.share_index if isinstance(layer, ConvolutionalLayer) else None
            linked.append(own if shared is None else linked[shared])
        return type(self)(
            self.cfg,
            self.layers,
            tuple(linked),
            self.input_shape,
            self.letter_box,
            self.profile,
            header or self.header,
            self.notes + notes,
        )

    def resized(self, height: int, width: int) -> Self:
        """The network reading images of another size; a `CfgError` where a layer's arrays depend on it."""
        if (height, width) == self.input_shape[1:]:
            return self
        net = self.cfg.net.replaced(height=height, width=width)
        built = type(self)._blueprint(replace(self.cfg, sections=(net, *self.cfg.sections[1:])), self.profile)
        for old, new in zip(self.layers, built.layers, strict=True):
            if old.weight_shapes() != new.weight_shapes():
                was = f"{self.input_shape.height}x{self.input_shape.width}"
                raise new.section.error(f"has weights for images of {was}, not of {height}x{width}")
        return built.with_weights(self.weights, header=self.header)

    @property
    def heads(self) -> tuple[Head, ...]:
        """The layers that put out boxes, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, Head))

    @property
    def output(self) -> int:
        """Index of the network's output: the last layer that is not ``[cost]`` (``network.c: get_network_output``)."""
        return next((layer.index for layer in reversed(self.layers) if layer.type != "cost"), len(self.layers) - 1)

    def forward(self, input_shape: Array) -> list[Array]:
        """Outputs of every layer for one image (C, H, W), on the reference kernels."""
        outputs: list[Array] = []
        for layer, weights in zip(self.layers, self.weights, strict=True):
            inputs = [input_shape if source < 0 else outputs[source] for source in layer.sources]
            outputs.append(layer.forward(inputs, weights).astype(np.float32, copy=False))
        return outputs

    def save(self, cfg: str | Path, weights: str | Path) -> None:
        """Write the pair; a network that was read and not changed gives back the weights file byte by byte."""
        write_bytes(cfg, self.cfg.format().encode("utf-8", errors="surrogateescape"), error=CfgError)
        write_weights(weights, self.layers, self.weights, header=self.header)

    @classmethod
    def _blueprint(cls, cfg: Cfg, profile: Profile) -> Self:
        """The network without arrays: everything that can be wrong with the cfg is found here."""
        input_shape = _image(cfg.net)
        layers: list[Layer] = []
        if len(cfg.sections) > MOST_LAYERS:
            raise CfgError(f"{cfg.file}: {len(cfg.sections) - 1} layers; at most {MOST_LAYERS - 1} are run")
        for section in cfg.sections[1:]:
            layers.append(_build_layer(section, Preceding(input_shape, layers, profile)))
        if not layers:
            raise cfg.net.error("is the only section; wanted at least one layer")
        layers = _linear_bin_outputs(layers)
        total = sum(prod(shape) for layer in layers for shape in layer.weight_shapes().values())
        if total > MOST_WEIGHTS:
            raise CfgError(f"{cfg.file}: {total} weights; at most {MOST_WEIGHTS} are run")
        numbers = sum(layer.shape.size + layer.working() for layer in layers)
        if numbers > MOST_OUTPUTS:
            raise CfgError(f"{cfg.file}: its layers put out {numbers} numbers, padding included; at most {MOST_OUTPUTS} are run")
        letter_box = cfg.net.flag("letter_box")
        notes = cfg.notes + tuple(cfg.net.unused(ignored=_NET_TRAINING))
        for layer in layers:
            notes += tuple(layer.section.unused(ignored=layer.training | _LAYER_TRAINING))
            notes += tuple(str(layer.section.error(remark)) for remark in layer.remarks(layers))
        return cls(cfg, tuple(layers), (), input_shape, letter_box, profile, Header(), notes)


def reachable(layers: Sequence[Layer], outputs: Iterable[int]) -> set[int]:
    """Indices of the layers that the outputs depend on, the outputs included and the network's input excluded."""
    found = set(outputs)
    for layer in reversed(layers):
        if layer.index in found:
            found.update(layer.sources)
    return found - {INPUT_INDEX}


def _linear_bin_outputs(layers: Sequence[Layer]) -> list[Layer]:
    """The layers with the activation of ``bin_output=1`` dropped where Darknet drops it.

    Source: ``network.c: calculate_binary_weights``; ``parser.c: parse_network_cfg_custom`` forgets the option where a route,
    shortcut, scale_channels or sam layer reads the output.
    """
    kept = {source for layer in layers if layer.type in ("route", "shortcut", "scale_channels", "sam") for source in layer.sources}
    return [layer if layer.index in kept else _linear(layer) for layer in layers]


def _linear(layer: Layer) -> Layer:
    if not isinstance(layer, ConvolutionalLayer) or layer.profile.xnor != "bits" or not (layer.xnor and layer.bin_output):
        return layer
    return replace(layer, activation="linear")


def _image(net: Section) -> Shape:
    """Input shape: ``height width channels``, or ``inputs`` alone (``parser.c: parse_net_options``)."""
    channels, height, width = (net.integer(key, 0, minimum=0) for key in ("channels", "height", "width"))
    inputs = net.integer("inputs", channels * height * width, minimum=0)
    if not channels * height * width and not inputs:
        raise net.error(f"height={height} width={width} channels={channels}; wanted all three, or inputs")
    shape = Shape(channels, height, width) if channels * height * width else Shape(inputs, 1, 1)
    if shape.size > MAX_LAYER_OUTPUTS:
        raise net.error(f"an image of {shape} has {shape.size} numbers; at most {MAX_LAYER_OUTPUTS} are run")
    return shape


def _build_layer(section: Section, preceding: Preceding) -> Layer:
    if section.type in UNSUPPORTED_TYPES:
        raise section.error("sections of this type are not supported")
    if section.type not in LAYER_TYPES:
        raise section.error("is unknown; wanted a section type of Darknet, such as [convolutional]")
    layer = LAYER_TYPES[section.type].build(section, preceding)
    weights = sum(prod(shape) for shape in layer.weight_shapes().values())
    if weights > MOST_WEIGHTS:
        raise section.error(f"{weights} weights; at most {MOST_WEIGHTS} are run")
    if (working := layer.working()) > MOST_WORKING:
        raise section.error(f"padding and windows take {working} numbers; at most {MOST_WORKING} are run")
    return layer
