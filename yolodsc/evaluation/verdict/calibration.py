"""Do scores mean what they say? Expected calibration error and the reliability diagram.

Guo et al., "On Calibration of Modern Neural Networks", 2017, eq. 3, with the precision of detections for the accuracy, as in
Küppers et al., "Multivariate Confidence Calibration for Object Detection", 2020.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.matching import RIGHT
from yolodsc.evaluation.metrics.score import RuleResult
from yolodsc.evaluation.metrics.tables import Doubles

BINS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Detections by their score.

    Attributes
    ----------
    ece
        Mean distance of score and precision over the detections above ``thresh``, 0..1; None if there are none.
    score, precision
        Mean score and precision of these detections.
    detections
        Number of these detections.
    counts : (B,) int64
        Detections in each bin of scores, all of them, also below ``thresh``.
    mean_score, mean_precision : (B,) float64
        Per bin; NaN for empty bins.
    """

    thresh: float
    ece: float | None
    score: float | None
    precision: float | None
    detections: int
    counts: Ints
    mean_score: Doubles
    mean_precision: Doubles

    def to_json(self) -> dict[str, Any]:
        """Plain values; None for empty bins."""
        columns = zip(self.counts.tolist(), self.mean_score.tolist(), self.mean_precision.tolist(), strict=True)
        bins = [{"count": n, "score": s if n else None, "precision": p if n else None} for n, s, p in columns]
        return {"thresh": self.thresh, "ece": self.ece, "score": self.score, "precision": self.precision, "bins": bins}


def calibration(result: RuleResult, *, thresh: float) -> Calibration:
    """Calibration of the detections that a rule counts as right or wrong, in bins of equal width."""
    classes = [found for found in result.classes if found is not None]
    score: Doubles = np.concatenate([found.curve.score for found in classes] or [np.zeros(0)])
    right = np.concatenate([found.outcomes == RIGHT for found in classes] or [np.zeros(0, bool)]).astype(np.float64)
    counts, mean_score, mean_precision = _binned(score, right)
    above = score > thresh
    total = int(np.count_nonzero(above))
    if not total:
        return Calibration(thresh, None, None, None, 0, counts, mean_score, mean_precision)
    n, mean, precision = _binned(score[above], right[above])
    known = n > 0
    ece = float(np.sum(n[known] * np.abs(mean[known] - precision[known])) / total)
    return Calibration(
        thresh, ece, float(score[above].mean()), float(right[above].mean()), total, counts, mean_score, mean_precision
    )


def _binned(score: Doubles, right: Doubles) -> tuple[Ints, Doubles, Doubles]:
    """Number, mean score and precision in each bin; a score on a border belongs to the bin above it."""
    bins = np.clip((score * BINS).astype(np.int64), 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bins, weights=values, minlength=BINS).astype(np.float64) / counts for values in (score, right)]
    return counts, means[0], means[1]
