"""Which detections are matched by a label, and what else is labelled where they are."""

from dataclasses import dataclass

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.tables import Doubles, Flags

MATCH_IOU = 0.5
"""Overlap at which a detection of the same class agrees with a label."""
NEAR_IOU, NEIGHBOUR_IOU = 0.05, 0.3
"""Overlap at which a detection may stand for a misplaced label, and from which on a label of its class is its neighbour."""
UNSUPPORTED = 0.1
"""Support below which a label claims the detections around it."""
ALONE, NEIGHBOUR, REPEATED, ACROSS, CLAIMED = range(5)
"""Surroundings of a detection, besides the label that it is matched with: no label; another label of its class nearby, or at its
position; a label of another class at its position; a label without support, which is a suspect and explains the detection."""
SURROUNDINGS = (ALONE, NEIGHBOUR, REPEATED, ACROSS)
"""Those of detections that may be objects without label."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectionEvidence:
    """Whether a label is matched with each detection (N,), and the `SURROUNDINGS` of each (N,)."""

    matched: Flags
    surroundings: Ints


def detection_evidence(iou: Doubles, same: Flags, score: Doubles, support: Doubles) -> DetectionEvidence:
    """Evidence about the detections of one image.

    Surroundings leave out the detection's own label. So those of matched detections are what the detections of deleted labels have.

    Parameters
    ----------
    iou : (N, M)
        Of detections and labels.
    same : (N, M)
        Whether both have one class.
    score : (N,)
    support : (M,)
        Of each label.
    """
    owner = _owners(iou, same, score)
    matched = owner >= 0
    others = iou.copy()
    others[np.flatnonzero(matched), owner[matched]] = 0
    of_class, of_others = (others * same).max(axis=1), (others * ~same).max(axis=1)
    claimed = (((same & (others > NEAR_IOU)) | (others > MATCH_IOU)) & (support < UNSUPPORTED)).any(axis=1)
    surroundings = np.select(
        [claimed, of_class > MATCH_IOU, of_class > NEIGHBOUR_IOU, of_others > MATCH_IOU],
        [CLAIMED, REPEATED, NEIGHBOUR, ACROSS],
        ALONE,
    )
    return DetectionEvidence(matched, surroundings)


def _owners(iou: Doubles, same: Flags, score: Doubles) -> Ints:
    """The label that is matched with each detection, -1 for none (N,): the best detection of a label has it to itself."""
    owner = np.full(len(score), -1, np.int64)
    overlap = np.where(same & (iou >= MATCH_IOU), iou, 0.0)
    for i in np.argsort(-score, kind="stable"):
        label = overlap[i].argmax()
        if overlap[i, label] > 0:
            owner[i] = label
            overlap[:, label] = 0
    return owner
