"""DetectionTotals over all classes above a score: the figures that Darknet's ``detector map`` prints last."""

from dataclasses import dataclass
from typing import Any

from yolodsc.evaluation.metrics.precision import share
from yolodsc.evaluation.metrics.score import RuleResult


@dataclass(frozen=True, slots=True)
class DetectionTotals:
    """Counts of one rule, summed over the classes.

    Attributes
    ----------
    objects
        Objects to be found.
    true_positives, false_positives
        Detections above the score.
    """

    objects: int
    true_positives: int
    false_positives: int

    @property
    def false_negatives(self) -> int:
        """Objects that no detection above the score finds."""
        return self.objects - self.true_positives

    @property
    def precision(self) -> float | None:
        """TP / (TP + FP); None without detections."""
        return share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float | None:
        """TP / (TP + FN); None without objects."""
        return share(self.true_positives, self.objects)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN); None without objects and detections."""
        return share(2 * self.true_positives, self.objects + self.true_positives + self.false_positives)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "objects": self.objects,
            "tp": self.true_positives,
            "fp": self.false_positives,
            "fn": self.false_negatives,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }


def totals(result: RuleResult) -> DetectionTotals:
    """DetectionTotals of one rule (``detector.c: validate_detector_map`` sums TP, FP and objects over the classes)."""
    classes = [found for found in result.classes if found is not None]
    return DetectionTotals(
        sum(found.positives for found in classes),
        sum(found.true_positives for found in classes),
        sum(found.false_positives for found in classes),
    )
