"""Scans of progressive files: entropy-coded data to coefficients (ITU-T T.81, annex G)."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from yolodsc.images.jpeg.huffman import Bytes, Codes, build_tables, i64, restarted
from yolodsc.images.jpeg.progressive_blocks import Ints, Reader, Tables, decoded_ac, decoded_dc, filled, refined_ac


@nb.njit(forceinline=True)
def _block(
    data: Bytes,
    stop: int,
    reader: Reader,
    coefficients: NDArray[np.int16],
    row: int,
    before: Ints,
    c: int,
    dc: int,
    ac: int,
    band: tuple[int, int, int, int],
    skip: int,
    codes: Tables,
) -> tuple[bool, int, Reader]:  # pragma: no cover
    """Read the bits of one block; return whether they are valid, how many blocks to skip after it, and the state of the reader."""
    begin, _, high, low = band
    reader = filled(data, reader[0], stop, reader[1], reader[2], reader[3])
    if reader[3] > reader[2] + 64:
        return False, skip, reader
    if begin == 0:
        whole, reader = decoded_dc(reader, coefficients, row, before, c, dc, high != 0, low, codes)
        return whole, skip, reader
    if high:
        skip, reader = refined_ac(data, stop, reader, coefficients, row, ac, band, skip, codes)
    elif skip:
        skip -= 1
    else:
        skip, reader = decoded_ac(data, stop, reader, coefficients, row, ac, band, codes)
    return skip >= 0, skip, reader


def progressive(
    data: Bytes,
    start: int,
    stop: int,
    coefficients: NDArray[np.int16],
    layout: Ints,
    units_x: int,
    units_y: int,
    restart: int,
    counts: Bytes,
    symbols: Bytes,
    fast: Codes,
    limit: Codes,
    delta: Codes,
    before: Ints,
    begin: int,
    end: int,
    high: int,
    low: int,
) -> int:  # pragma: no cover
    """Add the bits of a scan to the coefficients ``begin`` to ``end`` down to bit ``low``; refine them where ``high`` is not 0.

    The other parameters and the result are as for `sequential`; layout (n, 6); ``before`` (n,) is scratch.
    """
    build_tables(layout, counts, symbols, fast, limit, delta)
    codes, band = (fast, limit, delta, symbols), (begin, end, high, low)
    reader = (i64(start), i64(0), i64(0), i64(0))
    before[:] = 0
    skip = 0
    for unit in range(units_x * units_y):
        if restart and unit and unit % restart == 0:
            after = restarted(data, reader[0], stop)
            if after < 0 or reader[3] > reader[2]:
                return 0
            reader, skip = (after, i64(0), i64(0), i64(0)), 0
            before[:] = 0
        y, x = unit // units_x, unit % units_x
        for c in range(len(layout)):
            h, v, width, dc, ac = layout[c, 0], layout[c, 1], layout[c, 3], layout[c, 4], layout[c, 5]
            for b in range(h * v):
                row = layout[c, 2] + (y * v + b // h) * width + x * h + b % h
                whole, skip, reader = _block(data, stop, reader, coefficients, row, before, c, dc, ac, band, skip, codes)
                if not whole:
                    return 0
    return 1 if reader[3] <= reader[2] else 0
