"""Scoring detections: every rule, the kinds of error, and all of it as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yolodsc.errors import DatasetError
from yolodsc.evaluation.datasets.dataset import Dataset
from yolodsc.evaluation.errors.breakdown import Breakdown, breakdown
from yolodsc.evaluation.metrics import score_detections
from yolodsc.evaluation.metrics.rules import Rule
from yolodsc.evaluation.metrics.score import ClassResult, RuleResult
from yolodsc.evaluation.metrics.tables import DetectionTable
from yolodsc.evaluation.verdict.calibration import Calibration, calibration
from yolodsc.evaluation.verdict.confusion import Confusion, confusion
from yolodsc.evaluation.verdict.totals import DetectionTotals, totals
from yolodsc.files import replacing
from yolodsc.schemas import dump_json


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Everything that is known after scoring.

    Attributes
    ----------
    dataset, detections
    results
        By the rules' names; the first rule is the headline.
    errors
        TIDE's breakdown.
    confusion
        Above ``thresh``.
    thresh
        Score above which TP, FP, precision and recall are counted.
    missing
        Classes without detections file: left out of every mean.
    notes
        What was reported of the input.
    speed
        Milliseconds an image for ``read``, ``network`` and ``post``; empty for detections from files.
    """

    dataset: Dataset
    detections: DetectionTable
    results: dict[str, RuleResult]
    errors: Breakdown
    confusion: Confusion
    thresh: float
    missing: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()
    speed: dict[str, float] = field(default_factory=dict)

    @property
    def headline(self) -> RuleResult:
        """The result of the first rule."""
        return next(iter(self.results.values()))

    @property
    def totals(self) -> DetectionTotals:
        """Counts over all classes by the headline rule."""
        return totals(self.headline)

    @property
    def calibration(self) -> Calibration:
        """Calibration of the detections by the headline rule."""
        return calibration(self.headline, thresh=self.thresh)

    def to_json_class(self, number: int) -> dict[str, Any]:
        """The figures of one class by the headline rule; empty for a class that was not evaluated."""
        found = self.headline.classes[number]
        return {} if found is None else _class_json(found)

    def to_json(self) -> dict[str, Any]:
        """The content of the JSON file: rules, and per class what a paired comparison needs."""
        names = self.dataset.names
        first = self.headline
        return {
            "headline": {"rule": first.rule.name, "mean_ap": first.mean_ap, **self.totals.to_json()},
            "rules": {name: _rule_json(result, names) for name, result in self.results.items()},
            "errors": self.errors.to_json(),
            "confusion": {"names": list(names), **self.confusion.to_json()},
            "calibration": self.calibration.to_json(),
            "missing": [names[i] for i in sorted(self.missing)],
            "pictures": list(self.dataset.ids),
            "thresh": self.thresh,
            "speed_ms": self.speed,
            "notes": list(self.notes),
            "matches": {"rule": first.rule.name, "classes": _matches(self, first)},
        }


def _class_json(found: ClassResult) -> dict[str, Any]:
    return {
        "ap": found.ap,
        "positives": found.positives,
        "detections": found.detections,
        "tp": found.true_positives,
        "fp": found.false_positives,
        "precision": found.precision,
        "recall": found.recall,
        "best_f1": found.best_f1,
        "best_f1_score": found.best_f1_score,
    }


def _rule_json(result: RuleResult, names: Sequence[str]) -> dict[str, Any]:
    classes = {
        name: _class_json(class_result)
        for name, class_result in zip(names, result.classes, strict=True)
        if class_result is not None
    }
    rule = result.rule
    return {"mean_ap": result.mean_ap, "program": rule.program, "iou": list(rule.iou), **result.figures, "classes": classes}


def _matches(evaluation: Evaluation, result: RuleResult) -> dict[str, Any]:
    ground_truth, names = evaluation.dataset.ground_truth, evaluation.dataset.names
    matches: dict[str, Any] = {}
    for c, class_result in enumerate(result.classes):
        if class_result is not None:
            objects = ground_truth.image[(ground_truth.class_id == c) & ~ground_truth.difficult]
            matches[names[c]] = {
                "positives": objects.tolist(),
                "picture": class_result.image.tolist(),
                "right": "".join("1" if outcome == 1 else "0" for outcome in class_result.outcomes),
            }
    return matches


def evaluate(
    dataset: Dataset,
    detections: DetectionTable,
    rules: Iterable[Rule],
    *,
    missing: frozenset[int] = frozenset(),
    thresh: float = 0.25,
    notes: Sequence[str] = (),
    speed: dict[str, float] | None = None,
) -> Evaluation:
    """Score ``detections`` against ``dataset`` by several rules; rules of whole pixels are left out where sizes are unknown."""
    chosen = [rule for rule in rules if not (dataset.relative and rule.offset)]
    remarks = list(notes)
    if dataset.relative:
        unread = dataset.unsized()
        which = f" ({unread[0]} cannot be read)" if unread else ""
        if not chosen:
            raise DatasetError(f"boxes are relative and image sizes unknown{which}: rules of whole pixels need the images")
        remarks.append(f"image sizes unknown{which}: boxes are compared relative to their images, by the continuous rules only")
    classes, images = len(dataset.names), len(dataset.ids)
    results = score_detections(
        chosen, dataset.ground_truth, detections, classes=classes, images=images, missing=missing, thresh=thresh
    )
    clipped = detections.clipped()
    errors = breakdown(dataset.ground_truth, clipped, classes=classes)
    confused = confusion(dataset.ground_truth, clipped, classes=classes, thresh=thresh)
    return Evaluation(dataset, detections, results, errors, confused, thresh, missing, tuple(remarks), speed or {})


def write_json(path: Path, content: Any) -> None:
    """Write JSON to a file that appears only when it is complete."""
    text = dump_json(content, file=path, error=DatasetError)  # five times as fast as json.dump, which writes piece by piece
    with replacing(path, error=DatasetError, mode="w") as file:
        file.write(text)
