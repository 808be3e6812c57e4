"""The interface of all layers, and the context in which a layer is built.

A layer is a frozen description of one cfg section whose options have been read and validated. It has no arrays: `Layer.forward`
gets inputs in the order of ``sources`` and weights as a mapping in the order of `Layer.weight_shapes`.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any, ClassVar, Self

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Profile, Section
from yolodsc.network.boxes import Candidates, NmsKind
from yolodsc.values import Value

Weights = Mapping[str, Array]
"""One layer's arrays by their Darknet names, raw as on disk (batch norm not folded)."""

MAX_LAYER_OUTPUTS = 2**28
"""Maximum number of outputs of one layer (1 GiB); it bounds the memory that a cfg can demand."""

MAX_WORKING = 2**29
"""Maximum number of elements of a temporary array of one layer (2 GiB), such as a padded input or a matrix of windows."""

_BLOCK = 16

INPUT_INDEX = -1
"""The source index of the network's input."""


class Preceding(Value):
    """The context in which a layer is built: the input image, and the layers before it."""

    input_shape: Shape
    layers: Sequence["Layer"]
    profile: Profile

    @property
    def index(self) -> int:
        """The index that the layer being built will have."""
        return len(self.layers)

    @property
    def previous(self) -> int:
        """The index of the layer just before, whose output most layers read."""
        return len(self.layers) - 1

    @property
    def input(self) -> Shape:
        """The shape of that output."""
        return self.shape(self.previous)

    def shape(self, index: int) -> Shape:
        """Output shape of the layer at an absolute index; of the image for -1."""
        return self.input_shape if index == INPUT_INDEX else self.layers[index].shape

    def resolve(self, section: Section, key: str, index: int) -> int:
        """Absolute index of a layer named as cfg files do: negative indices count backwards from this layer."""
        absolute = self.index + index if index < 0 else index
        if not 0 <= absolute < self.index:
            raise section.error(f"{key}={index} names layer {absolute}; expected one of the {self.index} before this", key=key)
        return absolute

    def fields(self, section: Section, shape: Shape, *, sources: tuple[int, ...] | None = None) -> dict[str, Any]:
        """The fields that every layer has, as keyword arguments; ``sources`` is the layer before unless given.

        A `CfgError` is raised if the output is empty or exceeds `MAX_LAYER_OUTPUTS`.
        """
        if sources is None:
            sources = (self.previous,)
        inputs = tuple(map(self.shape, sources))
        if min(shape) < 1:
            raise section.error(f"input {inputs[0]} gives output {shape}; expected at least 1x1x1")
        if shape.size > MAX_LAYER_OUTPUTS:
            raise section.error(f"output {shape} has {shape.size} numbers; at most {MAX_LAYER_OUTPUTS} are run")
        return {"section": section, "index": self.index, "sources": sources, "inputs": inputs, "shape": shape}


class Layer(Value, kw_only=True):
    """One section of the cfg, ready to run.

    Attributes
    ----------
    section
        The section as written; errors name its ``line``.
    index
        Number in the network, from 0 for the first section after ``[net]``.
    sources
        Absolute indices of the layers whose outputs it reads, -1 for the image. `forward` gets them in this order.
    inputs
        Shapes of those outputs.
    shape
        Shape of the output.
    """

    type: ClassVar[str]
    """The section's canonical name, Darknet's long form: ``convolutional``, never ``conv``."""
    training: ClassVar[frozenset[str]] = frozenset()
    """Keys that only training reads: known, ignored, not reported as unused."""

    section: Section
    index: int
    sources: tuple[int, ...]
    inputs: tuple[Shape, ...]
    shape: Shape

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Read and validate all options of a section; a `CfgError` gives file, line, found value and expected value."""
        raise NotImplementedError

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the layer's arrays in the order of the ``.weights`` file; empty for most layers."""
        return {}

    def stored(self) -> tuple[str, ...]:
        """Names of the arrays that the file stores, in order: none with ``dontload=1``."""
        return () if self.section.flag("dontload") else tuple(self.weight_shapes())

    def stored_transposed(self, *, old_format: bool) -> frozenset[str]:
        """Names of the arrays that the file stores with the first axis last; ``old_format`` is the transpose rule of the header."""
        del old_format
        return frozenset()

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Run the reference kernel: ``inputs`` in the order of ``sources``, each (C, H, W); returns ``shape``."""
        raise NotImplementedError

    @property
    def blurred(self) -> bool:
        """Whether ``antialiasing`` makes the output smaller than Darknet's size of the layer."""
        return False

    def remarks(self, layers: Sequence["Layer"]) -> Iterator[str]:
        """Remarks for the user on how the layer follows Darknet; ``layers`` are those of the network."""
        del layers
        return iter(())

    def working(self) -> int:
        """Maximum number of elements of a temporary array between input and output; 0 without one."""
        return 0

    def multiply_adds(self) -> int:
        """Multiply-add operations for one image."""
        return 0

    def bflops(self) -> float:
        """Operations for one image as Darknet counts them, in 10^9."""
        return 2.0 * self.multiply_adds() / 1e9


def padded_size(shape: Shape, output: Shape, *, padding: int, strides: tuple[int, int], extent: int) -> int:
    """Size of an input with ``padding`` pixels above and to the left, extended to all windows of ``extent`` pixels.

    Channels are counted in blocks of 16, as the fused engine stores them.
    """
    geometry = zip(shape[1:], output[1:], strides, strict=True)
    sides = (max((count - 1) * stride + extent, side + padding) for side, count, stride in geometry)
    return prod(sides) * -(-shape.channels // _BLOCK) * _BLOCK


class Head(Layer, kw_only=True):
    """A layer whose output is boxes: ``[yolo]``, ``[Gaussian_yolo]``, ``[region]``, ``[detection]``.

    Attributes
    ----------
    classes
        Number of class scores of each box.
    nms_kind, beta_nms
        Non-maximum suppression; Darknet uses the values of the last head of the network.
    """

    letterboxed: ClassVar[bool] = True
    """Whether Darknet makes boxes of a letterboxed image relative to the image; otherwise they stay relative to the input."""

    classes: int
    nms_kind: NmsKind = "default"
    beta_nms: float = 0.6

    @property
    def reported(self) -> int:
        """Number of classes that `decode` returns; fewer than ``classes`` if a ``map`` selects some."""
        return self.classes

    def activated(self, entries: Array) -> Array:
        """The activations of `forward` on boxes (anchors, entries, ...), for heads with anchors."""
        raise NotImplementedError

    def decode(self, output: Array, *, input_shape: Shape, thresh: float) -> Candidates:
        """Boxes of one image from the output of this layer (C, H, W).

        Boxes are relative to the network's input ``image`` (letterbox not undone). The order is Darknet's: cell by cell, anchor
        by anchor. Boxes whose objectness exceeds ``thresh`` (strictly) are kept; class scores at or under it are 0.
        """
        raise NotImplementedError
