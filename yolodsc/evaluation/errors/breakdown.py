"""What goes wrong, as TIDE defines it (Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", 2020).

Six kinds of error, and what each costs: the AP (101 points, IoU .5) that would be gained by mending only that kind.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.matching import Outcomes
from yolodsc.evaluation.metrics.precision import average_precision, curve
from yolodsc.evaluation.metrics.ranking import ranked
from yolodsc.evaluation.metrics.tables import DetectionTable, Doubles, Flags, GroundTruth
from yolodsc.jit import Kernel

KINDS = ("classification", "localisation", "both", "duplicate", "background", "missed")
CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, BACKGROUND = 2, 3, 4, 5, 6
RIGHT, IGNORED = 1, 7
FOREGROUND_IOU, BACKGROUND_IOU, PER_IMAGE = 0.5, 0.1, 100

_KINDS = "f8[2] i8[1] i8[1] i8[2] f8[2] i8[1] f8[2] i8[1] f8[1] f8[2] u1[1] b1[1] i8[1] b1[1]"
_error_kinds = Kernel("yolodsc.evaluation.errors.kinds:error_kinds", _KINDS)


@dataclass(frozen=True, slots=True)
class Breakdown:
    """How often each kind of error occurs, and the mean AP (0..1) that it costs."""

    mean_ap: float
    counts: dict[str, int]
    costs: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"mean_ap": self.mean_ap, "counts": self.counts, "costs": self.costs}


@dataclass(frozen=True, slots=True, eq=False)
class DetectionKinds:
    """What each detection is, and what finds each object.

    Attributes
    ----------
    kinds : (N,) int64
        `RIGHT`, `CLASSIFICATION` and so on; `IGNORED` for detections of difficult objects and for those after the first 100 of an
        image.
    found : (M,) float64
        Score of the detection that finds each object; -1 for objects that none finds.
    """

    kinds: Ints
    found: Doubles


def detection_kinds(ground_truth: GroundTruth, detections: DetectionTable, *, classes: int) -> DetectionKinds:
    """The kind of every detection, in the order given, and the score at which every object is found."""
    ordinary = ~(ground_truth.difficult | ground_truth.crowd)
    table = _classified(ground_truth, ground_truth[ordinary], detections, classes)
    kinds = np.full(len(detections), IGNORED, np.int64)
    kinds[table.rows] = np.where(table.ignored & (table.kinds != RIGHT), IGNORED, table.kinds)
    found = np.full(len(ground_truth), -1.0)
    right = table.kinds == RIGHT
    found[np.flatnonzero(ordinary)[table.objects[right]]] = table.score[right]
    return DetectionKinds(kinds, found)


def breakdown(ground_truth: GroundTruth, detections: DetectionTable, *, classes: int) -> Breakdown:
    """Sort every wrong detection and every object not found into one kind; at most 100 detections an image, as TIDE.

    Who finds a difficult object or a crowd has no part in AP, but gets a kind too, as in TIDE: mending it may find another object.
    """
    ordinary = ground_truth[~(ground_truth.difficult | ground_truth.crowd)]
    table = _classified(ground_truth, ordinary, detections, classes)
    kinds = table.kinds
    usable = np.zeros(len(ordinary), bool)
    usable[table.objects[(kinds == CLASSIFICATION) | (kinds == LOCALISATION)]] = True
    missed = ~(table.used | usable)
    base = table.mean_ap(kinds == RIGHT, ~table.ignored)
    counts = {name: int(np.count_nonzero(kinds == kind)) for name, kind in zip(KINDS, range(2, 7), strict=False)}
    counts["missed"] = int(np.count_nonzero(missed))
    costs = {name: table.without(kind) - base for name, kind in zip(KINDS, range(2, 7), strict=False)}
    fewer = np.bincount(ordinary.class_id[missed], minlength=classes)
    costs["missed"] = table.mended_ap(kinds == RIGHT, ~table.ignored, fewer=fewer) - base
    return Breakdown(base, counts, {name: max(cost, 0.0) for name, cost in costs.items()})


@dataclass(frozen=True, slots=True, eq=False)
class _ClassifiedDetections:
    """Detections by image and score, with their kinds, whether they are ignored and the objects they point at (-1: none).

    ``rows`` are those of the detections as they were given.

    ``object_classes`` and ``used`` describe the objects: their classes, and whether a detection found them.
    """

    class_id: Ints
    score: Doubles
    kinds: Outcomes
    ignored: Flags
    objects: Ints
    object_classes: Ints
    used: Flags
    classes: int
    rows: Ints

    def mean_ap(self, right: Flags, kept: Flags) -> float:
        """Mean over the classes with objects or detections."""
        positives = np.bincount(self.object_classes, minlength=self.classes)
        return self._mean_ap(right, np.flatnonzero(kept), self.class_id, positives)

    def mended_ap(self, right: Flags, kept: Flags, *, class_id: Ints | None = None, fewer: Ints | None = None) -> float:
        """The same with errors mended; of equal scores those that were wrong come first (``quantify.py: TIDERun.fix_errors``)."""
        labels = self.class_id if class_id is None else class_id
        positives = np.bincount(self.object_classes, minlength=self.classes) - (0 if fewer is None else fewer)
        were_right = self.kinds == RIGHT
        rows = np.concatenate([np.flatnonzero(kept & ~were_right), np.flatnonzero(kept & were_right)])
        return self._mean_ap(right, rows, labels, positives)

    def _mean_ap(self, right: Flags, rows: Ints, labels: Ints, positives: Ints) -> float:
        rows = rows[ranked(self.score[rows], labels[rows])]
        bounds = np.searchsorted(labels[rows], np.arange(self.classes + 1))
        aps = []
        for c in range(self.classes):
            class_rows = rows[bounds[c] : bounds[c + 1]]
            if len(class_rows) or positives[c]:
                points = curve(self.score[class_rows], right[class_rows].astype(np.uint8), int(positives[c]))
                aps.append(average_precision(points, "101 exact") if positives[c] else 0.0)
        return float(np.mean(aps)) if aps else 0.0

    def without(self, kind: int) -> float:
        """Mean AP when one kind is mended: the best claim on a free object becomes right, all others of the kind go."""
        of_kind = self.kinds == kind
        mended = of_kind & self._best_claims()
        labels = self.class_id.copy()
        labels[mended] = self.object_classes[self.objects[mended]]
        return self.mended_ap((self.kinds == RIGHT) | mended, (~self.ignored & ~of_kind) | mended, class_id=labels)

    def _best_claims(self) -> Flags:
        """Of the detections that could have found a free object, the first at each (they are sorted by image and score)."""
        claims = np.flatnonzero((self.kinds == CLASSIFICATION) | (self.kinds == LOCALISATION))
        claims = claims[~self.used[self.objects[claims]]]
        first = np.zeros(len(self.kinds), bool)
        first[claims[np.unique(self.objects[claims], return_index=True)[1]]] = True
        return first


def _classified(
    ground_truth: GroundTruth, ordinary: GroundTruth, detections: DetectionTable, classes: int
) -> _ClassifiedDetections:
    """Every detection with its kind."""
    rows = ranked(detections.score, detections.image)
    starts = np.flatnonzero(np.diff(detections.image[rows], prepend=-1))
    rank = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
    rows = rows[rank < PER_IMAGE]
    image = detections.image[rows]
    starts = np.flatnonzero(np.diff(image, prepend=-1))
    by_image = np.argsort(ordinary.image, kind="stable")
    ignored = ground_truth[ground_truth.difficult | ground_truth.crowd]
    ignored = ignored[np.argsort(ignored.image, kind="stable")]
    objects = ordinary[by_image]
    members = [np.searchsorted(known.image, image[starts], side) for known in (objects, ignored) for side in ("left", "right")]
    kinds, left_out, at, used = _kinds_of(detections[rows], np.append(starts, len(rows)), np.stack(members), objects, ignored)
    in_order = np.zeros(len(ordinary), bool)
    in_order[by_image] = used
    columns = detections.class_id[rows], detections.score[rows], kinds, left_out, np.append(by_image, -1)[at]
    return _ClassifiedDetections(*columns, ordinary.class_id, in_order, classes, rows)


def _kinds_of(
    detections: DetectionTable, bounds: Ints, members: Ints, objects: GroundTruth, ignored: GroundTruth
) -> tuple[Outcomes, Flags, Ints, Flags]:
    """The kind of each detection (N,), whether it is ignored (N,), its object (N,; -1: none), and which objects were found (M,).

    The detections of image p are ``bounds[p]:bounds[p + 1]``; ``members`` (4, P) has its first and last object and ignored region.
    """
    n, count = int(np.diff(bounds).max(initial=0)), int((members[1] - members[0]).max(initial=0))
    kinds, left_out, at = np.zeros(len(detections), np.uint8), np.zeros(len(detections), bool), np.zeros(len(detections), np.int64)
    used = np.zeros(len(objects), bool)
    found = (np.ascontiguousarray(detections.boxes_xyxy), detections.class_id, bounds, members)
    known = (objects.boxes_xyxy, objects.class_id, ignored.boxes_xyxy, ignored.class_id)
    limits = np.array([FOREGROUND_IOU, BACKGROUND_IOU])
    _error_kinds(*found, *known, limits, np.empty((n, count)), kinds, left_out, at, used)
    return kinds, left_out, at, used
