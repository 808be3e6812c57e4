"""Quantised coefficients to samples."""

import numpy as np
from numpy.typing import NDArray

from yolodsc.images.jpeg.idct import samples_of


def planes(
    coefficients: NDArray[np.int16], tables: NDArray[np.int32], layout: NDArray[np.int64], out: NDArray[np.uint8]
) -> int:  # pragma: no cover
    """Write the samples of all planes, in rows of whole blocks.

    coefficients is (blocks, 64). For each plane, tables is (n, 64), and layout (n, 4) holds the index of the first block, the
    blocks across and down, and the offset in ``out``.
    """
    for c in range(len(layout)):
        first, across, down, start = layout[c, 0], layout[c, 1], layout[c, 2], layout[c, 3]
        for y in range(down):
            for x in range(across):
                samples_of(coefficients, first + y * across + x, tables, c, out, start + 64 * y * across + 8 * x, 8 * across)
    return 1
