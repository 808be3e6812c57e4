"""Images of a page with their boxes: what is detected, what is labelled, and what is wrong."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.evaluation.datasets.dataset import Dataset
from yolodsc.evaluation.errors.breakdown import IGNORED, RIGHT, DetectionKinds, detection_kinds
from yolodsc.evaluation.metrics.tables import DetectionTable, Doubles
from yolodsc.evaluation.report.thumbnails import thumbnail_of_file

KIND_NAMES = ("", "right", "classification", "localisation", "both", "duplicate", "background", "ignored")
"""Names of the kinds by their number."""
MIN_SCORE, PER_IMAGE = 0.05, 100
"""Smallest score of detections on a page, and how many of an image."""
MAX_IMAGES = 200


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """What the cards of a page are made of: a dataset, detections clipped to its images, and their kinds."""

    dataset: Dataset
    detections: DetectionTable
    kinds: DetectionKinds


def gallery_of(dataset: Dataset, detections: DetectionTable) -> Gallery:
    """A gallery of all images."""
    clipped = detections.clipped()
    return Gallery(dataset, clipped, detection_kinds(dataset.ground_truth, clipped, classes=len(dataset.names)))


def cards(gallery: Gallery, *, thresh: float, limit: int = MAX_IMAGES) -> list[dict[str, Any]]:
    """The images with most errors first: the scores of wrong detections above the threshold plus the objects not found there."""
    detections, truth, kinds = gallery.detections, gallery.dataset.ground_truth, gallery.kinds
    images = len(gallery.dataset.ids)
    wrong = (kinds.kinds != RIGHT) & (kinds.kinds != IGNORED) & (detections.score > thresh)
    missed = (kinds.found <= thresh) & ~truth.difficult & ~truth.crowd
    errors = np.bincount(detections.image[wrong], weights=detections.score[wrong], minlength=images)
    errors = errors + np.bincount(truth.image[missed], minlength=images)
    chosen = np.argsort(-errors, kind="stable")[:limit]
    return [{**image_entry(gallery.dataset, int(i)), "errors": float(errors[i]), **_boxes(gallery, int(i))} for i in chosen]


def image_entry(dataset: Dataset, image: int) -> dict[str, Any]:
    """Name, size and pixels of an image."""
    width, height = (None if np.isnan(side) else float(side) for side in dataset.sizes[image])
    path = None if dataset.paths is None else dataset.paths[image]
    source = None if path is None else thumbnail_of_file(path, exif=dataset.exif)
    return {"id": dataset.ids[image], "width": width, "height": height, "src": source}


def relative_box(dataset: Dataset, image: int, box: Doubles) -> list[float]:
    """Left, top, width and height relative to the image, for corners in the dataset's coordinates."""
    size = np.where(np.isnan(dataset.sizes[image]), 1.0, dataset.sizes[image])
    low, high = (box[:2] - dataset.origin) / size, (box[2:] - dataset.origin) / size
    return [round(float(side), 4) for side in (*low, *(high - low))]


def _boxes(gallery: Gallery, image: int) -> dict[str, Any]:
    dataset, detections, truth = gallery.dataset, gallery.detections, gallery.dataset.ground_truth
    rows = np.flatnonzero((detections.image == image) & (detections.score > MIN_SCORE))
    rows = rows[np.argsort(-detections.score[rows], kind="stable")][:PER_IMAGE]
    return {
        "detections": [_detection(gallery, image, int(row)) for row in rows],
        "objects": [
            {
                "class": int(truth.class_id[row]),
                "box": relative_box(dataset, image, truth.boxes_xyxy[row]),
                "found": round(float(gallery.kinds.found[row]), 4),
                "difficult": bool(truth.difficult[row] or truth.crowd[row]),
            }
            for row in np.flatnonzero(truth.image == image)
        ],
    }


def _detection(gallery: Gallery, image: int, row: int) -> dict[str, Any]:
    detections = gallery.detections
    return {
        "class": int(detections.class_id[row]),
        "score": round(float(detections.score[row]), 4),
        "box": relative_box(gallery.dataset, image, detections.boxes_xyxy[row]),
        "kind": KIND_NAMES[int(gallery.kinds.kinds[row])],
    }


def thinned(values: Doubles, points: Ints) -> list[float]:
    """Values (N,) at some points, in four digits."""
    return [round(float(value), 4) for value in values[points]]
