"""Scans of sequential files: entropy-coded data to coefficients or samples (ITU-T T.81, annex F)."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from yolodsc.images.jpeg.buffer_sizes import FAST, PADDING
from yolodsc.images.jpeg.huffman import HAS_VALUE, Bytes, Codes, build_tables, extended, i64, restarted, searched
from yolodsc.images.jpeg.idct import samples_of
from yolodsc.images.jpeg.markers import ZIGZAG
from yolodsc.jit import put, word

Ints = NDArray[np.int64]
_LOW, _HIGH = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)


@nb.njit(forceinline=True)
def _unstuffed(data: Bytes, position: int, stop: int, out: Bytes) -> tuple[int, int]:  # pragma: no cover
    """Copy data up to the next marker without the zero bytes after 0xFF; return the marker's position and the number of bytes."""
    count = 0
    while position < stop:
        if position + 8 <= stop:
            eight = word(data, position)
            inverse = ~np.uint64(eight)
            if (inverse - _LOW) & np.uint64(eight) & _HIGH == np.uint64(0):
                put(out, count, eight)
                position += 8
                count += 8
                continue
        byte = data[position]
        if byte == 0xFF and (position + 1 >= stop or data[position + 1] != 0):
            break
        out[count] = byte
        count += 1
        position += 2 if byte == 0xFF else 1
    for i in range(count, count + PADDING):
        out[i] = 0
    return position, count


@nb.njit(forceinline=True)
def _upper(bits: int, size: int) -> int:  # pragma: no cover
    """Return the uppermost ``size`` > 0 bits."""
    return i64(np.uint64(bits) >> np.uint64(64 - size))


@nb.njit(forceinline=True)
def _filled(segment: Bytes, position: int, bits: int, count: int) -> tuple[int, int, int]:  # pragma: no cover
    """Fill the buffer to at least 56 bits, the next one uppermost: ``(position, bits, count)``."""
    bits |= i64(np.uint64(word(segment, position)) >> np.uint64(count))
    return position + ((63 - count) >> 3), bits, count | 56


@nb.njit(forceinline=True)
def _next(t: int, bits: int, fast: Codes, limit: Codes, delta: Codes, symbols: Bytes) -> tuple[int, int, int]:  # pragma: no cover
    """Return symbol, value, and the bits that both take; 64 bits for invalid codes."""
    entry = i64(fast[t, _upper(bits, FAST)])
    if entry & HAS_VALUE:
        return (entry >> 6) & 255, entry >> 16, entry & 63
    symbol, length = (entry >> 6) & 255, entry & 63
    if entry == 0:
        symbol, length = searched(_upper(bits, 16), t, limit, delta, symbols)
        if length > 16:
            return 0, 0, 64
    size = symbol & 15
    if size == 0:
        return symbol, 0, length
    return symbol, extended(_upper(bits << length, size), size), length + size


@nb.njit(forceinline=True)
def _block(
    segment: Bytes,
    reader: tuple[int, int, int],
    dc: int,
    ac: int,
    before: Ints,
    c: int,
    coefficients: NDArray[np.int16],
    row: int,
    fast: Codes,
    limit: Codes,
    delta: Codes,
    symbols: Bytes,
) -> tuple[bool, tuple[int, int, int]]:  # pragma: no cover
    """Decode a block of component ``c`` into ``coefficients[row]``; return whether it is valid, and the reader's state."""
    position, bits, count = _filled(segment, reader[0], reader[1], reader[2])
    symbol, value, length = _next(dc, bits, fast, limit, delta, symbols)
    if length == 64 or symbol > 15:
        return False, (position, bits, count)
    bits <<= length
    count -= length
    before[c] += value
    coefficients[row, 0] = before[c]
    k = 1
    while k < 64:
        if count < 32:  # a code and its bits take 31; a load for every symbol would be waited for
            position, bits, count = _filled(segment, position, bits, count)
        symbol, value, length = _next(ac, bits, fast, limit, delta, symbols)
        if length == 64:
            return False, (position, bits, count)
        bits <<= length
        count -= length
        if symbol & 15 == 0:
            if symbol != 0xF0:
                break
            k += 16
            continue
        k += symbol >> 4
        if k > 63:
            return False, (position, bits, count)
        coefficients[row, ZIGZAG[k]] = value
        k += 1
    return True, (position, bits, count)


@nb.njit(forceinline=True)
def _sampled(
    coefficients: NDArray[np.int16], tables: NDArray[np.int32], table: int, samples: Bytes, first: int, offset: int, stride: int
) -> None:  # pragma: no cover
    """Write the samples of the only block to ``first + offset``, unless ``first`` is negative, and clear the block."""
    if first >= 0:
        samples_of(coefficients, 0, tables, table, samples, first + offset, stride)
    for i in range(64):
        coefficients[0, i] = 0


def sequential(
    data: Bytes,
    start: int,
    stop: int,
    segment: Bytes,
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
    tables: NDArray[np.int32],
    samples: Bytes,
) -> int:  # pragma: no cover
    """Decode a scan; return 0 if it is damaged.

    segment is (stop - start + `PADDING`,); coefficients (blocks, 64), or (1, 64) of zeros if ``samples`` has any. layout (n, 8)
    holds for each plane the blocks of a unit across and down, the index of its first block, blocks per row, DC and AC table, row
    of ``tables`` (m, 64), and the offset of its plane in ``samples`` (-1: none).
    """
    build_tables(layout, counts, symbols, fast, limit, delta)
    before[:] = 0
    direct = len(samples) > 0
    marker, size = _unstuffed(data, start, stop, segment)
    reader = (i64(0), i64(0), i64(0))
    for unit in range(units_x * units_y):
        if restart and unit and unit % restart == 0:
            start = restarted(data, marker, stop)
            if start < 0:
                return 0
            marker, size = _unstuffed(data, start, stop, segment)
            reader = (i64(0), i64(0), i64(0))
            before[:] = 0
        unit_y, unit_x = unit // units_x, unit % units_x
        for c in range(len(layout)):
            h, v, width, dc, ac = layout[c, 0], layout[c, 1], layout[c, 3], layout[c, 4], layout[c, 5]
            for b in range(h * v):
                y, x = unit_y * v + b // h, unit_x * h + b % h
                row = 0 if direct else layout[c, 2] + y * width + x
                whole, reader = _block(segment, reader, dc, ac, before, c, coefficients, row, fast, limit, delta, symbols)
                if not whole or 8 * reader[0] - reader[2] > 8 * size:
                    return 0
                if direct:
                    _sampled(coefficients, tables, layout[c, 6], samples, layout[c, 7], 64 * y * width + 8 * x, 8 * width)
    return 1
