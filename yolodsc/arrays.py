"""Arrays and their shapes: everything in a network is float32, planar, ``(channels, height, width)``."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
"""A float32 array; a comment where it is created gives its shape."""

Floats = NDArray[np.float32] | NDArray[np.float64]
"""Either float type; the caller chooses the precision."""

Ints = NDArray[np.int64]


class Shape(NamedTuple):
    """Shape of one feature map of one image: (channels, height, width)."""

    channels: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """Number of elements: Darknet's ``outputs``."""
        return self.channels * self.height * self.width

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


def aligned_zeros(*shape: int) -> Array:
    """Return an array of zeros that begins on a cache line, so that vectors of 64 bytes lie in one line each."""
    count = int(np.prod(shape))
    memory = np.zeros(count + 16, np.float32)
    first = -memory.ctypes.data // 4 % 16
    return memory[first : first + count].reshape(shape)
