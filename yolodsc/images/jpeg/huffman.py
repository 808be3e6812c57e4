"""Huffman tables, and restart markers between codes (ITU-T T.81, annexes C, E.2.4 and F.2.2)."""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from yolodsc.images.jpeg.buffer_sizes import FAST

Bytes = NDArray[np.uint8]
Codes = NDArray[np.int32]
i64: Any = np.int64
"""Converts array elements to 64 bits; untyped, so that type checkers accept any use."""
HAS_VALUE = 1 << 14
"""Mark of entries that hold the coefficient too, because code and extra bits together are short."""


@nb.njit(forceinline=True)
def extended(value: int, size: int) -> int:  # pragma: no cover
    """Return the number that ``size`` > 0 bits encode (F.2.2.1)."""
    return value if value >> (size - 1) else value - (1 << size) + 1


@nb.njit(forceinline=True)
def _enter(fast: Codes, t: int, code: int, length: int, symbol: int) -> None:  # pragma: no cover
    """Write the entries of a code of at most `FAST` bits."""
    rest = FAST - length
    size = symbol & 15
    for i in range(1 << rest):
        entry = symbol << 6 | length
        if 0 < size <= rest:
            entry = extended(i >> (rest - size), size) << 16 | HAS_VALUE | symbol << 6 | (length + size)
        fast[t, (code << rest) + i] = entry


@nb.njit(forceinline=True)
def _lookup(t: int, counts: Bytes, symbols: Bytes, fast: Codes, limit: Codes, delta: Codes) -> None:  # pragma: no cover
    """Write table ``t``.

    fast (8, 1024) is indexed by the next 10 bits. Bits 0 to 5 of an entry are the length (of the code, or of code and value), 6 to
    13 the symbol, 14 whether a value is included, 16 to 31 the value; 0 for longer codes. limit (8, 18) holds the first 16 bits
    beyond all codes of a length; delta (8, 18) is what turns a code of that length into the number of its symbol.
    """
    code, number = 0, 0
    for i in range(1 << FAST):
        fast[t, i] = 0
    for length in range(1, 17):
        delta[t, length] = number - code
        for _ in range(counts[t, length - 1]):
            if length <= FAST:
                _enter(fast, t, code, length, i64(symbols[t, number]))
            code += 1
            number += 1
        limit[t, length] = code << (16 - length)
        code <<= 1
    limit[t, 17] = 1 << 16


@nb.njit(forceinline=True)
def build_tables(
    layout: NDArray[np.int64], counts: Bytes, symbols: Bytes, fast: Codes, limit: Codes, delta: Codes
) -> None:  # pragma: no cover
    """Write the DC and AC tables, ``layout[:, 4:6]``, of all components in a scan."""
    for c in range(len(layout)):
        for kind in range(4, 6):
            _lookup(layout[c, kind], counts, symbols, fast, limit, delta)


@nb.njit(forceinline=True)
def searched(code: int, t: int, limit: Codes, delta: Codes, symbols: Bytes) -> tuple[int, int]:  # pragma: no cover
    """Return symbol and length of a code longer than `FAST`, from the next 16 bits; length 17 for invalid codes."""
    length = FAST + 1
    while code >= limit[t, length]:
        length += 1
    if length == 17:
        return 0, 17
    return i64(symbols[t, (code >> (16 - length)) + delta[t, length]]), length


@nb.njit(forceinline=True)
def restarted(data: Bytes, position: int, stop: int) -> int:  # pragma: no cover
    """Return the position after the next restart marker; -1 if there is none."""
    while position + 1 < stop:
        if data[position] == 0xFF and 0xD0 <= data[position + 1] <= 0xD7:
            return position + 2
        position += 1
    return -1
