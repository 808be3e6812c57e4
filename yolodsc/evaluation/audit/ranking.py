"""Labels and unlabelled detections by how likely the ground truth is at fault.

The given labels themselves show how reliable the network is, as in confident learning (Northcutt, Jiang and Chuang, "Confident
Learning: Estimating Uncertainty in Dataset Labels", 2021): how often it agrees with labels of the same size, how often a detection
of the same score agrees with a label, and which classes it confuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from yolodsc.evaluation.audit.evidence import LabelEvidence, gather
from yolodsc.evaluation.audit.unmatched import CLAIMED, REPEATED, SURROUNDINGS, DetectionEvidence
from yolodsc.evaluation.datasets.dataset import Dataset
from yolodsc.evaluation.metrics.tables import DetectionTable, Doubles, Flags

FaultName = Literal["missing", "misplaced", "mislabelled", "unsupported"]
FAULTS: tuple[FaultName, ...] = ("missing", "misplaced", "mislabelled", "unsupported")
MIN_SCORE = 0.05
"""Smallest score of a detection that may be a missing label."""
PRIOR = 0.3
"""Share of faulty labels that the estimates assume; it weighs the kinds of fault against each other."""
MOVED, SWAPPED = 0.8, 0.9
"""Weight of full evidence for another position or class."""
WEAK, STRONG = 0.005, 0.25
"""Support up to which a label counts as not seen at all, and from which on as seen."""
SEEN = 0.15
"""Support of labels that the network is said to have found."""
OFTEN = 5.0
"""Number of confusions, or of detections of a class, at which the estimate for them weighs as much as that for all."""
BANDWIDTH, SIZE_BANDWIDTH = 0.5, 0.25
"""Width of the smoothing kernels, in log odds of scores and in logarithms of sizes."""
GRID = 512


@dataclass(frozen=True, slots=True)
class Suspect:
    """One label, or one detection without a label.

    Attributes
    ----------
    fault
        ``missing``: a detection without label; ``misplaced``, ``mislabelled``: a detection contradicts position or class of the
        label; ``unsupported``: nothing is detected there.
    suspicion
        0..1.
    image
    label
        Row of the ground truth; None for ``missing``.
    detection
        Row of the detections; None for ``unsupported``.
    """

    fault: FaultName
    suspicion: float
    image: int
    label: int | None
    detection: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """A dataset, the detections that it is compared with, and all suspects, most suspicious first."""

    dataset: Dataset
    detections: DetectionTable
    suspects: Sequence[Suspect]


def audit_labels(dataset: Dataset, detections: DetectionTable) -> Audit:
    """Rank every label that is not difficult, and every detection that is matched with no label.

    A label is matched with its best detection. Detections that a label without support may stand for are left out, since that label
    is in the list.

    Parameters
    ----------
    dataset
    detections
        Of a network, with scores down to about .005: low scores tell hard objects from labels where there is nothing.
    """
    table = detections.clipped()
    labels, found = gather(dataset.ground_truth, table, dataset.sizes)
    suspects = [*_label_suspects(dataset, table, labels), *_missing(table, found, classes=len(dataset.names))]
    suspects.sort(key=lambda suspect: -suspect.suspicion)
    return Audit(dataset, table, suspects)


def _label_suspects(dataset: Dataset, detections: DetectionTable, labels: LabelEvidence) -> list[Suspect]:
    """Every label, with the fault for which there is most evidence."""
    doubt = 1 - labels.support
    unseen = 1 - np.clip(np.log(np.maximum(labels.support, WEAK) / WEAK) / np.log(STRONG / WEAK), 0.0, 1.0)
    recall = _smoothed(np.log(labels.size), labels.support > SEEN)
    unsupported = PRIOR * unseen / (PRIOR * unseen + 1 - recall + 1e-3)  # Bayes: a faulty label is never seen
    moved = MOVED * labels.moved * doubt
    swapped = SWAPPED * labels.swapped * doubt * _rarity(dataset, detections, labels)
    suspicion = 1 - (1 - unsupported) * (1 - moved) * (1 - swapped)
    kinds: tuple[FaultName, ...] = ("unsupported", "misplaced", "mislabelled")
    choice = np.stack([np.where(np.maximum(moved, swapped) > WEAK, 0.0, 1.0), moved, swapped]).argmax(axis=0)
    by = np.stack([np.full(len(labels.rows), -1), labels.moved_by, labels.swapped_by])
    return [
        Suspect(kinds[k], float(suspicion[i]), int(dataset.ground_truth.image[row]), int(row), _index(by[k, i]))
        for i, (row, k) in enumerate(zip(labels.rows, choice, strict=True))
    ]


def _rarity(dataset: Dataset, detections: DetectionTable, labels: LabelEvidence) -> Doubles:
    """Weight of each pair of labelled and detected class (M,): pairs that the network confuses often say little about a label."""
    given, classes = dataset.ground_truth.class_id[labels.rows], len(dataset.names)
    found = np.append(detections.class_id, 0)[labels.swapped_by]
    counted = labels.swapped > STRONG
    often = np.bincount((given * classes + found)[counted], minlength=classes * classes)[given * classes + found]
    return OFTEN / (OFTEN + np.maximum(often - 1, 0))


def _index(row: int) -> int | None:
    return None if row < 0 else int(row)


def _missing(detections: DetectionTable, found: DetectionEvidence, *, classes: int) -> list[Suspect]:
    """Detections without label, compared with those that would be without one if their labels were deleted.

    The comparison is made among detections of the same surroundings and about the same score.
    """
    counted, odds = detections.score > MIN_SCORE, _log_odds(detections.score)
    precision = _class_precision(detections, found, classes)
    suspects = []
    for kind in SURROUNDINGS:
        alike = counted & (found.surroundings == kind)
        rows = np.flatnonzero(alike & ~found.matched)
        expected = PRIOR * _density(odds[alike & found.matched], odds[rows]) * precision[detections.class_id[rows]]
        suspicion = 1 - np.exp(-expected / np.maximum(_density(odds[rows], odds[rows]), 1e-9))
        suspects += [
            Suspect("missing", float(value), int(detections.image[row]), None, int(row))
            for row, value in zip(rows, suspicion, strict=True)
        ]
    return suspects


def _class_precision(detections: DetectionTable, found: DetectionEvidence, classes: int) -> Doubles:
    """Share of each class's detections that a label matches, relative to that of all classes (C,); few ones count little."""
    above = (detections.score > STRONG) & (found.matched | ~np.isin(found.surroundings, (REPEATED, CLAIMED)))
    right = np.bincount(detections.class_id[above & found.matched], minlength=classes)
    total = np.bincount(detections.class_id[above], minlength=classes)
    overall = right.sum() / max(total.sum(), 1)
    return (right + OFTEN * overall) / ((total + OFTEN) * max(overall, 1e-9))


