"""`Quantization`: the precision of every convolution, the scales of its tensors, and its 8-bit weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array

Precision = Literal["f32", "bf16", "int8"]

PRECISIONS: tuple[Precision, ...] = ("f32", "bf16", "int8")

MAX_LEVEL = 255
"""Greatest value of a tensor of bytes."""

MAX_WEIGHT = 127
"""Greatest magnitude of an 8-bit weight; -128 is not used, so that every weight has a negative."""

Int8 = NDArray[np.int8]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class TensorScale:
    """How a tensor of bytes represents real numbers: ``(byte - zero_point) * scale``.

    Attributes
    ----------
    scale
        A positive float32, as a Python float of the same value.
    zero_point
        The byte that represents 0; 0 to 255.
    """

    scale: float
    zero_point: int

    @property
    def inverse(self) -> np.float32:
        """1 / scale, rounded once to float32."""
        return np.float32(1.0 / float(self.scale))


@dataclass(frozen=True, slots=True, eq=False)
class Int8Weights:
    """One convolution in 8 bits, symmetric for each output channel.

    Attributes
    ----------
    weights : (F, C / groups, K, K) int8
        -127 to 127.
    scale : (F,) float32
        Real value of 1 for each output channel.
    bias : (F,) float32
        Batch normalization folded in, in real units.
    """

    weights: Int8
    scale: Array
    bias: Array


@dataclass(frozen=True, slots=True, eq=False)
class Quantization:
    """How a network runs in reduced precision.

    A tensor with a scale is stored in bytes, every other tensor in float32. Readers of either kind convert what they read.

    Attributes
    ----------
    layers
        Precision of convolutions by index; convolutions that are not named run in float32.
    scales
        By the index of the layer that writes the tensor, `yolodsc.network.INPUT_INDEX` for the image.
    weights
        Of every layer whose precision is ``int8``.
    provenance
        How the quantization was made, as short texts by name.
    """

    layers: Mapping[int, Precision]
    scales: Mapping[int, TensorScale]
    weights: Mapping[int, Int8Weights]
    provenance: Mapping[str, str] = field(default_factory=dict)

    def precision(self, index: int) -> Precision:
        """Precision of a convolution."""
        return self.layers.get(index, "f32")
