"""Networks at another input size: the cfg's ``width`` and ``height`` change, every layer is rebuilt, the weights stay."""

import re
from collections.abc import Sequence
from fractions import Fraction
from math import lcm

from yolodsc.errors import OptionError
from yolodsc.network.layer import Layer
from yolodsc.network.layers.reorg import ReorgLayer
from yolodsc.network.layers.reorg3d import Reorg3dLayer
from yolodsc.network.layers.upsample import UpsampleLayer
from yolodsc.network.network import Network

InputSize = int | tuple[int, int] | str
"""Side of a square input, (width, height), or text such as ``256`` or ``512x320`` (width x height)."""

MAX_SIDE = 2**16
"""Maximum width or height; larger inputs exceed the limit on the outputs of a layer."""


def at_size(network: Network, size: InputSize | None) -> Network:
    """Return the network with another input size; None leaves it as it is.

    Raises
    ------
    OptionError
        The size is no size, or not a multiple of the network's stride.
    CfgError
        The shape of an array depends on the size (``[connected]``, ``[local]``), or a layer does not accept it.
    """
    if size is None:
        return network
    width, height = parse_size(size)
    if (height, width) == network.input_shape[1:]:
        return network
    steps = network_strides(network.layers)
    if height % steps[0] or width % steps[1]:
        expected = f"multiples of {steps[0]}" if steps[0] == steps[1] else f"a multiple of {steps[1]} by a multiple of {steps[0]}"
        raise OptionError(
            f"size={width}x{height}: expected {expected}, the stride of {network.cfg.file}, such as {_near(width, height, steps)}",
            parameter="size",
        )
    return network.resized(height, width)


def parse_size(size: InputSize) -> tuple[int, int]:
    """Return width and height; an `OptionError` for anything else."""
    sides = tuple(re.split("[xX×,]", size.strip())) if isinstance(size, str) else size if isinstance(size, tuple) else (size,)
    if len(sides) in (1, 2) and all(_is_side(side) for side in sides):
        return int(sides[0]), int(sides[-1])
    given = "x".join(map(str, size)) if isinstance(size, tuple) else size
    raise OptionError(f"size={given}: expected a width in pixels, or WIDTHxHEIGHT, such as 256 or 512x320", parameter="size")


def network_strides(layers: Sequence[Layer]) -> tuple[int, int]:
    """Return the strides (vertical, horizontal) of a network: input pixels for each pixel of its smallest feature map."""
    found = [_cumulative(layers, axis) for axis in (0, 1)]
    return found[0], found[1]


def _is_side(side: object) -> bool:
    text = str(side)
    return text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= MAX_SIDE and len(text) < 9


def _near(width: int, height: int, steps: tuple[int, int]) -> str:
    """The nearest size that the strides accept."""
    sides = (max(round(side / step), 1) * step for side, step in ((width, steps[1]), (height, steps[0])))
    return "x".join(map(str, sides))


def _cumulative(layers: Sequence[Layer], axis: int) -> int:
    """The least common multiple of all strides between the input and a feature map; upsampling divides them."""
    strides: list[Fraction] = []
    for layer in layers:
        before = max((strides[source] if source >= 0 else Fraction(1) for source in layer.sources), default=Fraction(1))
        pooled_to_one = layer.type in ("avgpool", "connected", "softmax", "detection")
        strides.append(Fraction(1) if pooled_to_one else before * _stride(layer, axis))
    return lcm(*(stride.numerator for stride in strides if stride.denominator == 1))


def _stride(layer: Layer, axis: int) -> Fraction:
    """The stride of one layer; below 1 if it enlarges its input."""
    if isinstance(layer, UpsampleLayer | ReorgLayer | Reorg3dLayer):
        (_, *before), (_, *after) = layer.inputs[0], layer.shape
        return Fraction(before[axis], after[axis])
    strides: tuple[int, int] = getattr(layer, "stride_y", 0), getattr(layer, "stride_x", 0)
    return Fraction(strides[axis] or int(getattr(layer, "stride", 1)))
