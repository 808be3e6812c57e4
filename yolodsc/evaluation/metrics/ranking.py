"""The ranking that every rule begins with: by falling score, equal ones in the order given."""

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.tables import Doubles
from yolodsc.jit import njit

DIGIT = 11
"""Bits of a digit: its 2,048 counters stay in the first cache. Six digits are a number of 64 bits."""


def falling(score: Doubles) -> Ints:
    """Row numbers by falling score, equal ones in the order given: (N,).

    A radix sort of the bits: for a million scores twice as fast as NumPy's stable sort, which was half the time of a rule.
    """
    bits = np.ascontiguousarray(score + 0.0).view(np.int64)  # 0.0 makes -0.0 equal to it
    rising = bits ^ ((bits >> 63) & np.int64(2**63 - 1))  # of negative numbers the larger bits are the smaller number
    order: Ints = radix_order((~rising).view(np.uint64) ^ np.uint64(2**63))
    return order


def ranked(score: Doubles, group: Ints) -> Ints:
    """Row numbers by group (0 or more), in a group by falling score, equal ones in the order given: (N,)."""
    by_score = falling(score)
    order: Ints = by_score[radix_order(group[by_score].astype(np.uint64))]
    return order


@njit(cache=True, nogil=True)
def radix_order(keys: NDArray[np.uint64]) -> Ints:  # pragma: no cover
    """Stable order of the keys (N,), least first: (N,)."""
    n, digits, mask = len(keys), -(-64 // DIGIT), np.uint64((1 << DIGIT) - 1)
    starts = np.zeros((digits, 1 << DIGIT), np.int64)
    for key in keys:
        for d in range(digits):
            starts[d, int((key >> np.uint64(d * DIGIT)) & mask)] += 1
    order, spare = np.arange(n), np.empty(n, np.int64)
    here, other = keys.copy(), np.empty(n, np.uint64)
    for d in range(digits):
        slots = starts[d]
        if slots.max() == n:
            continue  # all alike here
        at = 0
        for value in range(len(slots)):
            at, slots[value] = at + slots[value], at
        for i in range(n):
            value = int((here[i] >> np.uint64(d * DIGIT)) & mask)
            spare[slots[value]], other[slots[value]] = order[i], here[i]
            slots[value] += 1
        order, spare, here, other = spare, order, other, here
    return order


@njit(cache=True, nogil=True)
def rank_in_group(groups: Ints) -> Ints:  # pragma: no cover
    """How many elements of the same group come before each element; equal ``groups`` (N,) are neighbours: (N,)."""
    rank = np.zeros(len(groups), np.int64)
    for i in range(1, len(groups)):
        if groups[i] == groups[i - 1]:
            rank[i] = rank[i - 1] + 1
    return rank
