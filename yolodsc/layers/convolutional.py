"""``[convolutional]``: regular, grouped, depthwise and pointwise convolution (``convolutional_layer.c``)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np

from yolodsc.cfg import Section
from yolodsc.layer import Layer, Preceding, Weights
from yolodsc.profile import Profile
from yolodsc.reference.activations import ACTIVATION_NAMES, activate
from yolodsc.reference.columns import columns_of, columns_shape, raw_map, rearranged_columns
from yolodsc.reference.convolution import (
    BLUR_GEOMETRY,
    batch_norm,
    binarized,
    binarized_weights,
    blur,
    convolution,
)
from yolodsc.shape import Array, Shape

Reads = Literal["windows", "raw", "shifted"]
"""What the product of a convolution takes for its columns."""

UNSUPPORTED = ("coordconv", "sway", "rotate", "stretch", "stretch_sway", "reverse", "deform")
"""Weight transforms that AlexeyAB's GPU code makes and its CPU code doesn't: no meaning to follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvolutionalLayer(Layer):
    """Cross-correlation, then batch norm or bias, then activation, then the blur of ``antialiasing``.

    Attributes
    ----------
    filters, size, stride_x, stride_y, groups, dilation, activation
        As in the cfg.
    padding
        Pixels on each side.
    batch_normalize
        Whether scales, means and variances exist; of the other layer with ``share_index``.
    antialiasing
        0, 1 (3x3 blur) or 2 (2x2): the convolution runs at stride 1 and the blur has the strides.
    share_index
        Absolute index of the convolution whose arrays this one uses, or None.
    xnor
        Weights and inputs are reduced to signs.
    bin_output
        The cfg asks for a linear layer where only xnor convolutions read it; `network.Network` decides (`linear_bin_outputs`).
    flipped
        The weights lie transposed in the file.
    """

    type: ClassVar[str] = "convolutional"
    training: ClassVar[frozenset[str]] = frozenset(
        {"assisted_excitation", "grad_centr", "dot", "stream", "wait_stream", "angle", "binary", "smooth"}
    )

    filters: int
    size: int
    stride_x: int
    stride_y: int
    padding: int
    groups: int
    dilation: int
    activation: str
    batch_normalize: bool
    antialiasing: int
    share_index: int | None
    xnor: bool
    bin_output: bool
    flipped: bool
    profile: Profile

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_convolutional``."""
        _refuse_unsupported(section)
        size = section.integer("size", 1, minimum=1)
        stride = section.integer("stride", 1, minimum=1)
        padding = section.integer("padding", 0, minimum=0)
        shared = _shared(section, preceding)
        options: dict[str, Any] = {
            "filters": section.integer("filters", 1, minimum=1),
            "size": size,
            "stride_x": section.integer("stride_x", stride, minimum=1),
            "stride_y": section.integer("stride_y", stride, minimum=1),
            "padding": size // 2 if section.flag("pad") else padding,
            "antialiasing": section.integer("antialiasing", 0, minimum=0),
        }
        layer = cls(
            **preceding.place(section, _output(section, preceding.input, **options)),
            **options,
            groups=section.integer("groups", 1, minimum=1),
            dilation=section.integer("dilation", 1, minimum=1) if size > 1 else 1,
            activation=section.choice("activation", "logistic", ACTIVATION_NAMES),
            batch_normalize=_batch_normalize(section, shared),
            share_index=shared.index if shared else None,
            xnor=section.flag("xnor"),
            bin_output=section.flag("bin_output"),
            flipped=section.flag("flipped"),
            profile=preceding.profile,
        )
        layer._check(shared)
        return layer

    @property
    def depthwise(self) -> bool:
        """One input channel for each group, with at least two groups."""
        return self.groups == self.inputs[0].channels > 1

    @property
    def pointwise(self) -> bool:
        """A matrix product on the flattened map: 1x1, stride 1, no padding, no groups."""
        return (self.size, self.stride_x, self.stride_y, self.padding, self.groups) == (1, 1, 1, 0, 1)

    @property
    def strides(self) -> tuple[int, int]:
        """Of the convolution itself, (y, x): 1 where the blur of ``antialiasing`` has them."""
        return (1, 1) if self.antialiasing else (self.stride_y, self.stride_x)

    @property
    def convolved(self) -> Shape:
        """Shape before the blur of ``antialiasing``: the output's without it."""
        return _convolved(self.inputs[0], self.filters, size=self.size, padding=self.padding, strides=self.strides)

    @property
    def reads(self) -> Reads:
        """How Darknet's matrix product reads the input.

        ``windows``: as the section says. ``raw``: the map as it lies in memory (`reference.columns.raw_map`). ``shifted``: columns
        whose rows begin in the wrong place (`reference.columns.rearranged_columns`).
        """
        if self._raw and self.convolved.size // self.filters <= self.inputs[0].size // self.inputs[0].channels:
            return "raw"
        return "windows" if self._bits or self.columns == self.convolved[1:] else "shifted"

    @property
    def columns(self) -> tuple[int, int]:
        """Height and width of the windows whose columns Darknet lists."""
        geometry = {"size": self.size, "strides": self.strides, "margin": self.padding * self.dilation, "dilation": self.dilation}
        return columns_shape(self.inputs[0], **geometry)

    @property
    def ordinary(self) -> bool:
        """A linear map of windows and an activation, nothing else: no signs, no blur, no misread input."""
        return not (self.xnor or self.antialiasing) and self.reads == "windows"

    @property
    def around(self) -> float:
        """What the padding holds."""
        return -1.0 if self._bits else 0.0

    def kernel_shape(self) -> tuple[int, int, int, int]:
        """(filters, channels / groups, size, size)."""
        return self.filters, self.inputs[0].channels // self.groups, self.size, self.size

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Bias, batch norm, weights; nothing with ``share_index``."""
        if self.share_index is not None:
            return {}
        channel: dict[str, tuple[int, ...]] = {"biases": (self.filters,)}
        if self.batch_normalize:
            channel |= dict.fromkeys(("scales", "rolling_mean", "rolling_variance"), (self.filters,))
        return {**channel, "weights": self.kernel_shape()}

    def stored(self) -> tuple[str, ...]:
        """Without the batch norm arrays under ``dontloadscales=1``."""
        names = Layer.stored(self)
        if not self.section.flag("dontloadscales"):
            return names
        return tuple(name for name in names if name in ("biases", "weights"))

    def stored_transposed(self, *, old_format: bool) -> frozenset[str]:
        """The weights of ``flipped=1`` layers."""
        del old_format
        return frozenset({"weights"} if self.flipped else ())

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``convolutional_layer.c: forward_convolutional_layer``."""
        (x,) = inputs
        kernel = weights["weights"]
        if self.xnor:
            x, kernel = binarized(x), binarized_weights(kernel)
        out = activate(self._normalized(self._product(x, kernel), weights), self.activation)
        if not self.antialiasing:
            return out
        return blur(out, antialiasing=self.antialiasing, stride_y=self.stride_y, stride_x=self.stride_x)

    def _product(self, x: Array, kernel: Array) -> Array:
        """Of the weights and the windows, or what Darknet reads instead."""
        (stride_y, stride_x), padding = self.strides, self.padding
        if self.reads != "windows":
            x, kernel = self._rearranged(x), kernel.reshape(self.filters, -1, 1, 1)
            stride_y = stride_x = 1
            padding = 0
        return convolution(
            x,
            kernel,
            groups=self.groups,
            stride_y=stride_y,
            stride_x=stride_x,
            padding=padding,
            dilation=self.dilation,
            around=self.around,
        )

    def _rearranged(self, x: Array) -> Array:
        """The input of the 1x1 convolution that Darknet makes of this one."""
        _, height, width = self.convolved
        if self.reads == "raw":
            return raw_map(x, groups=self.groups, height=height, width=width)
        margin = self.padding * self.dilation
        columns = columns_of(x, size=self.size, strides=self.strides, margin=margin, dilation=self.dilation)
        return rearranged_columns(columns, groups=self.groups, height=height, width=width)

    def multiply_adds(self) -> int:
        """One a weight and output pixel; with antialiasing at stride 1."""
        return int(np.prod(self.kernel_shape())) * self.convolved.height * self.convolved.width

    def bflops(self) -> float:
        """Two a multiplication; a binary network packs 32 into a word (``make_convolutional_layer``)."""
        return Layer.bflops(self) / (32 if self.xnor else 1)

    def remarks(self, layers: Sequence[Layer]) -> Iterator[str]:
        """Where Darknet reads other numbers than the section says."""
        if self.reads == "raw":
            yield "1x1 with stride_y or padding: reads the map as it lies in memory, as Darknet does"
        elif self.reads == "shifted":
            yield f"dilation={self.dilation} with size={self.size} and padding={self.padding}: reads shifted columns, as Darknet does"
        elif self._raw:
            yield f"padding={self.padding} with size=1: padded with zeros; Darknet reads beyond its input"

    @property
    def _bits(self) -> bool:
        """Whether the product is one of bits (``l.xnor && l.align_bit_weights && l.stride_x == l.stride_y``)."""
        return self.xnor and self.profile.xnor == "bits" and self.strides[0] == self.strides[1]

    @property
    def _raw(self) -> bool:
        """Whether Darknet skips im2col though the convolution is more than a product with the map."""
        chosen = {"unit_stride_x": self.strides[1] == 1, "all": True, "none": False}[self.profile.raw_1x1]
        return self.size == 1 and chosen and not self._bits and (self.strides != (1, 1) or self.padding > 0)

    def _normalized(self, out: Array, weights: Mapping[str, Array]) -> Array:
        if not self.batch_normalize:
            return out + weights["biases"][:, None, None]
        return batch_norm(
            out,
            scales=weights["scales"],
            biases=weights["biases"],
            rolling_mean=weights["rolling_mean"],
            rolling_variance=weights["rolling_variance"],
            profile=self.profile,
        )

    def _check(self, shared: "ConvolutionalLayer | None") -> None:
        channels = self.inputs[0].channels
        if min(self.columns) < 1:
            found = f"dilation={self.dilation} with size={self.size} and padding={self.padding} spans more than {self.inputs[0]}"
            raise self.section.error(found, key="dilation")
        if channels % self.groups or self.filters % self.groups:
            found = f"groups={self.groups} must divide {channels} channels and {self.filters} filters"
            raise self.section.error(found, key="groups")
        if shared and shared.kernel_shape() != self.kernel_shape():
            theirs, ours = ("x".join(map(str, layer.kernel_shape())) for layer in (shared, self))
            message = f"share_index={shared.index} has weights of {theirs}; this layer wants {ours}"
            raise self.section.error(message, key="share_index")


