"""COCO's twelve figures: ten overlaps, four ranges of area, at most 100 detections of a class in an image."""

from dataclasses import dataclass

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.kernels import (
    greedy_outcomes,
    positions,
    precision_at,
    radix_order,
    rank_in_group,
    reaching,
    right_by_rank,
)
from yolodsc.evaluation.metrics.matching import IGNORED, WRONG, MatchCache, Outcomes, grouped
from yolodsc.evaluation.metrics.rules import RECALL_POINTS, Rule
from yolodsc.evaluation.metrics.tables import Doubles, Flags, GroundTruth

AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Area ranges in square pixels, both ends included."""
MAX_IOU = 1 - 1e-10
"""Overlap that suffices for any threshold (``cocoeval.py: evaluateImg``)."""


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

    Shapes: rows, ranks in the group and keys ``class * images + image`` (n,).
    """

    rows: Ints
    rank: Ints
    keys: Ints

    def __getitem__(self, kept: Flags) -> "_Groups":
        return _Groups(self.rows[kept], self.rank[kept], self.keys[kept])


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """The detections that overlap an object enough to find it: all others are wrong, or ignored if outside of an area range.

    Shapes: groups (m,), outcomes (A, T, m), outside (A, m), whether the area lies outside of each range.
    """

    groups: _Groups
    outcomes: Outcomes
    outside: Flags


def coco(cache: MatchCache, rule: Rule, classes: int) -> CocoResult:
    """Match and accumulate as ``COCOeval`` does."""
    groups = _groups(cache, rule)
    objects, object_keys = grouped(cache.ground_truth, np.arange(len(cache.ground_truth)), cache.images)
    ground_truth = cache.ground_truth[objects]
    boxes = np.ascontiguousarray(cache.detections_for(rule).boxes_xyxy)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])  # (N,)
    candidates = _matched(rule, boxes, area, groups, ground_truth, object_keys)
    positives = np.stack([np.bincount(ground_truth.class_id[~no], minlength=classes) for no in _ignored(ground_truth)])
    precision = _precision(cache, rule, area, groups, candidates, positives)
    recall = _recall(cache.detections.class_id, candidates, positives, rule)
    low, high = AREAS["all"]
    first = np.where((area < low) | (area > high), np.uint8(IGNORED), np.uint8(WRONG))
    first[candidates.groups.rows] = candidates.outcomes[0, 0]
    return CocoResult(precision, recall, positives, groups.rows, first[groups.rows])


def _groups(cache: MatchCache, rule: Rule) -> _Groups:

    detections, order = cache.detections, cache.order(rule.ties)
    keys = (detections.class_id * cache.images + detections.image)[order]
    by_key = radix_order(keys.astype(np.uint64))
    keys = keys[by_key]
    rank = rank_in_group(keys)
    groups = _Groups(order[by_key], rank, keys)
    if rule.per_image is None or rank.max(initial=0) < rule.per_image:
        return groups
    return groups[rank < rule.per_image]


def _ignored(ground_truth: GroundTruth) -> Flags:
    """Objects that no one has to find, by area range: (A, M)."""
    corners = ground_truth.boxes_xyxy
    box_area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    area = np.where(np.isnan(ground_truth.area), box_area, ground_truth.area)
    return (ground_truth.crowd | ground_truth.difficult) | _outside(area)


def _outside(area: Doubles) -> Flags:
    """Which areas (N,) lie outside of each area range: (A, N)."""
    return np.stack([(area < low) | (area > high) for low, high in AREAS.values()])


def _matched(
    rule: Rule, boxes: Doubles, area: Doubles, groups: _Groups, ground_truth: GroundTruth, object_keys: Ints
) -> _Candidates:
    objects, crowd = np.ascontiguousarray(ground_truth.boxes_xyxy), ground_truth.crowd
    starts = np.searchsorted(object_keys, np.arange(_last(object_keys, groups.keys) + 2))
    threshold = min(*rule.iou, MAX_IOU)
    kept = groups[reaching(boxes, groups.rows, starts[groups.keys], starts[groups.keys + 1], objects, crowd, threshold)]
    bounds = np.append(np.flatnonzero(np.diff(kept.keys, prepend=-1)), len(kept.keys))
    keys = kept.keys[bounds[:-1]]
    outside = _outside(area[kept.rows])
    outcomes: Outcomes = greedy_outcomes(
        boxes[kept.rows],
        bounds,
        first=starts[keys],
        last=starts[keys + 1],
        objects=objects,
        crowd=crowd,
        ignored=_ignored(ground_truth),
        outside=outside,
        thresholds=np.asarray(rule.iou),
    )
    return _Candidates(kept, outcomes, outside)


def _last(*keys: Ints) -> int:
    return max(int(some.max(initial=-1)) for some in keys)


def _precision(cache: MatchCache, rule: Rule, area: Doubles, groups: _Groups, candidates: _Candidates, positives: Ints) -> Doubles:
    recalls = RECALL_POINTS[rule.interpolation]
    if recalls is None:
        raise ValueError("COCO's precision is a mean over recall points")
    order = cache.order(rule.ties)
    if len(groups.rows) < len(order):
        counted = np.zeros(len(order), bool)
        counted[groups.rows] = True
        order = order[counted[order]]
    bounds = np.searchsorted(cache.detections.class_id[order], np.arange(positives.shape[1] + 1))
    candidate = np.full(len(area), -1, np.int64)  # (N,): index among the candidates
    candidate[candidates.groups.rows] = np.arange(len(candidates.groups.rows))
    ranges = np.array(list(AREAS.values()))
    precision = np.full((len(ranges), len(rule.iou), len(recalls), positives.shape[1]), np.nan)
    for c in range(positives.shape[1]):
        found, at, counts = positions(order[bounds[c] : bounds[c + 1]], candidate, area, ranges)
        precision[..., c] = precision_at(
            candidates.outcomes, candidates.outside, found, at, counts, np.ascontiguousarray(positives[:, c]), recalls
        )
    precision[np.broadcast_to((positives == 0)[:, None, None, :], precision.shape)] = np.nan
    return precision


def _recall(class_id: Ints, candidates: _Candidates, positives: Ints, rule: Rule) -> Doubles:
    """Recall by limit of detections, area range, overlap and class: (3, A, T, C); NaN without objects."""
    rows, rank = candidates.groups.rows, candidates.groups.rank
    limits = np.array([1, 10, rule.per_image or len(class_id) + 1], np.int64)
    areas, steps, found = candidates.outcomes.shape
    flattened = candidates.outcomes.reshape(areas * steps, found)
    counts = right_by_rank(flattened, class_id[rows], rank, limits, positives.shape[1]).reshape(3, areas, steps, -1)
    objects = np.broadcast_to(positives[:, None, :], counts.shape)  # (A, 1, C)
    recall = np.full(counts.shape, np.nan)
    np.divide(counts, objects, out=recall, where=objects > 0)
    return recall
