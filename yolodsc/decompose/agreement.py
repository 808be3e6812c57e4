"""Agreement of two networks: F1 of the detections of one against those of the other."""

from collections.abc import Mapping, Sequence

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import Candidates, Network, concatenated, iou, nms

AGREED_SCORE, AGREED_OVERLAP = 0.25, 0.5


def agreed_detections(network: Network, outputs: Mapping[int, Array]) -> Candidates:
    """Boxes of one image with scores over .25, from the outputs of the heads by layer index."""
    parts = [h.decode(outputs[h.index], input_shape=network.input_shape, thresh=AGREED_SCORE) for h in network.heads]
    return nms(concatenated(parts), kind="default", thresh=network.profile.nms_thresh)


def f1_of(expected: Sequence[Candidates], found: Sequence[Candidates]) -> float:
    """F1 over all images, the same class and IoU over .5 being a hit; 1 if neither network detects anything."""
    hits = sum(_matched(a, b) for a, b in zip(expected, found, strict=True))
    total = sum(int(np.count_nonzero(c.probabilities)) for c in (*expected, *found))
    return 2 * hits / total if total else 1.0


def _matched(expected: Candidates, found: Candidates) -> int:
    """Pairs of the same class with IoU over .5, matched greedily in decreasing order of score."""
    hits = 0
    for k in range(expected.probabilities.shape[1]):
        unmatched = list(np.flatnonzero(expected.probabilities[:, k]))
        rows = np.flatnonzero(found.probabilities[:, k])
        for row in rows[np.argsort(-found.probabilities[rows, k], kind="stable")]:
            if not unmatched:
                break
            overlaps = iou(found.boxes_xywh[row], expected.boxes_xywh[unmatched])
            best = int(overlaps.argmax())
            if overlaps[best] > AGREED_OVERLAP:
                hits += 1
                unmatched.pop(best)
    return hits
