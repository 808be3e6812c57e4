"""Arrays and their shapes: everything in a network is float32, planar, ``(channels, height, width)``."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
"""A float32 array; the comment where it is born gives its shape."""

Floats = NDArray[np.float32] | NDArray[np.float64]
"""Either float type, where precision is the caller's."""

Ints = NDArray[np.int64]


class Shape(NamedTuple):
    """What one layer passes on for one image: ``channels`` planes of ``height`` x ``width``."""

    channels: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """How many numbers: Darknet's ``outputs``."""
        return self.channels * self.height * self.width

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"
