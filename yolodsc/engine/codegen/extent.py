"""The memory that a call of a kernel reads and writes: each kernel declares it in closed form, `bounds` checks it.

An `Extent` describes the addresses behind one pointer of a kernel in the order of the kernel's loops. Declarations are evaluated
for all calls of a kernel class at once, so every number is a column with one entry per call. Columns are float64: products of
arbitrary arguments cannot wrap around, and every address that a program may use (less than 2^50) is exact.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from yolodsc.values import Value

Column = NDArray[np.float64]
Columns = Mapping[str, Column]

ONE = np.ones(1)


class Extent(Value):
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
        Minimum and maximum offset in bytes that no loop adds: the overlapping tile at the end of a row, a clipped window.
    writes
        Whether the bytes are written.
    gathers
        Whether the offsets of the call's table are added; ``size`` then counts from the end of a segment.
    """

    pointer: str
    size: Column
    walk: tuple[tuple[Column, Column], ...] = ()
    first: Column | float = 0.0
    last: Column | float = 0.0
    writes: bool = False
    gathers: bool = False

    def range(self) -> tuple[Column, Column]:
        """Return the minimum offset from the pointer, and the maximum + 1."""
        low, high = self.first + 0 * self.size, self.last + self.size
        for count, stride in self.walk:
            last = (count - 1) * stride
            low, high = low + np.minimum(last, 0), high + np.maximum(last, 0)
        return low, high

    def counts(self) -> Column:
        """Return the minimum count of the loops."""
        minimum = ONE
        for count, _ in self.walk:
            minimum = np.minimum(minimum, count)
        return minimum


def tiled(last: Column, stride: Column) -> tuple[Column, Column]:
    """Return ``first`` and ``last`` of tiles along a row whose last tile begins at pixel ``last``."""
    return np.minimum(last, 0) * stride, np.maximum(last, 0) * stride
