"""What a call of a kernel touches: each kernel declares it in closed form, and `bounds` checks it when a program is linked.

An `Extent` describes the addresses behind one pointer of a kernel as its own loops visit them. Declarations are evaluated for all
calls of a kernel class at once, so every number is a column with one entry a call. Columns are float64: products of arbitrary
arguments cannot wrap around, and every address that a program may use (less than 2^50) is exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
Columns = Mapping[str, Column]

ONE = np.ones(1)


@dataclass(frozen=True, slots=True)
class Extent:
    """The bytes that calls read or write through one pointer.

    Attributes
    ----------
    pointer
        Name of the argument that holds the address.
    size
        Contiguous bytes from every address of the walk; the call does not use the pointer where it is 0.
    walk
        (count, stride in bytes) of each loop around the access. Kernels run every loop at least once.
    first, last
        Least and greatest offset in bytes that do not follow a loop: the overlapping tile at the end of a row, a clipped window.
    writes
        Whether the bytes are written.
    gathers
        Whether the offsets of the call's table come on top; ``size`` then counts from the end of a segment.
    """

    pointer: str
    size: Column
    walk: tuple[tuple[Column, Column], ...] = ()
    first: Column | float = 0.0
    last: Column | float = 0.0
    writes: bool = False
    gathers: bool = False

    def range(self) -> tuple[Column, Column]:
        """Least offset from the pointer, and greatest + 1."""
        low, high = self.first + 0 * self.size, self.last + self.size
        for count, stride in self.walk:
            reach = (count - 1) * stride
            low, high = low + np.minimum(reach, 0), high + np.maximum(reach, 0)
        return low, high

    def counts(self) -> Column:
        """The least count of the loops."""
        least = ONE
        for count, _ in self.walk:
            least = np.minimum(least, count)
        return least


def tiled(last: Column, stride: Column) -> tuple[Column, Column]:
    """``first`` and ``last`` of tiles along a row, the last of which begins at pixel ``last``."""
    return np.minimum(last, 0) * stride, np.maximum(last, 0) * stride
