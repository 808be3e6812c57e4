"""Which detections are right: the ``best`` matching of VOC, py-faster-rcnn, Darknet and Cartucho.

A detection belongs to the object of its class that it overlaps most. That does not depend on the order of detections,
so overlaps are computed once for each convention of boxes; only who comes first at an object needs the ranking.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.kernels import best_overlap, radix_order
from yolodsc.evaluation.metrics.ranking import ranked
from yolodsc.evaluation.metrics.rules import Rule
from yolodsc.evaluation.metrics.tables import DetectionTable, Doubles, Flags, GroundTruth

WRONG, RIGHT, IGNORED = 0, 1, 2
Outcomes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """For every detection its best object.

    Attributes
    ----------
    iou : (N,) float64
        0 where there is none.
    index : (N,) int64
        Row of the `GroundTruth`, -1 where there is none.
    """

    iou: Doubles
    index: Ints


@dataclass(slots=True)
class MatchCache:
    """One set of detections against one set of objects; what several rules share is computed once."""

    ground_truth: GroundTruth
    detections: DetectionTable
    images: int
    _orders: dict[str, Ints] = field(default_factory=dict)
    _overlaps: dict[tuple[float, str, str], Overlaps] = field(default_factory=dict)
    _outcomes: dict[Rule, Outcomes] = field(default_factory=dict)
    _clipped: DetectionTable | None = None

    def detections_for(self, rule: Rule) -> DetectionTable:
        """The detections as this rule sees them."""
        if rule.borders == "open":
            return self.detections
        if self._clipped is None:
            self._clipped = self.detections.clipped()
        return self._clipped

    def order(self, ties: str) -> Ints:
        """Row numbers sorted by class, then by falling score, then as ``ties`` says."""
        if ties not in self._orders:
            detections = self.detections
            if ties == "given":
                self._orders[ties] = ranked(detections.score, detections.class_id)
            elif np.all(np.diff(detections.image) >= 0):
                self._orders[ties] = self.order("given")
            else:
                by_image = radix_order(detections.image.astype(np.uint64))
                self._orders[ties] = by_image[ranked(detections.score[by_image], detections.class_id[by_image])]
        return self._orders[ties]

    def overlaps(self, rule: Rule, which: str) -> Overlaps:
        """Best object of every detection; ``which``: all objects, the ``ordinary`` ones, or the ``difficult`` ones."""
        key = (rule.offset, rule.borders, which)
        if key not in self._overlaps:
            rows = {
                "all": np.arange(len(self.ground_truth)),
                "ordinary": np.flatnonzero(~self.ground_truth.difficult),
                "difficult": np.flatnonzero(self.ground_truth.difficult),
            }[which]
            self._overlaps[key] = _overlaps(self.ground_truth, rows, self.detections_for(rule), self.images, rule.offset)
        return self._overlaps[key]

    def outcomes(self, rule: Rule) -> Outcomes:
        """Right, wrong or ignored: (N,) uint8, in the order given."""
        key = _matching_part(rule)
        if key not in self._outcomes:
            self._outcomes[key] = _outcomes(self, rule)
        return self._outcomes[key]


def _matching_part(rule: Rule) -> Rule:
    """The rule without what comes after matching, so that rules with equal outcomes share them."""
    return Rule(
        name="",
        program="",
        offset=rule.offset,
        iou=rule.iou,
        accept=rule.accept,
        difficult=rule.difficult,
        ties=rule.ties,
        borders=rule.borders,
        interpolation="area",
    )


def grouped(ground_truth: GroundTruth, rows: Ints, images: int) -> tuple[Ints, Ints]:
    """Rows sorted by class and image (stable), and the sorted keys ``class * images + image``."""
    keys = ground_truth.class_id[rows] * images + ground_truth.image[rows]
    by_key = np.argsort(keys, kind="stable")
    return rows[by_key], keys[by_key]


def _overlaps(ground_truth: GroundTruth, rows: Ints, detections: DetectionTable, images: int, offset: float) -> Overlaps:
    rows, keys = grouped(ground_truth, rows, images)
    detection_keys = detections.class_id * images + detections.image
    starts = np.searchsorted(keys, np.arange(max(int(detection_keys.max(initial=-1)), int(keys.max(initial=-1))) + 2))
    first, last = (
        starts[detection_keys],
        starts[detection_keys + 1],
    )  # a table of all keys: a third of the time of a search for each detection
    objects = np.ascontiguousarray(ground_truth.boxes_xyxy[rows])
    iou, index = best_overlap(np.ascontiguousarray(detections.boxes_xyxy), first, last, objects, offset)
    padded = np.append(rows, -1)  # so that "no object" (-1) stays -1
    return Overlaps(iou, padded[index])


def accepted(overlaps: Overlaps, rule: Rule) -> Flags:
    """Whose overlap is enough: (N,) bool."""
    enough = overlaps.iou >= rule.iou[0] if rule.accept == ">=" else overlaps.iou > rule.iou[0]
    return np.asarray(enough & (overlaps.index >= 0))


def first_at_object(objects: Ints, claims: Ints, count: int) -> Ints:
    """Of the detections ``claims`` (in order of precedence) the first at each object: rows, in no particular order."""
    taken = np.full(count, -1, np.int64)
    backwards = claims[::-1]
    taken[objects[backwards]] = backwards  # the last assignment stands: the first claim
    return taken[taken >= 0]


def _outcomes(cache: MatchCache, rule: Rule) -> Outcomes:
    ground_truth = cache.ground_truth
    outcomes = np.full(len(cache.detections), WRONG, np.uint8)
    best = cache.overlaps(rule, "all" if rule.difficult == "ignore" else "ordinary")
    hits = accepted(best, rule)
    if rule.difficult == "ignore":
        ignored = hits & ground_truth.difficult[best.index] if len(ground_truth) else hits
        outcomes[ignored] = IGNORED
        hits = hits & ~ignored
    elif rule.difficult == "list":
        outcomes[~hits & accepted(cache.overlaps(rule, "difficult"), rule)] = IGNORED
    order = cache.order(rule.ties)
    outcomes[first_at_object(best.index, order[hits[order]], len(ground_truth))] = RIGHT
    return outcomes