def linear_bin_outputs(layers: Sequence[Layer]) -> list[Layer]:
    """The layers with the activation of ``bin_output=1`` dropped where Darknet drops it.

    Source: ``network.c: calculate_binary_weights``; ``parser.c: parse_network_cfg_custom`` forgets the option where a route, shortcut,
    scale_channels or sam layer reads the output.
    """
    kept = {source for layer in layers if layer.type in ("route", "shortcut", "scale_channels", "sam") for source in layer.sources}
    return [_linear(layer) if layer.index not in kept else layer for layer in layers]


def _linear(layer: Layer) -> Layer:
    binary = isinstance(layer, ConvolutionalLayer) and layer.xnor and layer.bin_output and layer.profile.xnor == "bits"
    return replace(layer, activation="linear") if binary else layer


def _convolved(shape: Shape, filters: int, *, size: int, padding: int, strides: tuple[int, int]) -> Shape:
    """The output's size ignores dilation, as Darknet's does."""
    height, width = ((side + 2 * padding - size) // stride + 1 for side, stride in zip(shape[1:], strides, strict=True))
    return Shape(filters, height, width)


def _output(
    section: Section,
    shape: Shape,
    *,
    filters: int,
    size: int,
    stride_x: int,
    stride_y: int,
    padding: int,
    antialiasing: int,
) -> Shape:
    strides = (stride_y, stride_x)
    if not antialiasing:
        return _convolved(shape, filters, size=size, padding=padding, strides=strides)
    if antialiasing not in BLUR_GEOMETRY:
        raise section.error(f"antialiasing={antialiasing}; wanted 0, 1 or 2", key="antialiasing")
    sharp = _convolved(shape, filters, size=size, padding=padding, strides=(1, 1))
    blur_size, blur_padding = BLUR_GEOMETRY[antialiasing]
    return _convolved(sharp, filters, size=blur_size, padding=blur_padding, strides=strides)


def _batch_normalize(section: Section, shared: ConvolutionalLayer | None) -> bool:
    asked = section.flag("batch_normalize") or section.flag("cbn")
    return shared.batch_normalize if shared else asked


def _refuse_unsupported(section: Section) -> None:
    for key in UNSUPPORTED:
        if section.flag(key):
            raise section.error(f"{key}=1 is not supported: Darknet itself runs it on the GPU only", key=key)


def _shared(section: Section, preceding: Preceding) -> ConvolutionalLayer | None:
    if not section.has("share_index"):
        return None
    index = preceding.resolve(section, "share_index", section.integer("share_index", 0))
    layer = preceding.layers[index]
    if not isinstance(layer, ConvolutionalLayer):
        raise section.error(f"share_index={index} is a [{layer.type}]; wanted [convolutional]", key="share_index")
    return layer
