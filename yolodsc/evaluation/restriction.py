"""An evaluation of some classes only."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from yolodsc.evaluation.datasets.dataset import Dataset
from yolodsc.evaluation.metrics.tables import DetectionTable


def restricted(
    dataset: Dataset, detections: DetectionTable, missing: frozenset[int], class_ids: Sequence[int]
) -> tuple[Dataset, DetectionTable, frozenset[int]]:
    """Dataset, detections and missing classes with the given classes only, in this order; objects of others do not exist."""
    kept = tuple(dict.fromkeys(class_ids))
    number = np.full(len(dataset.names), -1, np.int64)  # (C,): number of each class among those that are kept
    number[list(kept)] = np.arange(len(kept))
    objects = dataset.ground_truth[number[dataset.ground_truth.class_id] >= 0]
    found = detections[number[detections.class_id] >= 0]
    names = tuple(dataset.names[c] for c in kept)
    ground_truth = replace(objects, class_id=number[objects.class_id])
    return (
        replace(dataset, names=names, ground_truth=ground_truth, listed=len(kept)),
        replace(found, class_id=number[found.class_id]),
        frozenset(int(number[c]) for c in missing if number[c] >= 0),
    )
