"""``[convolutional]``: regular, grouped, depthwise and pointwise convolution (``convolutional_layer.c``)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Profile, Section
from yolodsc.network.layer import Layer, Preceding, Weights, padded_size
from yolodsc.network.layers.activation import named_activation
from yolodsc.network.reference.activations import activate
from yolodsc.network.reference.batch_norm import batch_norm
from yolodsc.network.reference.convolution import BLUR_GEOMETRY, binarized, binarized_weights, blur
from yolodsc.network.reference.product import Product, output_shape

UNSUPPORTED = ("coordconv", "sway", "rotate", "stretch", "stretch_sway", "reverse", "deform")
"""Weight transforms of AlexeyAB's GPU code that its CPU code does not have."""


class ConvolutionalLayer(Layer, kw_only=True):
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
        The layer is linear where only xnor convolutions read it; `yolodsc.network.build` decides.
    flipped
        The weights are stored transposed in the file.
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
        if options["antialiasing"] not in (0, *BLUR_GEOMETRY):
            raise section.error(f"antialiasing={options['antialiasing']}; expected 0, 1 or 2", key="antialiasing")
        layer = cls(
            **preceding.fields(section, output_shape(preceding.input, **options)),
            **options,
            groups=section.integer("groups", 1, minimum=1),
            dilation=section.integer("dilation", 1, minimum=1) if size > 1 else 1,
            activation=named_activation(section, "logistic"),
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
        """A matrix product on the flattened input: 1x1, stride 1, no padding, no groups."""
        return (self.size, self.stride_x, self.stride_y, self.padding, self.groups) == (1, 1, 1, 0, 1)

    @property
    def product(self) -> Product:
        """The matrix product, before bias and activation."""
        strides = (1, 1) if self.antialiasing else (self.stride_y, self.stride_x)
        bits = self.xnor and self.profile.xnor == "bits" and strides[0] == strides[1]
        chosen = {"unit_stride_x": strides[1] == 1, "all": True, "none": False}[self.profile.raw_1x1]
        return Product(
            input=self.inputs[0],
            filters=self.filters,
            size=self.size,
            groups=self.groups,
            dilation=self.dilation,
            strides=strides,
            padding=self.padding,
            direct=self.size == 1 and chosen and not bits,
            bits=bits,
        )

    @property
    def convolved(self) -> Shape:
        """Shape before the blur of ``antialiasing``: the output's without it."""
        return self.product.shape

    @property
    def ordinary(self) -> bool:
        """A linear map of windows followed by an activation, without signs, blur or misread input."""
        return not (self.xnor or self.antialiasing) and self.product.reads == "windows"

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

    @property
    def blurred(self) -> bool:
        """With ``antialiasing``, unless size and strides leave the shape as it is."""
        return bool(self.antialiasing) and self.shape != self.convolved

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``convolutional_layer.c: forward_convolutional_layer``."""
        (x,) = inputs
        kernel = weights["weights"]
        if self.xnor:
            x, kernel = binarized(x), binarized_weights(kernel)
        out = activate(self._normalized(self.product(x, kernel), weights), self.activation)
        if not self.antialiasing:
            return out
        return blur(out, antialiasing=self.antialiasing, stride_y=self.stride_y, stride_x=self.stride_x)

    @property
    def columns(self) -> int:
        """Numbers of the matrix of windows (im2col)."""
        return self.inputs[0].channels * self.size**2 * self.convolved.height * self.convolved.width

    def working(self) -> int:
        """The padded input, or the output before the blur."""
        strides = (1, 1) if self.antialiasing else (self.stride_y, self.stride_x)
        extent, padding = (self.size - 1) * self.dilation + 1, self.padding * self.dilation
        padded = padded_size(self.inputs[0], self.convolved, padding=padding, strides=strides, extent=extent)
        return max(padded, self.convolved.size if self.antialiasing else 0)

    def multiply_adds(self) -> int:
        """One per weight and output pixel; with antialiasing at stride 1."""
        return int(np.prod(self.kernel_shape())) * self.convolved.height * self.convolved.width

    def bflops(self) -> float:
        """Two per multiply-add; a binary network packs 32 into a word (``make_convolutional_layer``)."""
        return Layer.bflops(self) / (32 if self.xnor else 1)

    def remarks(self, layers: Sequence[Layer]) -> Iterator[str]:
        """Remarks where Darknet reads other values than the section describes."""
        product = self.product
        if product.reads == "raw":
            yield "1x1 with strides or padding: reads its input in memory order, as Darknet does"
        elif product.reads == "shifted":
            geometry = f"dilation={self.dilation} with size={self.size} and padding={self.padding}"
            yield f"{geometry}: reads shifted columns, as Darknet does"
        elif product.exceeds:
            yield f"padding={self.padding} with size=1: padded with zeros; Darknet reads beyond its input"

    def _normalized(self, out: Array, weights: Mapping[str, Array]) -> Array:
        if not self.batch_normalize:
            return out + weights["biases"][:, None, None]
        return batch_norm(out, weights, profile=self.profile)

    def _check(self, shared: "ConvolutionalLayer | None") -> None:
        channels = self.inputs[0].channels
        if min(self.product.columns) < 1:
            found = f"dilation={self.dilation} with size={self.size} and padding={self.padding} spans more than {self.inputs[0]}"
            raise self.section.error(found, key="dilation")
        if channels % self.groups or self.filters % self.groups:
            found = f"groups={self.groups} must divide {channels} channels and {self.filters} filters"
            raise self.section.error(found, key="groups")
        if shared and shared.kernel_shape() != self.kernel_shape():
            theirs, ours = ("x".join(map(str, layer.kernel_shape())) for layer in (shared, self))
            message = f"share_index={shared.index} has weights of {theirs}; this layer expects {ours}"
            raise self.section.error(message, key="share_index")


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
        raise section.error(f"share_index={index} is a [{layer.type}]; expected [convolutional]", key="share_index")
    return layer
