"""Huffman-coded data to quantised coefficients (ITU-T T.81, annexes F and G)."""

import numpy as np
from numpy.typing import NDArray

from yolodsc.jit.numba_cache import njit
from yolodsc.jpeg.markers import ZIGZAG

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
FAST = 11
"""Bits of a code that are looked up at once; longer codes are searched by length."""
_MASK = (1 << 56) - 1


@njit(cache=True, nogil=True)
def lookup(counts: Bytes, symbols: Bytes) -> tuple[Codes, Codes, Codes, Bytes]:  # pragma: no cover
    """Codes of eight tables as ``(fast, limit, delta, symbols)``.

    fast (8, 2048): ``length << 8 | symbol`` by the next 11 bits, 0 for longer codes; limit (8, 18): the first 16 bits that are
    beyond all codes of a length; delta (8, 18): what makes a code of that length the number of its symbol.
    """
    fast = np.zeros((8, 1 << FAST), np.int32)
    limit = np.zeros((8, 18), np.int32)
    delta = np.zeros((8, 18), np.int32)
    for t in range(8):
        code, number = 0, 0
        for length in range(1, 17):
            delta[t, length] = number - code
            for _ in range(counts[t, length - 1]):
                if length <= FAST:
                    entry = length << 8 | int(symbols[t, number])
                    for i in range(code << (FAST - length), (code + 1) << (FAST - length)):
                        fast[t, i] = entry
                code += 1
                number += 1
            limit[t, length] = code << (16 - length)
            code <<= 1
        limit[t, 17] = 1 << 16
    return fast, limit, delta, symbols


@njit(cache=True, nogil=True)
def _filled(
    data: Bytes, position: int, stop: int, bits: int, count: int, starved: int
) -> tuple[int, int, int, int]:  # pragma: no cover
    """At least 49 bits in the buffer: ``(position, bits, count, starved)``; at a marker zeros are fed, and counted."""
    while count <= 48:
        byte = 0
        if position < stop and not (data[position] == 0xFF and (position + 1 >= stop or data[position + 1] != 0)):
            byte = int(data[position])
            position += 2 if byte == 0xFF else 1
        else:
            starved += 8
        bits = ((bits << 8) | byte) & _MASK
        count += 8
    return position, bits, count, starved


@njit(cache=True, nogil=True)
def _symbol(
    fast: Codes, limit: Codes, delta: Codes, symbols: Bytes, t: int, bits: int, count: int
) -> tuple[int, int]:  # pragma: no cover
    """The next symbol and the length of its code; length 17 for bits that are no code."""
    entry = int(fast[t, (bits >> (count - FAST)) & ((1 << FAST) - 1)])
    if entry:
        return entry & 255, entry >> 8
    code = (bits >> (count - 16)) & 0xFFFF
    length = FAST + 1
    while code >= limit[t, length]:
        length += 1
    if length == 17:
        return 0, 17
    return int(symbols[t, (code >> (16 - length)) + delta[t, length]]), length


@njit(cache=True, nogil=True)
def _extended(bits: int, count: int, size: int) -> int:  # pragma: no cover
    """The number that the next ``size`` bits say (F.2.2.1)."""
    if size == 0:
        return 0
    value = (bits >> (count - size)) & ((1 << size) - 1)
    return value if value >> (size - 1) else value - (1 << size) + 1


@njit(cache=True, nogil=True)
def _restarted(data: Bytes, position: int, stop: int) -> int:  # pragma: no cover
    """Behind the next restart marker; -1 where there is none."""
    while position + 1 < stop:
        if data[position] == 0xFF and 0xD0 <= data[position + 1] <= 0xD7:
            return position + 2
        position += 1
    return -1


@njit(cache=True, nogil=True)
def _refined(value: int, one: int) -> int:  # pragma: no cover
    """A coefficient with the bit ``one`` set, away from 0, unless it is (G.1.2.3)."""
    if abs(value) & one:
        return value
    return value + one if value > 0 else value - one


