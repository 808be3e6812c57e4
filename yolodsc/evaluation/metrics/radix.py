"""Compiled: a stable radix sort of 64-bit numbers, and ranks in groups."""

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Ints

DIGIT, DIGITS = 11, 6
"""Bits of a digit, whose 2,048 counters stay in the first cache, and digits of a number of 64 bits."""
MASK = np.uint64((1 << DIGIT) - 1)


def radix_order(
    here: NDArray[np.uint64], other: NDArray[np.uint64], order: Ints, spare: Ints, starts: Ints
) -> int:  # pragma: no cover
    """Order the keys ``here`` (N,), least first; the result is in ``order`` (N,) if 0 is returned, else in ``spare`` (N,).

    ``order`` is 0 to N - 1, ``starts`` (6, 2048) zeros; the keys and ``other`` (N,) are overwritten.
    """
    n, swapped = len(here), 0
    for i in range(n):
        for d in range(DIGITS):
            starts[d, np.int64((here[i] >> np.uint64(d * DIGIT)) & MASK)] += 1
    for d in range(DIGITS):
        at, longest = 0, 0
        for value in range(1 << DIGIT):
            count = starts[d, value]
            longest = max(longest, count)
            starts[d, value] = at
            at += count
        if longest == n:
            continue  # all alike here
        for i in range(n):
            digit = np.int64((here[i] >> np.uint64(d * DIGIT)) & MASK)
            slot = starts[d, digit]
            spare[slot], other[slot] = order[i], here[i]
            starts[d, digit] = slot + 1
        order, spare, here, other = spare, order, other, here
        swapped = 1 - swapped
    return swapped


def rank_in_group(groups: Ints, rank: Ints) -> int:  # pragma: no cover
    """Write how many elements of the same group come before each element; equal ``groups`` (N,) are neighbours; rank (N,)."""
    for i in range(len(groups)):
        rank[i] = rank[i - 1] + 1 if i > 0 and groups[i] == groups[i - 1] else 0
    return 1