def _log_odds(score: Doubles) -> Doubles:
    inside = np.clip(score, 1e-4, 1 - 1e-4)
    return np.log(inside / (1 - inside))


def _density(samples: Doubles, at: Doubles) -> Doubles:
    """Kernel estimate of how many samples lie around each point."""
    return _on_grid(samples, np.ones(len(samples)), at, BANDWIDTH)


def _smoothed(x: Doubles, flags: Flags) -> Doubles:
    """Share of the flags around each of the points (kernel regression)."""
    return _on_grid(x, flags.astype(np.float64), x, SIZE_BANDWIDTH) / _on_grid(x, np.ones(len(x)), x, SIZE_BANDWIDTH)


def _on_grid(samples: Doubles, weights: Doubles, at: Doubles, bandwidth: float) -> Doubles:
    """Sums of weights under a Gaussian, through a grid, so that time grows linearly with the samples."""
    if not len(at):
        return np.zeros(0)
    low = min(at.min(), samples.min(initial=at.min())) - 3 * bandwidth
    high = max(at.max(), samples.max(initial=at.max())) + 3 * bandwidth
    counts, edges = np.histogram(samples, bins=GRID, range=(low, high), weights=weights)
    step = (high - low) / GRID
    offsets = np.arange(-GRID, GRID + 1) * step
    smooth = np.convolve(counts, np.exp(-0.5 * (offsets / bandwidth) ** 2), mode="same")[: 2 * GRID + 1]
    centre = (len(smooth) - GRID) // 2
    return np.interp(at, (edges[:-1] + edges[1:]) / 2, smooth[centre : centre + GRID])
