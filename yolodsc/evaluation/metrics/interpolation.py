"""The kernel of COCO's accumulation: the envelope of precision at given recalls, and recall at given ranks.

Precision falls between two right detections, so that its envelope is that of the right detections alone. The kernel visits only
the detections that overlap an object; of all others their number and how many of them are ignored suffice.
"""

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.tables import Doubles
from yolodsc.jit import njit

RIGHT, IGNORED = 1, 2


@njit(cache=True, nogil=True)
def positions(order: Ints, candidate: Ints, area: Doubles, ranges: Doubles) -> tuple[Ints, Ints, Ints]:  # pragma: no cover
    """Candidates in the order of a ranking, their positions in it, and how many of the ranking lie outside of each area range.

    Shapes: order (n,) rows of one class, best score first; candidate (N,) index of a row among the candidates, -1 for the others;
    area (N,); ranges (A, 2) low and high. Returns the indices (m,), positions (m,) and counts (A, m), the candidate included.
    """
    kinds = len(ranges)
    found, at = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    counts = np.empty((kinds, len(order)), np.int64)
    outside = np.zeros(kinds, np.int64)
    m = 0
    for position, row in enumerate(order):
        for a in range(kinds):
            outside[a] += area[row] < ranges[a, 0] or area[row] > ranges[a, 1]
        if candidate[row] >= 0:
            found[m], at[m] = candidate[row], position
            counts[:, m] = outside
            m += 1
    return found[:m], at[:m], counts[:, :m]


@njit(forceinline=True)
def _envelope(right_at: Doubles, right: int, positives: int, recalls: Doubles, precision: Doubles) -> None:  # pragma: no cover
    """Write into ``precision`` (R,) the best of ``right_at[:right]`` at each recall or beyond it."""
    envelope = 0.0
    point = len(recalls) - 1
    while point >= 0 and recalls[point] > right / positives:
        point -= 1
    while right > 0:
        envelope = max(envelope, right_at[right - 1])
        right -= 1
        while point >= 0 and recalls[point] > right / positives:
            precision[point] = envelope
            point -= 1
    while point >= 0:
        precision[point] = envelope
        point -= 1


@njit(cache=True, nogil=True)
def precision_at(
    outcomes: NDArray[np.uint8],
    outside: NDArray[np.bool_],
    found: Ints,
    at: Ints,
    counts: Ints,
    positives: Ints,
    recalls: Doubles,
) -> Doubles:  # pragma: no cover
    """Best precision at each recall or beyond it: (A, T, R) float64; 0 where the recall is not reached.

    pycocotools ``cocoeval.py: accumulate``. Shapes: outcomes (A, T, M) and outside (A, M) of all candidates; found, at and counts
    of one class, from `positions`; positives (A,); recalls (R,) rising.
    """
    ranges, steps, points = outcomes.shape[0], outcomes.shape[1], recalls.shape[0]
    precision = np.zeros((ranges, steps, points))
    right_at = np.empty(len(found))
    tiny = np.spacing(1.0)
    for a in range(ranges):
        if positives[a] == 0:
            continue
        for t in range(steps):
            right, moved = 0, 0
            for k, j in enumerate(found):
                outcome = outcomes[a, t, j]
                moved += (outcome == IGNORED) - outside[a, j]
                if outcome == RIGHT:
                    right += 1
                    wrong = at[k] + 1 - (counts[a, k] + moved) - right
                    right_at[right - 1] = right / (right + wrong + tiny)
            if right:
                _envelope(right_at, right, positives[a], recalls, precision[a, t])
    return precision


@njit(cache=True, nogil=True)
def right_by_rank(outcomes: NDArray[np.uint8], class_id: Ints, rank: Ints, limits: Ints, classes: int) -> Ints:  # pragma: no cover
    """Right candidates of each class among the first ``limits`` (L,) detections of an image: (L, K, C).

    Shapes: outcomes (K, M), class_id and rank (M,).
    """
    counts = np.zeros((len(limits), len(outcomes), classes), np.int64)
    for k in range(len(outcomes)):
        for j in range(outcomes.shape[1]):
            if outcomes[k, j] == RIGHT:
                for limit in range(len(limits)):
                    counts[limit, k, class_id[j]] += rank[j] < limits[limit]
    return counts