@njit(cache=True, nogil=True)
def sequential(
    data: Bytes,
    start: int,
    stop: int,
    coefficients: NDArray[np.int16],
    layout: Ints,
    units: tuple[int, int],
    restart: int,
    fast: Codes,
    limit: Codes,
    delta: Codes,
    symbols: Bytes,
) -> bool:  # pragma: no cover
    """Decode a scan of a sequential file into ``coefficients`` (blocks, 64), in natural order; False where it is damaged.

    ``layout`` (n, 6): of each component in the scan the blocks of a unit across and down, number of its first block, blocks a row,
    DC and AC table; ``units``: across and down.
    """
    position, bits, count, starved = start, 0, 0, 0
    before = np.zeros(len(layout), np.int64)
    total = units[0] * units[1]
    for unit in range(total):
        if restart and unit and unit % restart == 0:
            position = _restarted(data, position, stop)
            if position < 0 or starved > count:
                return False
            bits, count, starved = 0, 0, 0
            before[:] = 0
        unit_y, unit_x = unit // units[0], unit % units[0]
        for c in range(len(layout)):
            h, v, first, width, dc, ac = layout[c]
            for b in range(h * v):
                row = first + (unit_y * v + b // h) * width + unit_x * h + b % h
                position, bits, count, starved = _filled(data, position, stop, bits, count, starved)
                size, length = _symbol(fast, limit, delta, symbols, dc, bits, count)
                if length > 16 or size > 15:
                    return False
                count -= length
                before[c] += _extended(bits, count, size)
                count -= size
                coefficients[row, 0] = before[c]
                k = 1
                while k < 64:
                    if count < 32:
                        position, bits, count, starved = _filled(data, position, stop, bits, count, starved)
                    symbol, length = _symbol(fast, limit, delta, symbols, ac, bits, count)
                    count -= length
                    size = symbol & 15
                    k += symbol >> 4
                    if size == 0:
                        if symbol != 0xF0:
                            break
                        k += 1
                        continue
                    if length > 16 or k > 63:
                        return False
                    coefficients[row, ZIGZAG[k]] = _extended(bits, count, size)
                    count -= size
                    k += 1
                if length > 16 or starved > count + 64:
                    return False
    return starved <= count


@njit(cache=True, nogil=True)
def progressive(  # noqa: PLR0911, PLR0912, PLR0915 one kernel, one function
    data: Bytes,
    start: int,
    stop: int,
    coefficients: NDArray[np.int16],
    layout: Ints,
    units: tuple[int, int],
    restart: int,
    fast: Codes,
    limit: Codes,
    delta: Codes,
    symbols: Bytes,
    band: tuple[int, int],
    planes: tuple[int, int],
) -> bool:  # pragma: no cover
    """The same for a scan of a progressive file: the ``band`` down to bit ``planes[1]``, refined where ``planes[0]`` is not 0."""
    position, bits, count, starved = start, 0, 0, 0
    before = np.zeros(len(layout), np.int64)
    skip = 0
    low = planes[1]
    refine = planes[0] != 0
    one = 1 << low
    total = units[0] * units[1]
    for unit in range(total):
        if restart and unit and unit % restart == 0:
            position = _restarted(data, position, stop)
            if position < 0 or starved > count:
                return False
            bits, count, starved, skip = 0, 0, 0, 0
            before[:] = 0
        unit_y, unit_x = unit // units[0], unit % units[0]
        for c in range(len(layout)):
            h, v, first, width, dc, ac = layout[c]
            for b in range(h * v):
                row = first + (unit_y * v + b // h) * width + unit_x * h + b % h
                position, bits, count, starved = _filled(data, position, stop, bits, count, starved)
                if starved > count + 64:
                    return False
                if band[0] == 0:
                    if refine:
                        count -= 1
                        if (bits >> count) & 1:
                            coefficients[row, 0] += one
                        continue
                    size, length = _symbol(fast, limit, delta, symbols, dc, bits, count)
                    if length > 16 or size > 15:
                        return False
                    count -= length
                    before[c] += _extended(bits, count, size)
                    count -= size
                    coefficients[row, 0] = before[c] << low
                    continue
                if skip and not refine:
                    skip -= 1
                    continue
                k = band[0]
                while k <= band[1] and not skip:
                    if count < 32:
                        position, bits, count, starved = _filled(data, position, stop, bits, count, starved)
                    symbol, length = _symbol(fast, limit, delta, symbols, ac, bits, count)
                    if length > 16:
                        return False
                    count -= length
                    run, size = symbol >> 4, symbol & 15
                    value = 0
                    if size == 0 and run < 15:
                        skip = 1 << run
                        if run:
                            skip += (bits >> (count - run)) & (skip - 1)
                            count -= run
                        break
                    if size and not refine:
                        k += run
                        if k > 63:
                            return False
                        coefficients[row, ZIGZAG[k]] = _extended(bits, count, size) << low
                        count -= size
                        k += 1
                        continue
                    if not refine:
                        k += 16
                        continue
                    if size > 1:
                        return False
                    if size:
                        count -= 1
                        value = one if (bits >> count) & 1 else -one
                    while k <= band[1]:
                        at = ZIGZAG[k]
                        k += 1
                        if coefficients[row, at]:
                            if count < 1:
                                position, bits, count, starved = _filled(data, position, stop, bits, count, starved)
                            count -= 1
                            if (bits >> count) & 1:
                                coefficients[row, at] = _refined(coefficients[row, at], one)
                        elif run == 0:
                            if value:
                                coefficients[row, at] = value
                            break
                        else:
                            run -= 1
                if skip:
                    while refine and k <= band[1]:
                        at = ZIGZAG[k]
                        k += 1
                        if coefficients[row, at]:
                            if count < 1:
                                position, bits, count, starved = _filled(data, position, stop, bits, count, starved)
                            count -= 1
                            if (bits >> count) & 1:
                                coefficients[row, at] = _refined(coefficients[row, at], one)
                    skip -= 1
    return starved <= count
