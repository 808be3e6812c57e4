"""The ranking that every rule begins with: by falling score, equal ones in the order given."""

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.kernels import radix_order
from yolodsc.evaluation.metrics.tables import Doubles


def falling(score: Doubles) -> Ints:
    """Row numbers by falling score, equal ones in the order given: (N,).

    A radix sort of the bits: for a million scores twice as fast as NumPy's stable sort, which was half the time of a rule.
    """
    bits = np.ascontiguousarray(score + 0.0).view(np.int64)  # 0.0 makes -0.0 equal to it
    rising = bits ^ ((bits >> 63) & np.int64(2**63 - 1))  # of negative numbers the larger bits are the smaller number
    return radix_order((~rising).view(np.uint64) ^ np.uint64(2**63))


def ranked(score: Doubles, group: Ints) -> Ints:
    """Row numbers by group (0 or more), in a group by falling score, equal ones in the order given: (N,)."""
    by_score = falling(score)
    order: Ints = by_score[radix_order(group[by_score].astype(np.uint64))]
    return order
