"""Boxes in both formats, their overlaps, and Darknet's three kinds of non-maximum suppression.

``boxes_xywh`` are centre based, ``boxes_xyxy`` corner based; relative to the picture unless said otherwise.
"""

from dataclasses import dataclass
from typing import Literal

from yolodsc.shape import Array

NmsKind = Literal["default", "greedynms", "diounms", "cornersnms"]
"""``[yolo] nms_kind``: plain IoU, DIoU with the fixed exponent 0.6, DIoU with ``beta_nms``; cornersnms is plain IoU too."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What heads decode from one picture, before suppression: Darknet's array of ``detection``.

    Attributes
    ----------
    boxes_xywh : (N, 4) float32
        Centre and size, relative (0..1), not clipped.
    objectness : (N,) float32
    probabilities : (N, K) float32
        Per class; 0 where at or under the threshold.
    """

    boxes_xywh: Array
    objectness: Array
    probabilities: Array
