"""Compiled: COCO's accumulation, the envelope of precision at given recalls, and recall at given ranks.

Precision falls between two right detections, so that its envelope is that of the right detections alone. The kernel visits only
the detections that overlap an object; of all others their number and how many of them are ignored suffice.
"""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.tables import Doubles

RIGHT, IGNORED = 1, 2
TINY = 2.0**-52
"""``np.spacing(1.0)``."""


def positions(
    order: Ints, candidate: Ints, area: Doubles, ranges: Doubles, found: Ints, at: Ints, counts: Ints, outside: Ints
) -> int:  # pragma: no cover
    """Write the candidates in the order of a ranking, their positions, and how many rows lie outside of each area range.

    Shapes: order (n,) rows of one class, best score first; candidate (N,) index of a row among the candidates, -1 for the others;
    area (N,); ranges (A, 2) low and high. Returns the number of candidates m, and writes the first m of found and at (n,) and of
    counts (n, A), which include the candidate. ``outside`` (A,) is scratch.
    """
    kinds = ranges.shape[0]
    for a in range(kinds):
        outside[a] = 0
    m = 0
    for position in range(len(order)):
        row = order[position]
        for a in range(kinds):
            outside[a] += area[row] < ranges[a, 0] or area[row] > ranges[a, 1]
        if candidate[row] >= 0:
            found[m], at[m] = candidate[row], position
            for a in range(kinds):
                counts[m, a] = outside[a]
            m += 1
    return m


@nb.njit(forceinline=True)
def _envelope(
    right_at: Doubles, right: int, positives: int, recalls: Doubles, precision: Doubles, a: int, t: int
) -> None:  # pragma: no cover
    """Write into ``precision[a, t]`` (R,) the best of ``right_at[:right]`` at each recall or beyond it."""
    envelope = 0.0
    point = len(recalls) - 1
    while point >= 0 and recalls[point] > right / positives:
        point -= 1
    while right > 0:
        envelope = max(envelope, right_at[right - 1])
        right -= 1
        while point >= 0 and recalls[point] > right / positives:
            precision[a, t, point] = envelope
            point -= 1
    while point >= 0:
        precision[a, t, point] = envelope
        point -= 1


def precision_at(
    outcomes: NDArray[np.uint8], outside: NDArray[np.bool_], found: Ints, at: Ints, counts: Ints, positives: Ints, recalls: Doubles,
    right_at: Doubles, precision: Doubles,
) -> int:  # pragma: no cover  # fmt: skip
    """Write the best precision at each recall or beyond it into ``precision`` (A, T, R): zeros, which stay at recalls not reached.

    pycocotools ``cocoeval.py: accumulate``. Shapes: outcomes (A, T, M) and outside (A, M) of all candidates; found (m,), at (m,)
    and counts (m, A) of one class, from `positions`; positives (A,); recalls (R,) rising; ``right_at`` (m,) is scratch.
    """
    for a in range(outcomes.shape[0]):
        if positives[a] == 0:
            continue
        for t in range(outcomes.shape[1]):
            right, moved = 0, 0
            for k in range(len(found)):
                j = found[k]
                outcome = outcomes[a, t, j]
                moved += (outcome == IGNORED) - outside[a, j]
                if outcome == RIGHT:
                    right += 1
                    wrong = at[k] + 1 - (counts[k, a] + moved) - right
                    right_at[right - 1] = right / (right + wrong + TINY)
            if right:
                _envelope(right_at, right, positives[a], recalls, precision, a, t)
    return 1


def right_by_rank(outcomes: NDArray[np.uint8], class_id: Ints, rank: Ints, limits: Ints, counts: Ints) -> int:  # pragma: no cover
    """Add the right candidates of each class among the first ``limits`` (L,) detections of an image to ``counts`` (L, K, C).

    Shapes: outcomes (K, M), class_id and rank (M,).
    """
    for k in range(outcomes.shape[0]):
        for j in range(outcomes.shape[1]):
            if outcomes[k, j] == RIGHT:
                for limit in range(len(limits)):
                    counts[limit, k, class_id[j]] += rank[j] < limits[limit]
    return 1
