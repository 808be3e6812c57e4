"""COCO's twelve figures: ten overlaps, four ranges of area, at most 100 detections of a class in an image."""

from dataclasses import dataclass

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.matching import RIGHT, MatchCache, Outcomes, grouped
from yolodsc.evaluation.metrics.rules import RECALL_POINTS, Rule
from yolodsc.evaluation.metrics.tables import Doubles, Flags, GroundTruth

AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Area ranges in square pixels, both ends included."""


@dataclass(frozen=True, slots=True, eq=False)
class CocoResult:
    """What the ``free`` matching gives.

    Attributes
    ----------
    precision : (A, T, R, C) float64
        Envelope of precision by area range, overlap, recall and class; NaN where the class has no object of the range.
    recall : (3, A, T, C) float64
        Recall with 1, 10 and ``per_image`` detections an image.
    positives : (A, C) int64
    rows : (n,) int64
        The detections that count, by class and image.
    outcomes : (n,) uint8
        Theirs, at the first overlap and in the first range.
    """

    precision: Doubles
    recall: Doubles
    positives: Ints
    rows: Ints
    outcomes: Outcomes

    def figures(self) -> dict[str, float]:
        """The twelve figures under their usual names; -1, as pycocotools prints it, where nothing can be said."""
        named: dict[str, Doubles] = {
            "AP_all": self.precision[0],
            "AP_50": self.precision[0, 0],
            "AP_75": self.precision[0, 5],
            "AP_small": self.precision[1],
            "AP_medium": self.precision[2],
            "AP_large": self.precision[3],
            "AR_1": self.recall[0, 0],
            "AR_10": self.recall[1, 0],
            "AR_100": self.recall[2, 0],
            "AR_small": self.recall[2, 1],
            "AR_medium": self.recall[2, 2],
            "AR_large": self.recall[2, 3],
        }
        return {name: _mean(values) for name, values in named.items()}


def _mean(values: Doubles) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else -1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """The detections that count, by class and image, best first.

    Shapes: rows and rank in the group (n,), bounds (G + 1,), keys ``class * images + image`` (G,).
    """

    rows: Ints
    rank: Ints
    bounds: Ints
    keys: Ints


def coco(cache: MatchCache, rule: Rule, classes: int) -> CocoResult:
    """Match and accumulate as ``COCOeval`` does."""
    groups = _groups(cache, rule)
    objects, object_keys = grouped(cache.ground_truth, np.arange(len(cache.ground_truth)), cache.images)
    ground_truth = cache.ground_truth[objects]
    outcomes = _match(cache, rule, groups, ground_truth, object_keys)
    positives = np.stack([np.bincount(ground_truth.class_id[~no], minlength=classes) for no in _ignored(ground_truth)])
    precision = _precision(cache, rule, groups.rows, outcomes, positives)
    recall = _recall(cache.detections.class_id[groups.rows], outcomes, groups.rank, positives, rule)
    return CocoResult(precision, recall, positives, groups.rows, outcomes[0, 0])


def _groups(cache: MatchCache, rule: Rule) -> _Groups:
    from yolodsc.evaluation.metrics.ranking import ranked

    detections = cache.detections
    key = detections.class_id * cache.images + detections.image
    rows = ranked(detections.score, key)
    starts = np.flatnonzero(np.diff(key[rows], prepend=-1))
    rank = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
    kept = rank < (len(rows) if rule.per_image is None else rule.per_image)
    rows, rank = rows[kept], rank[kept]
    starts = np.flatnonzero(rank == 0)
    return _Groups(rows, rank, np.append(starts, len(rows)), key[rows[starts]])


def _ignored(ground_truth: GroundTruth) -> Flags:
    """Objects that no one has to find, by area range: (A, M)."""
    corners = ground_truth.boxes_xyxy
    box_area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    area = np.where(np.isnan(ground_truth.area), box_area, ground_truth.area)
    ignored = ground_truth.crowd | ground_truth.difficult
    return np.stack([ignored | (area < low) | (area > high) for low, high in AREAS.values()])


def _match(cache: MatchCache, rule: Rule, groups: _Groups, ground_truth: GroundTruth, object_keys: Ints) -> Outcomes:
    from yolodsc.evaluation.metrics.greedy import greedy_outcomes

    boxes = np.ascontiguousarray(cache.detections_for(rule).boxes_xyxy[groups.rows])
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    outcomes: Outcomes = greedy_outcomes(
        boxes,
        groups.bounds,
        first=np.searchsorted(object_keys, groups.keys, "left"),
        last=np.searchsorted(object_keys, groups.keys, "right"),
        objects=np.ascontiguousarray(ground_truth.boxes_xyxy),
        crowd=ground_truth.crowd,
        ignored=_ignored(ground_truth),
        outside=np.stack([(area < low) | (area > high) for low, high in AREAS.values()]),
        thresholds=np.asarray(rule.iou),
    )
    return outcomes


def _precision(cache: MatchCache, rule: Rule, rows: Ints, outcomes: Outcomes, positives: Ints) -> Doubles:
    from yolodsc.evaluation.metrics.interpolation import precision_at
    from yolodsc.evaluation.metrics.ranking import ranked

    recalls = RECALL_POINTS[rule.interpolation]
    if recalls is None:
        raise ValueError("COCO's precision is a mean over recall points")
    areas, classes = positives.shape
    steps = len(rule.iou)
    class_id, score = cache.detections.class_id[rows], cache.detections.score[rows]
    order = ranked(score, class_id)
    bounds = np.searchsorted(class_id[order], np.arange(classes + 1))
    precision = np.full((areas, steps, len(recalls), classes), np.nan)
    flat = outcomes.reshape(areas * steps, len(rows))
    for c in range(classes):
        class_rows = order[bounds[c] : bounds[c + 1]]
        values = precision_at(flat, class_rows, np.repeat(positives[:, c], steps), recalls)
        precision[..., c] = values.reshape(areas, steps, len(recalls))
    precision[np.broadcast_to((positives == 0)[:, None, None, :], precision.shape)] = np.nan
    return precision


def _recall(class_id: Ints, outcomes: Outcomes, rank: Ints, positives: Ints, rule: Rule) -> Doubles:
    """Recall by limit of detections, area range, overlap and class: (3, A, T, C); NaN without objects."""
    areas, classes = positives.shape
    max_detections = rule.per_image or len(rank) + 1
    recall = np.full((3, areas, len(rule.iou), classes), np.nan)
    for m, limit in enumerate((1, 10, max_detections)):
        for a in range(areas):
            for t in range(len(rule.iou)):
                right = class_id[(outcomes[a, t] == RIGHT) & (rank < limit)]
                counts = np.bincount(right, minlength=classes)
                np.divide(counts, positives[a], out=recall[m, a, t], where=positives[a] > 0)
    return recall
