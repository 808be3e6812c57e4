"""The kernel of COCO's accumulation: the envelope of precision at given recalls, for many outcomes of one ranking."""

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.tables import Doubles
from yolodsc.jit import njit

RIGHT, IGNORED = 1, 2


@njit(cache=True, nogil=True)
def precision_at(outcomes: NDArray[np.uint8], order: Ints, positives: Ints, recalls: Doubles) -> Doubles:  # pragma: no cover
    """Best precision at each recall or beyond it: (K, R) float64; 0 where the recall is not reached.

    pycocotools ``cocoeval.py: accumulate``. Shapes: outcomes (K, N), order (n,) their columns best score first,
    positives (K,), recalls (R,) rising. One walk from the last detection to the first: counts fall, the envelope only
    rises.
    """
    kinds, points = outcomes.shape[0], recalls.shape[0]
    precision = np.zeros((kinds, points))
    tiny = np.spacing(1.0)
    for k in range(kinds):
        right, wrong = 0, 0
        for i in order:
            right += outcomes[k, i] == RIGHT
            wrong += outcomes[k, i] != RIGHT and outcomes[k, i] != IGNORED
        if positives[k] == 0 or right == 0:
            continue
        envelope = 0.0
        point = points - 1
        while point >= 0 and recalls[point] > right / positives[k]:
            point -= 1
        for rank in range(order.shape[0] - 1, -1, -1):
            outcome = outcomes[k, order[rank]]
            envelope = max(envelope, right / (right + wrong + tiny))
            if outcome == RIGHT:
                right -= 1
                while point >= 0 and recalls[point] > right / positives[k]:
                    precision[k, point] = envelope
                    point -= 1
            elif outcome != IGNORED:
                wrong -= 1
        while point >= 0:
            precision[k, point] = envelope
            point -= 1
    return precision
