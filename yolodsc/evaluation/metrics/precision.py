"""Precision, recall, and the one number made of them."""

from dataclasses import dataclass

import numpy as np

from yolodsc.evaluation.metrics.matching import IGNORED, RIGHT, Outcomes
from yolodsc.evaluation.metrics.rules import RECALL_POINTS, Interpolation
from yolodsc.evaluation.metrics.tables import Doubles


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision and recall of one class at each of its detections, best score first.

    Attributes
    ----------
    score : (N,) float64
    precision : (N,) float64
    recall : (N,) float64
        All 0 where the class has no objects.
    """

    score: Doubles
    precision: Doubles
    recall: Doubles

    @property
    def f1(self) -> Doubles:
        """Harmonic mean of precision and recall: (N,) float64."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / np.where(total > 0, total, 1.0)

    def best_f1(self) -> tuple[float, float]:
        """The best F1 and the score that a detection must reach for it; (0, 1) for an empty curve."""
        if not len(self.score):
            return 0.0, 1.0
        whole = np.append(self.score[1:] < self.score[:-1], True)  # a threshold can't part equal scores
        f1 = np.where(whole, self.f1, -1.0)
        best = int(f1.argmax())
        return float(f1[best]), float(self.score[best])


def share(part: int, whole: int) -> float | None:
    """Return ``part / whole``; None where there is nothing to divide by."""
    return part / whole if whole else None


def curve(score: Doubles, outcomes: Outcomes, positives: int) -> Curve:
    """Curve of one class from falling scores (N,) and their outcomes (N,); ignored ones leave no point."""
    counted = outcomes != IGNORED
    right = np.cumsum(outcomes[counted] == RIGHT)
    precision = right / np.arange(1, len(right) + 1)
    recall = right / positives if positives else np.zeros(len(right))
    return Curve(score[counted], precision, recall)


def average_precision(points: Curve, interpolation: Interpolation) -> float:
    """One number out of a curve, by the envelope of precision (the best at this recall or any greater one)."""
    if not len(points.score):
        return 0.0
    envelope = np.maximum.accumulate(points.precision[::-1])[::-1]
    recalls = RECALL_POINTS[interpolation]
    if recalls is None:
        return float(np.sum(np.diff(points.recall, prepend=0.0) * envelope))
    at = np.searchsorted(points.recall, recalls, "left")
    return float(np.append(envelope, 0.0)[at].sum() / len(recalls))
