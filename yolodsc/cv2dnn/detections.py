"""Boxes of OpenCV's detection model from rows of region layers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.errors import OptionError

Found = tuple[NDArray[np.int32], Array, NDArray[np.int32]]
"""Class ids (N,), confidences (N,) and boxes (N, 4): left, top, width, height in pixels."""


def boxes_of(outputs: Sequence[Array], *, width: int, height: int, thresh: float) -> Found:
    """The best class of each row, and its box in whole pixels inside the frame, in the order of the rows."""
    if any(output.ndim != 2 or output.shape[1] < 6 for output in outputs):
        raise OptionError("detect: the network does not end in rows of boxes; expected [yolo] or [region] layers")
    parts = []
    for rows in outputs:
        scores = rows[:, 5:]
        best = scores.argmax(axis=1)
        confidences = scores[np.arange(len(rows)), best]
        kept = np.flatnonzero(confidences >= np.float32(thresh))
        parts.append((best[kept].astype(np.int32), confidences[kept], _pixels(rows[kept, :4], width, height)))
    class_ids, confidences, boxes = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return class_ids, confidences, boxes


def suppressed(found: Found, *, thresh: float, overlap: float, across: bool) -> Found:
    """What OpenCV's ``NMSBoxes`` keeps: of all boxes, or of each class in the order of the classes."""
    class_ids, confidences, boxes = found
    groups = [np.arange(len(class_ids))] if across else [np.flatnonzero(class_ids == one) for one in np.unique(class_ids)]
    kept = [group[_nms_boxes(boxes[group], confidences[group], thresh, overlap)] for group in groups]
    rows = np.concatenate(kept) if kept else np.zeros(0, np.intp)
    return class_ids[rows], confidences[rows], boxes[rows]


def _nms_boxes(boxes: NDArray[np.int32], confidences: Array, thresh: float, overlap: float) -> NDArray[np.intp]:
    import cv2

    rows: Any = cv2.dnn.NMSBoxes(boxes.tolist(), confidences.tolist(), thresh, overlap)
    return np.asarray(rows, np.intp).reshape(-1)


def _pixels(boxes: Array, width: int, height: int) -> NDArray[np.int32]:
    """Left, top, width, height as OpenCV rounds them: products are truncated, halves are those of whole numbers."""
    frame = np.array([width, height] * 2, np.float32)
    with np.errstate(invalid="ignore"):
        centre_x, centre_y, wide, high = (boxes * frame).astype(np.int32).T
    left = np.clip(centre_x - _half(wide), 0, width - 1)
    top = np.clip(centre_y - _half(high), 0, height - 1)
    sides = [np.clip(side, 1, limit - start) for side, limit, start in ((wide, width, left), (high, height, top))]
    return np.stack([left, top, *sides], axis=1).astype(np.int32)


def _half(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Half of each number, towards zero, as in C."""
    return np.trunc(values / 2).astype(np.int32)
