"""What the detections of a network say about each label, and which detections no label explains.

The three faults and their evidence follow ObjectLab (Tkachenko, Thyagarajan and Mueller, "ObjectLab: Automated Diagnosis of
Mislabeled Images in Object Detection Data", 2023): overlooked, badly located and swapped labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.evaluation.audit.unmatched import ALONE, MATCH_IOU, NEAR_IOU, DetectionEvidence, detection_evidence
from yolodsc.evaluation.metrics.tables import DetectionTable, Doubles, GroundTruth
from yolodsc.evaluation.verdict.confusion import pairwise_iou

AGREE = (0.4, 0.65)
"""Overlaps between which agreement grows from none to full."""
MOVED_IOU = (0.25, 0.5)
"""Overlaps between which evidence for another position falls from full to none."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelEvidence:
    """Evidence about each label that is not difficult: scores of detections, weighted by overlap.

    Attributes
    ----------
    rows : (M,) int64
        Rows of the ground truth.
    support
        For the label as it is.
    moved, swapped
        For the same class at another position, and for another class at this position.
    moved_by, swapped_by : (M,) int64
        The detections of this evidence; -1 without evidence.
    size
        Square root of the area, relative to the image where its size is known.
    """

    rows: Ints
    support: Doubles
    moved: Doubles
    swapped: Doubles
    moved_by: Ints
    swapped_by: Ints
    size: Doubles


@dataclass(frozen=True, slots=True, eq=False)
class ImageEvidence:
    """Evidence of one image: the columns of `LabelEvidence` label by label, and that about its detections."""

    columns: Sequence[tuple[float, ...]]
    found: DetectionEvidence


def gather(ground_truth: GroundTruth, detections: DetectionTable, sizes: Doubles) -> tuple[LabelEvidence, DetectionEvidence]:
    """Evidence about the labels and about the detections."""
    by_image = np.argsort(ground_truth.image, kind="stable")
    found_by_image = np.argsort(detections.image, kind="stable")
    matched, surroundings = np.zeros(len(detections), bool), np.full(len(detections), ALONE, np.int64)
    columns: list[tuple[float, ...]] = []
    for image in np.unique(np.concatenate([ground_truth.image, detections.image])):
        labels = by_image[slice(*np.searchsorted(ground_truth.image[by_image], [image, image + 1]))]
        found = found_by_image[slice(*np.searchsorted(detections.image[found_by_image], [image, image + 1]))]
        area = float(sizes[image].prod()) if len(sizes) and not np.isnan(sizes[image]).any() else 1.0
        evidence = _image_evidence(ground_truth[labels], detections[found], labels, found, area)
        columns += evidence.columns
        matched[found], surroundings[found] = evidence.found.matched, evidence.found.surroundings
    table = np.array(columns, np.float64).reshape(-1, 7)
    numbers = table.astype(np.int64)
    labelled = LabelEvidence(numbers[:, 0], table[:, 1], table[:, 2], table[:, 3], numbers[:, 4], numbers[:, 5], table[:, 6])
    return labelled, DetectionEvidence(matched, surroundings)


def _image_evidence(labels: GroundTruth, found: DetectionTable, rows: Ints, found_rows: Ints, area: float) -> ImageEvidence:
    if not len(labels):
        return ImageEvidence([], DetectionEvidence(np.zeros(len(found), bool), np.full(len(found), ALONE, np.int64)))
    iou = pairwise_iou(found.boxes_xyxy, labels.boxes_xyxy)  # (N, M)
    same = found.class_id[:, None] == labels.class_id[None]  # (N, M)
    score = found.score[:, None]
    agrees = same & (iou >= MATCH_IOU)
    elsewhere = agrees.sum(axis=1, keepdims=True) - agrees > 0  # (N, M): another label agrees with the detection
    support = (score * same * _rising(iou, AGREE)).max(axis=0, initial=0.0)
    nearest = np.zeros(iou.shape, bool)  # the label of its class that each detection overlaps most
    nearest[np.arange(len(found)), (iou * same).argmax(axis=1)] = True
    moved = score * (same & nearest & ~elsewhere & (iou > NEAR_IOU)) * (1 - _rising(iou, MOVED_IOU))
    swapped = score * (~same & ~elsewhere) * _rising(iou, AGREE)
    sides = labels.boxes_xyxy[:, 2:] - labels.boxes_xyxy[:, :2]
    size = np.sqrt(np.maximum(sides.prod(axis=1), 1e-9) / area)
    columns = [
        (float(rows[j]), support[j], *_best(moved[:, j]), *_best(swapped[:, j]), size[j]) for j in np.flatnonzero(~labels.difficult)
    ]
    ordered = [(r, s, m, w, _row(found_rows, a), _row(found_rows, b), z) for r, s, m, a, w, b, z in columns]
    return ImageEvidence(ordered, detection_evidence(iou, same, found.score, support))


def _row(rows: Ints, index: float) -> float:
    return -1.0 if index < 0 else float(rows[int(index)])


def _best(evidence: Doubles) -> tuple[float, float]:
    """The greatest evidence of a column, and its row; (0, -1) without any."""
    if not len(evidence) or evidence.max() <= 0:
        return 0.0, -1.0
    return float(evidence.max()), float(evidence.argmax())


def _rising(iou: Doubles, ends: tuple[float, float]) -> Doubles:
    """0 up to the first overlap, 1 from the second one on, linear between them."""
    return np.clip((iou - ends[0]) / (ends[1] - ends[0]), 0.0, 1.0)
