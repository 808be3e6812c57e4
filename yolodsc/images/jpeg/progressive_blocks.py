"""Blocks of progressive scans: entropy-coded data to coefficients (ITU-T T.81, annex G)."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from yolodsc.images.jpeg.buffer_sizes import FAST
from yolodsc.images.jpeg.huffman import HAS_VALUE, Bytes, Codes, extended, i64, searched
from yolodsc.images.jpeg.markers import ZIGZAG

Ints = NDArray[np.int64]
Tables = tuple[Codes, Codes, Codes, Bytes]
"""``fast``, ``limit`` and ``delta`` as `huffman` builds them, and ``symbols``."""

Reader = tuple[int, int, int, int]
"""Position in the data, buffered bits, their number, and how many of them lie behind the data."""

_MASK = (1 << 56) - 1


@nb.njit(forceinline=True)
def filled(
    data: Bytes, position: int, stop: int, bits: int, count: int, starved: int
) -> tuple[int, int, int, int]:  # pragma: no cover
    """Fill the buffer to at least 49 bits: ``(position, bits, count, starved)``. After a marker, zeros are appended and counted."""
    while count <= 48:
        byte = 0
        if position < stop and not (data[position] == 0xFF and (position + 1 >= stop or data[position + 1] != 0)):
            byte = i64(data[position])
            position += 2 if byte == 0xFF else 1
        else:
            starved += 8
        bits = ((bits << 8) | byte) & _MASK
        count += 8
    return position, bits, count, starved


@nb.njit(forceinline=True)
def _symbol(codes: Tables, t: int, bits: int, count: int) -> tuple[int, int]:  # pragma: no cover
    """Return the next symbol and the length of its code; length 17 for invalid codes."""
    fast, limit, delta, symbols = codes
    entry = i64(fast[t, (bits >> (count - FAST)) & ((1 << FAST) - 1)])
    if entry == 0:
        return searched((bits >> (count - 16)) & 0xFFFF, t, limit, delta, symbols)
    symbol, length = (entry >> 6) & 255, entry & 63
    return symbol, length - (symbol & 15) if entry & HAS_VALUE else length


@nb.njit(forceinline=True)
def _extended(bits: int, count: int, size: int) -> int:  # pragma: no cover
    """Return the number that the next ``size`` bits encode (F.2.2.1)."""
    if size == 0:
        return 0
    return extended((bits >> (count - size)) & ((1 << size) - 1), size)


@nb.njit(forceinline=True)
def _refined(value: int, one: int) -> int:  # pragma: no cover
    """Return a coefficient with the bit ``one`` set, away from 0, unless it is set already (G.1.2.3)."""
    if abs(value) & one:
        return value
    return value + one if value > 0 else value - one


@nb.njit(forceinline=True)
def decoded_dc(
    reader: Reader, coefficients: NDArray[np.int16], row: int, before: Ints, c: int, dc: int, refine: bool, low: int, codes: Tables
) -> tuple[bool, Reader]:  # pragma: no cover
    """Decode or refine the first coefficient of a block; return whether the data are valid, and the state of the reader."""
    position, bits, count, starved = reader
    if refine:
        count -= 1
        if (bits >> count) & 1:
            coefficients[row, 0] += 1 << low
        return True, (position, bits, count, starved)
    size, length = _symbol(codes, dc, bits, count)
    if length > 16 or size > 15:
        return False, reader
    count -= length
    before[c] += _extended(bits, count, size)
    count -= size
    coefficients[row, 0] = before[c] << low
    return True, (position, bits, count, starved)


@nb.njit(forceinline=True)
def _blocks_to_skip(bits: int, count: int, run: int) -> int:  # pragma: no cover
    """Return the length of a run of blocks without further new coefficients, the present one included (G.1.2.2)."""
    return (1 << run) + ((bits >> (count - run)) & ((1 << run) - 1))


@nb.njit(forceinline=True)
def decoded_ac(
    data: Bytes,
    stop: int,
    reader: Reader,
    coefficients: NDArray[np.int16],
    row: int,
    ac: int,
    band: tuple[int, int, int, int],
    codes: Tables,
) -> tuple[int, Reader]:  # pragma: no cover
    """Decode the first bits of a block; return how many blocks to skip after it (-1: damaged), and the state of the reader."""
    (position, bits, count, starved), (k, end, _, low) = reader, band
    while k <= end:
        if count < 32:
            position, bits, count, starved = filled(data, position, stop, bits, count, starved)
        symbol, length = _symbol(codes, ac, bits, count)
        if length > 16:
            return -1, reader
        count -= length
        run, size = symbol >> 4, symbol & 15
        if size == 0 and run < 15:
            return _blocks_to_skip(bits, count, run) - 1, (position, bits, count - run, starved)
        k += run
        if size:
            if k > 63:
                return -1, reader
            coefficients[row, ZIGZAG[k]] = _extended(bits, count, size) << low
            count -= size
        k += 1
    return 0, (position, bits, count, starved)


@nb.njit(forceinline=True)
def _inserted(
    data: Bytes,
    stop: int,
    reader: Reader,
    coefficients: NDArray[np.int16],
    row: int,
    k: int,
    end: int,
    run: int,
    value: int,
    one: int,
) -> tuple[int, Reader]:  # pragma: no cover
    """Refine coefficients from ``k`` on, store ``value`` after ``run`` zeros; return the next ``k`` and the reader's state."""
    position, bits, count, starved = reader
    while k <= end:
        at = ZIGZAG[k]
        k += 1
        if coefficients[row, at]:
            if count < 1:
                position, bits, count, starved = filled(data, position, stop, bits, count, starved)
            count -= 1
            if (bits >> count) & 1:
                coefficients[row, at] = _refined(coefficients[row, at], one)
        elif run == 0:
            if value:
                coefficients[row, at] = value
            break
        else:
            run -= 1
    return k, (position, bits, count, starved)


@nb.njit(forceinline=True)
def refined_ac(
    data: Bytes,
    stop: int,
    reader: Reader,
    coefficients: NDArray[np.int16],
    row: int,
    ac: int,
    band: tuple[int, int, int, int],
    skip: int,
    codes: Tables,
) -> tuple[int, Reader]:  # pragma: no cover
    """Refine a block by one bit; parameters and result as for `decoded_ac`."""
    k, end, _, low = band
    one = 1 << low
    while k <= end and not skip:
        position, bits, count, starved = reader
        if count < 32:
            position, bits, count, starved = filled(data, position, stop, bits, count, starved)
        symbol, length = _symbol(codes, ac, bits, count)
        run, size = symbol >> 4, symbol & 15
        if length > 16 or size > 1:
            return -1, reader
        count -= length
        if size == 0 and run < 15:
            skip = _blocks_to_skip(bits, count, run)
            reader = (position, bits, count - run, starved)
            break
        value = 0
        if size:
            count -= 1
            value = one if (bits >> count) & 1 else -one
        k, reader = _inserted(data, stop, (position, bits, count, starved), coefficients, row, k, end, run, value, one)
    if skip:
        k, reader = _inserted(data, stop, reader, coefficients, row, k, end, 64, 0, one)
        skip -= 1
    return skip, reader
