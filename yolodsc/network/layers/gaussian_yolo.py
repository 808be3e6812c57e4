"""``[Gaussian_yolo]``: a head that also predicts the uncertainty of its boxes (``gaussian_yolo_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Section
from yolodsc.network.boxes import Candidates
from yolodsc.network.layer import Preceding, Weights
from yolodsc.network.layers.yolo import TRAINING, AnchorHead, anchor_options, centres, class_scores, confident
from yolodsc.network.reference.activations import logistic

_POINTS = {"center": 0.0, "left_top": 0.5, "right_bottom": -0.5}
"""Offset from the predicted point to the centre, in box sizes, for each ``yolo_point``."""


class GaussianYoloLayer(AnchorHead, kw_only=True):
    """Per anchor: mean and deviation of x, y, w, h in turn, objectness, classes.

    Attributes
    ----------
    yolo_point
        The point of the box at x and y: ``center``, ``left_top`` or ``right_bottom``.
    """

    type: ClassVar[str] = "Gaussian_yolo"
    training: ClassVar[frozenset[str]] = TRAINING

    yolo_point: str

    @property
    def point_offset(self) -> float:
        """Offset from the predicted point to the centre, in box sizes."""
        return _POINTS[self.yolo_point]

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_gaussian_yolo``."""
        options = anchor_options(section, preceding, entries=9)
        return cls(**options, yolo_point=section.choice("yolo_point", "center", frozenset(_POINTS)))

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_gaussian_yolo_layer``: logistic of all but the means of w and h; x and y scaled."""
        return self.activated(self.entries(inputs[0])).reshape(self.shape)

    def activated(self, entries: Array) -> Array:
        """The activations of boxes (anchors, 9 + classes, ...)."""
        out = logistic(entries)
        out[:, [4, 6]] = entries[:, [4, 6]]
        out[:, [0, 2]] = self.stretched(out[:, [0, 2]])
        return out

    def decode(self, output: Array, *, input_shape: Shape, thresh: float) -> Candidates:
        """Darknet: ``get_gaussian_yolo_box``, ``get_gaussian_yolo_detections``."""
        entries = self.entries(output)
        found, anchors, rows, columns = confident(entries, entries[:, 8], thresh)
        with np.errstate(over="ignore"):
            sizes = np.exp(found[:, [4, 6]]) * self.anchor_sizes(anchors, input_shape)
        points = centres(found[:, [0, 2]], rows, columns, self.shape)
        boxes = np.concatenate([points + np.float32(self.point_offset) * sizes, sizes], axis=1)
        certainty = 1 - found[:, [1, 3, 5, 7]].mean(axis=1)
        scores = class_scores(found[:, 8], found[:, 9:] * certainty[:, None], thresh)
        return Candidates(boxes, found[:, 8], scores)
