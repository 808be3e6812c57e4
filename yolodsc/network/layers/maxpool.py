"""``[maxpool]``: largest value of each window, over space or over channels (``maxpool_layer.c``)."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights, padded_size
from yolodsc.network.reference.convolution import BLUR_GEOMETRY, blur
from yolodsc.network.reference.pooling import maxpool, maxpool_depth, pooled


class MaxpoolLayer(Layer, kw_only=True):
    """Windows of ``size`` every ``stride`` pixels, from -(padding // 2) on; pixels outside the input are ignored.

    Attributes
    ----------
    size, stride_x, stride_y
        As in the cfg.
    padding
        Total of both sides, ``size - 1`` by default: a 2x2 pool of stride 1 therefore extends right and down only.
    maxpool_depth
        0, or the number of output channels of a maximum over channels g, g + n, g + 2n, …
    antialiasing
        0, or the mode of the blur that has the strides while the pool runs at stride 1.
    """

    type: ClassVar[str] = "maxpool"
    training: ClassVar[frozenset[str]] = frozenset({"maxpool_zero_nonmax"})

    size: int
    stride_x: int
    stride_y: int
    padding: int
    maxpool_depth: int
    antialiasing: int

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_maxpool``, ``maxpool_layer.c: make_maxpool_layer``."""
        options = window_options(section)
        depth = section.integer("out_channels", 1, minimum=1) if section.flag("maxpool_depth") else 0
        antialiasing = section.integer("antialiasing", 0, minimum=0)
        if antialiasing not in (0, *BLUR_GEOMETRY):
            raise section.error(f"antialiasing={antialiasing}; expected 0, 1 or 2", key="antialiasing")
        if depth > preceding.input.channels:
            raise section.error(f"out_channels={depth} of {preceding.input.channels} channels", key="out_channels")
        antialiasing = 0 if depth else antialiasing
        if depth:
            shape = preceding.input._replace(channels=depth)
        elif antialiasing:
            shape = _blurred(preceding.input, antialiasing=antialiasing, **options)
        else:
            shape = pooled_shape(preceding.input, **options)
        return cls(**preceding.fields(section, shape), **options, maxpool_depth=depth, antialiasing=antialiasing)

    @property
    def blurred(self) -> bool:
        """With ``antialiasing``, unless size and strides leave the shape as it is."""
        return bool(self.antialiasing) and self.shape != self._sharp

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_maxpool_layer``; the edge defect of AlexeyAB's AVX build is not reproduced."""
        (x,) = inputs
        if self.maxpool_depth:
            return maxpool_depth(x, out_channels=self.maxpool_depth)
        if not self.antialiasing:
            return maxpool(x, size=self.size, stride_y=self.stride_y, stride_x=self.stride_x, padding=self.padding)
        sharp = maxpool(x, size=self.size, stride_y=1, stride_x=1, padding=self.padding)
        return blur(sharp, antialiasing=self.antialiasing, stride_y=self.stride_y, stride_x=self.stride_x)

    def working(self) -> int:
        """The padded input, or the output before the blur."""
        if self.maxpool_depth:
            return 0
        strides = (1, 1) if self.antialiasing else (self.stride_y, self.stride_x)
        return pooled_working(self.inputs[0], size=self.size, strides=strides, padding=self.padding)

    def bflops(self) -> float:
        """Comparisons: ``size`` squared for each input channel and output pixel, before the blur (``make_maxpool_layer``)."""
        if self.maxpool_depth:
            return self.size**2 * self.inputs[0].size / 1e9
        return self.size**2 * self._sharp.size / 1e9

    @property
    def _sharp(self) -> Shape:
        """Shape before the blur of ``antialiasing``: the output's without it."""
        strides = (1, 1) if self.antialiasing else (self.stride_y, self.stride_x)
        return pooled_shape(self.inputs[0], size=self.size, stride_y=strides[0], stride_x=strides[1], padding=self.padding)


def window_options(section: Section) -> dict[str, Any]:
    """Size, strides and padding of a pool, as keyword arguments."""
    stride = section.integer("stride", 1, minimum=1)
    size = section.integer("size", stride, minimum=1)
    return {
        "size": size,
        "stride_x": section.integer("stride_x", stride, minimum=1),
        "stride_y": section.integer("stride_y", stride, minimum=1),
        "padding": section.integer("padding", size - 1, minimum=0),
    }


def pooled_shape(shape: Shape, *, size: int, stride_x: int, stride_y: int, padding: int) -> Shape:
    """Output shape of a pool."""
    return Shape(
        shape.channels,
        pooled(shape.height, size=size, stride=stride_y, padding=padding),
        pooled(shape.width, size=size, stride=stride_x, padding=padding),
    )


def pooled_working(shape: Shape, *, size: int, strides: tuple[int, int], padding: int) -> int:
    """Maximum number of elements of a temporary array: the padded input, or the output."""
    output = pooled_shape(shape, size=size, stride_y=strides[0], stride_x=strides[1], padding=padding)
    return max(padded_size(shape, output, padding=padding // 2, strides=strides, extent=size), output.size)


def _blurred(shape: Shape, *, antialiasing: int, size: int, stride_x: int, stride_y: int, padding: int) -> Shape:
    """The pool at stride 1, then the blur with the strides."""
    blur_size, blur_padding = BLUR_GEOMETRY[antialiasing]
    sharp = pooled_shape(shape, size=size, stride_x=1, stride_y=1, padding=padding)
    return pooled_shape(sharp, size=blur_size, stride_x=stride_x, stride_y=stride_y, padding=2 * blur_padding)
