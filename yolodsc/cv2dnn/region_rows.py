"""Rows of boxes as OpenCV's region layer gives them: x, y, width, height, objectness, class scores.

Boxes are relative to the input blob, scores are objectness times class probability and 0 at or under the threshold of the section.
Rows run over grid rows, columns and anchors (``region_layer.cpp``).
"""

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.network import Candidates, RegionLayer, YoloLayer, logistic, nms, softmax

YOLO_THRESH, REGION_THRESH = 0.2, 0.001
"""Thresholds of sections without ``thresh``."""

REGION_NMS = 0.4
"""Overlap at which ``[region]`` suppresses boxes itself."""


def rows_of(head: YoloLayer | RegionLayer, x: Array, *, blob: Shape, region_nms: float) -> Array:
    """Rows (height width anchors, 5 + classes) of a head.

    Parameters
    ----------
    x
        The head's input, (C, H, W).
    blob
        Shape of the network's input.
    region_nms
        Overlap at which boxes of ``[region]`` are suppressed; 0 keeps all.
    """
    height, width = head.shape[1:]
    anchors = len(head.anchors)
    entries = x.reshape(anchors, -1, height, width)
    rows = np.zeros((height, width, anchors, entries.shape[1]), np.float32)  # class scores of most rows stay 0
    raw = entries.transpose(2, 3, 0, 1)  # (H, W, anchors, entries), a view
    is_yolo = isinstance(head, YoloLayer)
    plain = isinstance(head, YoloLayer) and head.new_coords
    norm = blob[:0:-1] if is_yolo else (width, height)
    _boxes(rows, raw, head, norm=norm, plain=plain)
    objectness = raw[..., 4] if plain else logistic(raw[..., 4])
    rows[..., 4] = objectness
    thresh = head.section.number("thresh", YOLO_THRESH if is_yolo else REGION_THRESH)
    scale = objectness
    if isinstance(head, RegionLayer) and head.classfix == -1:
        scale = np.where(objectness < np.float32(0.5), np.float32(0), objectness)
    chosen = np.nonzero(scale > thresh)  # no probability exceeds 1, so no other row has a score
    classes = raw[chosen][:, 5:]
    if isinstance(head, RegionLayer) and head.softmax:
        classes = softmax(classes.T).T
    elif not plain:
        classes = logistic(classes)
    scores = scale[chosen][:, None] * classes
    grid_rows, columns, numbers = chosen
    rows[grid_rows, columns, numbers, 5:] = np.where(scores > thresh, scores, np.float32(0))
    flat = rows.reshape(-1, entries.shape[1])
    overlap = head.section.number("nms_threshold", 0.0) if is_yolo else region_nms
    return _suppressed(flat, overlap) if overlap > 0 else flat


def _boxes(rows: Array, raw: Array, head: YoloLayer | RegionLayer, *, norm: tuple[int, int], plain: bool) -> None:
    """Write centres and sizes."""
    height, width = rows.shape[:2]
    scale = np.float32(head.scale_x_y if isinstance(head, YoloLayer) else 1)
    half = np.float32(0.5)
    centres = raw[..., :2] if plain else logistic(raw[..., :2])
    centres = (centres - half) * scale + half
    rows[..., 0] = (np.arange(width, dtype=np.float32)[:, None] + centres[..., 0]) / np.float32(width)
    rows[..., 1] = (np.arange(height, dtype=np.float32)[:, None, None] + centres[..., 1]) / np.float32(height)
    sizes = np.array(head.anchors, np.float32)  # (anchors, 2)
    with np.errstate(over="ignore"):
        factors = raw[..., 2:4] ** 2 * np.float32(4) if plain else np.exp(raw[..., 2:4])
        rows[..., 2:4] = factors * sizes / np.array(norm, np.float32)


def _suppressed(rows: Array, overlap: float) -> Array:
    """Rows after suppression class by class: scores of boxes that overlap a better one become 0."""
    found = np.flatnonzero(rows[:, 5:].any(axis=1))
    candidates = Candidates(rows[found, :4], np.ones(len(found), np.float32), rows[found, 5:])
    rows[found, 5:] = nms(candidates, kind="default", thresh=overlap).probabilities
    return rows
