"""What goes wrong, as TIDE defines it (Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", 2020).

Six kinds of error, and what each costs: the AP (101 points, IoU .5) that would be gained by mending only that kind.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from yolodsc.metrics.matching import Outcomes
from yolodsc.metrics.precision import average_precision, curve
from yolodsc.metrics.tables import Doubles, Flags, Found, Truth
from yolodsc.shape import Ints

KINDS = ("classification", "localisation", "both", "duplicate", "background", "missed")
CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, BACKGROUND = 2, 3, 4, 5, 6
WRONG, RIGHT, IGNORED = 0, 1, 7
FOREGROUND_IOU, BACKGROUND_IOU, PER_PICTURE = 0.5, 0.1, 100


@dataclass(frozen=True, slots=True)
class Breakdown:
    """How often each kind of error occurs, and the mean AP (0..1) that it costs."""

    mean_ap: float
    counts: dict[str, int]
    costs: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"mean_ap": self.mean_ap, "counts": self.counts, "costs": self.costs}


def breakdown(truth: Truth, found: Found, *, classes: int) -> Breakdown:
    """Sort every wrong detection and every object not found into one kind; at most 100 detections a picture, as TIDE."""
    wanted = truth[~(truth.difficult | truth.crowd)]
    rows, kinds, objects, used = _classified(truth, wanted, found)
    table = _Table(found.class_id[rows], found.score[rows], kinds, objects, wanted.class_id, classes)
    usable = np.zeros(len(wanted), bool)
    usable[objects[((kinds == CLASSIFICATION) | (kinds == LOCALISATION))]] = True
    missed = ~(used | usable)
    firsts = _best_claims(kinds, objects, used)
    base = table.mean_ap(kinds == RIGHT, kinds != IGNORED)
    counts = {name: int(np.count_nonzero(kinds == kind)) for name, kind in zip(KINDS, range(2, 7), strict=False)}
    counts["missed"] = int(np.count_nonzero(missed))
    costs = {name: table.without(kind, firsts) - base for name, kind in zip(KINDS, range(2, 7), strict=False)}
    fewer = np.bincount(wanted.class_id[missed], minlength=classes)
    costs["missed"] = table.mean_ap(kinds == RIGHT, kinds != IGNORED, fewer=fewer) - base
    return Breakdown(base, counts, {name: max(cost, 0.0) for name, cost in costs.items()})


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Detections by picture and score, with their kinds and the objects these point at."""

    class_id: Ints
    score: Doubles
    kinds: Outcomes
    objects: Ints
    wanted: Ints
    classes: int

    def mean_ap(self, right: Flags, kept: Flags, *, class_id: Ints | None = None, fewer: Ints | None = None) -> float:
        """Mean over the classes with objects or detections."""
        labels = self.class_id if class_id is None else class_id
        positives = np.bincount(self.wanted, minlength=self.classes) - (0 if fewer is None else fewer)
        rows = np.flatnonzero(kept)
        rows = rows[np.lexsort((-self.score[rows], labels[rows]))]
        bounds = np.searchsorted(labels[rows], np.arange(self.classes + 1))
        aps = []
        for c in range(self.classes):
            own = rows[bounds[c] : bounds[c + 1]]
            if len(own) or positives[c]:
                points = curve(self.score[own], right[own].astype(np.uint8), int(positives[c]))
                aps.append(average_precision(points, "101 exact") if positives[c] else 0.0)
        return float(np.mean(aps)) if aps else 0.0

    def without(self, kind: int, firsts: Flags) -> float:
        """Mean AP when one kind is mended: the best claim on a free object becomes right, all others of the kind go."""
        of_kind = self.kinds == kind
        mended = of_kind & firsts
        labels = self.class_id.copy()
        labels[mended] = self.wanted[self.objects[mended]]
        return self.mean_ap((self.kinds == RIGHT) | mended, (self.kinds != IGNORED) & (~of_kind | mended), class_id=labels)


def _best_claims(kinds: Outcomes, objects: Ints, used: Flags) -> Flags:
    """Of the detections that could have found a free object, the first at each (they are sorted by picture and score)."""
    claims = np.flatnonzero((kinds == CLASSIFICATION) | (kinds == LOCALISATION))
    claims = claims[~used[objects[claims]]]
    first = np.zeros(len(kinds), bool)
    first[claims[np.unique(objects[claims], return_index=True)[1]]] = True
    return first


def _classified(truth: Truth, wanted: Truth, found: Found) -> tuple[Ints, Outcomes, Ints, Flags]:
    """Rows by picture and score, the kind of each, the object it points at (-1: none), and which objects were found."""
    from yolodsc.metrics.error_kinds import error_kinds

    rows = np.lexsort((-found.score, found.picture))
    starts = np.flatnonzero(np.diff(found.picture[rows], prepend=-1))
    rank = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
    rows = rows[rank < PER_PICTURE]
    picture = found.picture[rows]
    starts = np.flatnonzero(np.diff(picture, prepend=-1))
    by_picture = np.argsort(wanted.picture, kind="stable")
    ignored = truth[truth.difficult | truth.crowd]
    ignored = ignored[np.argsort(ignored.picture, kind="stable")]
    objects = wanted[by_picture]
    kinds, at, used = error_kinds(
        found.boxes_xyxy[rows],
        found.class_id[rows],
        np.append(starts, len(rows)),
        np.searchsorted(objects.picture, picture[starts], "left"),
        np.searchsorted(objects.picture, picture[starts], "right"),
        objects.boxes_xyxy,
        objects.class_id,
        np.searchsorted(ignored.picture, picture[starts], "left"),
        np.searchsorted(ignored.picture, picture[starts], "right"),
        ignored.boxes_xyxy,
        ignored.class_id,
        FOREGROUND_IOU,
        BACKGROUND_IOU,
    )
    in_order = np.zeros(len(wanted), bool)
    in_order[by_picture] = used
    return rows, kinds, np.append(by_picture, -1)[at], in_order
