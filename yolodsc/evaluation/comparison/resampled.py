"""The kernel of the bootstrap: average precision when every image counts as often as it was drawn."""

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.tables import Doubles, Flags
from yolodsc.jit import njit


@njit(cache=True, nogil=True)
def resampled_ap(image: Ints, right: Flags, positives: Ints, weights: Ints, recalls: Doubles) -> Doubles:  # pragma: no cover
    """AP of one class for each draw: (B,) float64; NaN where a draw has no object of the class.

    Shapes: image and right (N,) best score first, positives (M,) the image of each object, weights (B, P) how often each
    image was drawn, recalls (R,) the points, none for the area under the envelope.
    """
    draws, n, points = weights.shape[0], image.shape[0], recalls.shape[0]
    ap = np.full(draws, np.nan)
    for b in range(draws):
        objects = 0
        for p in positives:
            objects += weights[b, p]
        if objects == 0:
            continue
        hits, total = 0, 0
        for i in range(n):
            total += weights[b, image[i]]
            if right[i]:
                hits += weights[b, image[i]]
        envelope, mean, point = 0.0, 0.0, points - 1
        while point >= 0 and recalls[point] > hits / objects:
            point -= 1
        for i in range(n - 1, -1, -1):
            weight = weights[b, image[i]]
            if weight == 0:
                continue
            envelope = max(envelope, hits / total)
            total -= weight
            if right[i]:
                hits -= weight
                if points == 0:
                    mean += envelope * weight / objects
                while point >= 0 and recalls[point] > hits / objects:
                    mean += envelope / points
                    point -= 1
        if points:
            mean += envelope * (point + 1) / points
        ap[b] = mean
    return ap
