"""The matrix product of a convolution: the windows that Darknet lists, and the values that it reads."""

from typing import Literal

from yolodsc.arrays import Array, Shape
from yolodsc.network.reference.columns import columns_of, columns_shape, memory_order, rearranged_columns
from yolodsc.network.reference.convolution import BLUR_GEOMETRY, convolution
from yolodsc.values import Value

Reads = Literal["windows", "raw", "shifted"]
"""What the product reads as its columns.

``windows``: the windows that the section describes. ``raw``: the input in memory order (`memory_order`). ``shifted``: columns
whose rows begin at wrong offsets (`rearranged_columns`).
"""


class Product(Value, kw_only=True):
    """A convolution without bias and activation, as Darknet computes it (``forward_convolutional_layer``).

    Attributes
    ----------
    input : Shape
    filters, size, groups, dilation
        As in the cfg.
    strides : (y, x)
    padding
        Pixels on each side, before dilation.
    direct
        Darknet skips ``im2col`` and multiplies with the input itself.
    bits
        Inputs are signs, packed into bits: the padding is -1, and the rows of columns begin at the right offsets.
    """

    input: Shape
    filters: int
    size: int
    groups: int
    dilation: int
    strides: tuple[int, int]
    padding: int
    direct: bool
    bits: bool

    @property
    def shape(self) -> Shape:
        """Of the output."""
        return convolved(self.input, self.filters, size=self.size, padding=self.padding, strides=self.strides)

    @property
    def halo(self) -> int:
        """Pixels of padding on each side, dilation included."""
        return self.padding * self.dilation

    @property
    def padding_value(self) -> float:
        """Value of the padding."""
        return -1.0 if self.bits else 0.0

    @property
    def columns(self) -> tuple[int, int]:
        """Height and width of the windows whose columns Darknet lists."""
        return columns_shape(self.input, size=self.size, strides=self.strides, padding=self.halo, dilation=self.dilation)

    @property
    def exceeds(self) -> bool:
        """Whether Darknet multiplies with the input itself and reads beyond its end; here the padding is 0 in that case."""
        _, height, width = self.shape
        return self.direct and height * width > self.input.height * self.input.width

    @property
    def reads(self) -> Reads:
        """What Darknet reads as columns, unless it reads beyond its buffers."""
        if self.direct and (self.strides != (1, 1) or self.padding) and not self.exceeds:
            return "raw"
        return "windows" if self.bits or self.columns == self.shape[1:] else "shifted"

    def __call__(self, x: Array, kernel: Array) -> Array:
        """(F, OH, OW) from an input (C, H, W) and a kernel (F, C / groups, K, K)."""
        (stride_y, stride_x), padding = self.strides, self.padding
        if self.reads != "windows":
            x, kernel = self._rearranged(x), kernel.reshape(self.filters, -1, 1, 1)
            stride_y, stride_x, padding = 1, 1, 0
        return convolution(
            x,
            kernel,
            groups=self.groups,
            stride_y=stride_y,
            stride_x=stride_x,
            padding=padding,
            dilation=self.dilation,
            padding_value=self.padding_value,
        )

    def _rearranged(self, x: Array) -> Array:
        """The input of the equivalent 1x1 convolution."""
        _, height, width = self.shape
        if self.reads == "raw":
            return memory_order(x, groups=self.groups, height=height, width=width)
        columns = columns_of(x, size=self.size, strides=self.strides, padding=self.halo, dilation=self.dilation)
        return rearranged_columns(columns, groups=self.groups, height=height, width=width)


def convolved(shape: Shape, filters: int, *, size: int, padding: int, strides: tuple[int, int]) -> Shape:
    """Output of a convolution. Its size ignores dilation, as Darknet's does (``convolutional_out_height``)."""
    height, width = ((side + 2 * padding - size) // stride + 1 for side, stride in zip(shape[1:], strides, strict=True))
    return Shape(filters, height, width)


def output_shape(shape: Shape, *, filters: int, size: int, stride_x: int, stride_y: int, padding: int, antialiasing: int) -> Shape:
    """Output of a convolution and the blur of ``antialiasing``, which has the strides if there is one."""
    strides = (stride_y, stride_x)
    if not antialiasing:
        return convolved(shape, filters, size=size, padding=padding, strides=strides)
    sharp = convolved(shape, filters, size=size, padding=padding, strides=(1, 1))
    blur_size, blur_padding = BLUR_GEOMETRY[antialiasing]
    return convolved(sharp, filters, size=blur_size, padding=blur_padding, strides=strides)
