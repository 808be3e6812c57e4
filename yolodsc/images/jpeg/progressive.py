"""Scans of progressive files: entropy-coded data to coefficients (ITU-T T.81, annex G)."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from yolodsc.images.jpeg.buffer_sizes import FAST
from yolodsc.images.jpeg.huffman import HAS_VALUE, Bytes, Codes, extended, i64, lookup, searched
from yolodsc.images.jpeg.markers import ZIGZAG

Ints = NDArray[np.int64]
_MASK = (1 << 56) - 1


@nb.njit(forceinline=True)
def _filled(
    data: Bytes, position: int, stop: int, bits: int, count: int, starved: int
) -> tuple[int, int, int, int]:  # pragma: no cover
    """At least 49 bits in the buffer: ``(position, bits, count, starved)``; at a marker zeros are fed, and counted."""
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
def _symbol(
    fast: Codes, limit: Codes, delta: Codes, symbols: Bytes, t: int, bits: int, count: int
) -> tuple[int, int]:  # pragma: no cover
    """The next symbol and the length of its code; length 17 for bits that are no code."""
    entry = i64(fast[t, (bits >> (count - FAST)) & ((1 << FAST) - 1)])
    if entry == 0:
        return searched((bits >> (count - 16)) & 0xFFFF, t, limit, delta, symbols)
    symbol, length = (entry >> 6) & 255, entry & 63
    return symbol, length - (symbol & 15) if entry & HAS_VALUE else length


@nb.njit(forceinline=True)
def _extended(bits: int, count: int, size: int) -> int:  # pragma: no cover
    """The number that the next ``size`` bits say (F.2.2.1)."""
    if size == 0:
        return 0
    return extended((bits >> (count - size)) & ((1 << size) - 1), size)


@nb.njit(forceinline=True)
def _restarted(data: Bytes, position: int, stop: int) -> int:  # pragma: no cover
    """Behind the next restart marker; -1 where there is none."""
    while position + 1 < stop:
        if data[position] == 0xFF and 0xD0 <= data[position + 1] <= 0xD7:
            return position + 2
        position += 1
    return -1


@nb.njit(forceinline=True)
def _refined(value: int, one: int) -> int:  # pragma: no cover
    """A coefficient with the bit ``one`` set, away from 0, unless it is (G.1.2.3)."""
    if abs(value) & one:
        return value
    return value + one if value > 0 else value - one


def progressive(  # noqa: PLR0911, PLR0912, PLR0915 one kernel, one function
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
    """Add what a scan tells of the coefficients ``begin`` to ``end`` down to bit ``low``, refined where ``high`` is not 0.

    The other parameters and the result are as for `sequential`; layout (n, 6); ``before`` (n,) is scratch.
    """
    for c in range(len(layout)):
        for kind in range(4, 6):
            lookup(layout[c, kind], counts, symbols, fast, limit, delta)
    position, bits, count, starved = start, 0, 0, 0
    before[:] = 0
    skip = 0
    refine = high != 0
    one = 1 << low
    for unit in range(units_x * units_y):
        if restart and unit and unit % restart == 0:
            position = _restarted(data, position, stop)
            if position < 0 or starved > count:
                return 0
            bits, count, starved, skip = 0, 0, 0, 0
            before[:] = 0
        unit_y, unit_x = unit // units_x, unit % units_x
        for c in range(len(layout)):
            h, v, width, dc, ac = layout[c, 0], layout[c, 1], layout[c, 3], layout[c, 4], layout[c, 5]
            for b in range(h * v):
                row = layout[c, 2] + (unit_y * v + b // h) * width + unit_x * h + b % h
                position, bits, count, starved = _filled(data, position, stop, bits, count, starved)
                if starved > count + 64:
                    return 0
                if begin == 0:
                    if refine:
                        count -= 1
                        if (bits >> count) & 1:
                            coefficients[row, 0] += one
                        continue
                    size, length = _symbol(fast, limit, delta, symbols, dc, bits, count)
                    if length > 16 or size > 15:
                        return 0
                    count -= length
                    before[c] += _extended(bits, count, size)
                    count -= size
                    coefficients[row, 0] = before[c] << low
                    continue
                if skip and not refine:
                    skip -= 1
                    continue
                k = begin
                while k <= end and not skip:
                    if count < 32:
                        position, bits, count, starved = _filled(data, position, stop, bits, count, starved)
                    symbol, length = _symbol(fast, limit, delta, symbols, ac, bits, count)
                    if length > 16:
                        return 0
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
                            return 0
                        coefficients[row, ZIGZAG[k]] = _extended(bits, count, size) << low
                        count -= size
                        k += 1
                        continue
                    if not refine:
                        k += 16
                        continue
                    if size > 1:
                        return 0
                    if size:
                        count -= 1
                        value = one if (bits >> count) & 1 else -one
                    while k <= end:
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
                    while refine and k <= end:
                        at = ZIGZAG[k]
                        k += 1
                        if coefficients[row, at]:
                            if count < 1:
                                position, bits, count, starved = _filled(data, position, stop, bits, count, starved)
                            count -= 1
                            if (bits >> count) & 1:
                                coefficients[row, at] = _refined(coefficients[row, at], one)
                    skip -= 1
    return 1 if starved <= count else 0
