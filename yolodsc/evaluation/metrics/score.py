"""Detections and objects in, the figures of every rule asked for out."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.coco import coco
from yolodsc.evaluation.metrics.matching import IGNORED, RIGHT, MatchCache, Outcomes, accepted, first_at_object
from yolodsc.evaluation.metrics.precision import Curve, average_precision, curve, share
from yolodsc.evaluation.metrics.rules import Rule
from yolodsc.evaluation.metrics.tables import DetectionTable, Doubles, GroundTruth


@dataclass(frozen=True, slots=True, eq=False)
class ClassResult:
    """One class by one rule.

    Attributes
    ----------
    ap
        Average precision, 0..1; None where the class has no objects and the rule leaves it out.
    positives
        Objects to be found.
    detections
        Detections given.
    true_positives, false_positives
        Among detections above the threshold.
    best_f1, best_f1_score
        The best F1 of the curve, and the score at which it is reached.
    curve
        Precision and recall (``coco``: at its first overlap).
    image, outcomes : (N,)
        Image and outcome of each detection, best score first: what a bootstrap over images needs. Ignored ones
        left out.
    """

    ap: float | None
    positives: int
    detections: int
    true_positives: int
    false_positives: int
    best_f1: float
    best_f1_score: float
    curve: Curve
    image: Ints
    outcomes: Outcomes

    @property
    def precision(self) -> float | None:
        """TP / (TP + FP) above the threshold; None when nothing is."""
        return share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float | None:
        """TP / objects above the threshold; None without objects."""
        return share(self.true_positives, self.positives)


@dataclass(frozen=True, slots=True, eq=False)
class RuleResult:
    """All classes by one rule.

    Attributes
    ----------
    rule
    mean_ap
        Mean over the classes that the rule counts; None when it counts none.
    classes
        By class index; None for a class that was not evaluated.
    figures
        What this rule's program reports besides: COCO's twelve figures; Darknet's average IoU.
    """

    rule: Rule
    mean_ap: float | None
    classes: tuple[ClassResult | None, ...]
    figures: dict[str, float]


def score_detections(
    rules: Iterable[Rule],
    ground_truth: GroundTruth,
    detections: DetectionTable,
    *,
    classes: int,
    images: int,
    missing: frozenset[int] = frozenset(),
    thresh: float = 0.25,
) -> dict[str, RuleResult]:
    """Score one set of detections by several rules.

    Parameters
    ----------
    rules
    ground_truth, detections
        Objects and detections; image and class indices must lie in range.
    classes, images
        How many there are.
    missing
        Classes that were not evaluated: they have no result and no part in any mean.
    thresh
        Score above which TP, FP, precision and recall are counted (Darknet: ``-thresh``).

    Returns
    -------
    dict
        Results by the rules' names, in their order.
    """
    cache = MatchCache(ground_truth, detections, images)
    return {rule.name: _score(cache, rule, classes, missing, thresh) for rule in rules}


def _score(cache: MatchCache, rule: Rule, classes: int, missing: frozenset[int], thresh: float) -> RuleResult:
    by_best = _greedy_results if rule.matching == "free" else _best_results
    results, figures = by_best(cache, rule, classes, thresh)
    kept = tuple(None if c in missing else result for c, result in enumerate(results))
    aps = [result.ap for result in kept if result is not None and result.ap is not None]
    return RuleResult(rule, float(np.mean(aps)) if aps else None, kept, figures)


def _best_results(cache: MatchCache, rule: Rule, classes: int, thresh: float) -> tuple[list[ClassResult], dict[str, float]]:
    ordinary = cache.ground_truth.class_id[~cache.ground_truth.difficult]
    positives = np.bincount(ordinary, minlength=classes)
    outcomes, order = cache.outcomes(rule), cache.order(rule.ties)
    counts, average_iou = _counts(cache, rule, outcomes, classes, thresh)
    bounds = np.searchsorted(cache.detections.class_id[order], np.arange(classes + 1))
    results = []
    for c in range(classes):
        rows = order[bounds[c] : bounds[c + 1]]
        result = _class_result(cache, rows, outcomes[rows], int(positives[c]), counts[:, c])
        ap = average_precision(result.curve, rule.interpolation) if positives[c] else _without_objects(rule)
        results.append(replace(result, ap=ap))
    return results, {} if rule.counts == "score" else {"average_iou": average_iou}


def _greedy_results(cache: MatchCache, rule: Rule, classes: int, thresh: float) -> tuple[list[ClassResult], dict[str, float]]:
    coco_result = coco(cache, rule, classes)
    outcomes = np.full(len(cache.detections), IGNORED, np.uint8)
    outcomes[coco_result.rows] = coco_result.outcomes
    counts, _ = _counts(cache, rule, outcomes, classes, thresh)
    order = cache.order(rule.ties)
    bounds = np.searchsorted(cache.detections.class_id[order], np.arange(classes + 1))
    results = []
    for c in range(classes):
        rows = order[bounds[c] : bounds[c + 1]]
        positives = int(coco_result.positives[0, c])
        ap = float(coco_result.precision[0, ..., c].mean()) if positives else _without_objects(rule)
        results.append(replace(_class_result(cache, rows, outcomes[rows], positives, counts[:, c]), ap=ap))
    return results, coco_result.figures()


def _class_result(cache: MatchCache, rows: Ints, outcomes: Outcomes, positives: int, counts: Ints) -> ClassResult:
    """All but the AP: ``rows`` of one class, best first, their ``outcomes``, TP and FP."""
    points = curve(cache.detections.score[rows], outcomes, positives)
    kept = outcomes != IGNORED
    best_f1, at = points.best_f1()
    return ClassResult(
        ap=None,
        positives=positives,
        detections=len(rows),
        true_positives=int(counts[0]),
        false_positives=int(counts[1]),
        best_f1=best_f1,
        best_f1_score=at,
        curve=points,
        image=cache.detections.image[rows[kept]],
        outcomes=outcomes[kept],
    )


def _without_objects(rule: Rule) -> float | None:
    return 0.0 if rule.empty == "zero" else None


def _counts(cache: MatchCache, rule: Rule, outcomes: Outcomes, classes: int, thresh: float) -> tuple[Ints, float]:
    """TP and FP by class, (2, C), among the detections above the threshold, and Darknet's average IoU over them.

    Darknet counts while it reads, so that the first detection of an object in array order takes it, whatever its
    score; and a detection that a difficult object takes off the curve still counts as wrong here (``detector.c:
    validate_detector_map``).
    """
    detections = cache.detections
    above = detections.score > thresh
    if rule.counts == "score":
        right, counted = outcomes == RIGHT, above & (outcomes != IGNORED)
        overlap: Doubles = np.zeros(len(detections))
    else:
        best = cache.overlaps(rule, "ordinary")
        right = np.zeros(len(detections), bool)
        right[first_at_object(best.index, np.flatnonzero(accepted(best, rule)), len(cache.ground_truth))] = True
        counted, overlap = above, best.iou
    true_positives = np.bincount(detections.class_id[counted & right], minlength=classes)
    false_positives = np.bincount(detections.class_id[counted & ~right], minlength=classes)
    total = int(np.count_nonzero(counted))
    average_iou = float(overlap[counted & right].sum() / total) if total else 0.0
    return np.stack([true_positives, false_positives]), average_iou
