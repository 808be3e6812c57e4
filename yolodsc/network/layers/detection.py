"""``[detection]``: the head of YOLOv1 (``detection_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Section
from yolodsc.network.boxes import Candidates
from yolodsc.network.class_tree import softmax
from yolodsc.network.layer import Head, Preceding, Weights
from yolodsc.network.layers.yolo import class_scores


class DetectionLayer(Head, kw_only=True):
    """A vector: classes[cell, class], confidences[cell, n], boxes[cell, n, 4], for side² cells.

    Darknet never undoes the letterbox of these boxes (``detection_layer.c: get_detection_detections``).

    Attributes
    ----------
    side
        Cells along each axis.
    num
        Boxes per cell, which share its class scores.
    softmax
        Class scores of a cell go through a softmax.
    sqrt
        Sizes are stored as square roots.
    """

    type: ClassVar[str] = "detection"
    training: ClassVar[frozenset[str]] = frozenset(
        "rescore jitter random max coord_scale forced object_scale noobject_scale class_scale reorg".split()
    )

    letterboxed: ClassVar[bool] = False

    side: int
    num: int
    coords: int
    softmax: bool
    sqrt: bool

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_detection``."""
        side = section.integer("side", 7, minimum=1)
        num = section.integer("num", 1, minimum=1)
        classes = section.integer("classes", 1, minimum=1)
        coords = section.integer("coords", 1, minimum=1)
        expected = side**2 * ((1 + coords) * num + classes)
        if preceding.input.size != expected:
            found = f"{preceding.input.size} inputs for side={side}, num={num}, classes={classes}, coords={coords}"
            raise section.error(f"{found}; expected {expected}", key="side")
        if coords != 4:
            raise section.error(f"coords={coords}; expected 4", key="coords")
        return cls(
            **preceding.fields(section, preceding.input),
            classes=classes,
            side=side,
            num=num,
            coords=coords,
            softmax=section.flag("softmax"),
            sqrt=section.flag("sqrt"),
        )

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_detection_layer``."""
        out = inputs[0].copy()
        if self.softmax:
            scores = out.reshape(-1)[: self.side**2 * self.classes].reshape(-1, self.classes)
            scores[:] = softmax(scores.T).T
        return out

    def decode(self, output: Array, *, input_shape: Shape, thresh: float) -> Candidates:
        """Darknet: ``get_detection_detections``, with the relative units of the ``yolo`` command."""
        cells = self.side**2
        flattened = output.reshape(-1)
        classes, objectness, boxes = np.split(flattened, [cells * self.classes, cells * (self.classes + self.num)])
        raw = boxes.reshape(cells * self.num, 4)
        cell = np.repeat(np.arange(cells), self.num)
        columns_rows = np.stack([cell % self.side, cell // self.side], axis=1).astype(np.float32)
        sizes = raw[:, 2:] ** 2 if self.sqrt else raw[:, 2:]
        found = np.concatenate([(raw[:, :2] + columns_rows) / np.float32(self.side), sizes], axis=1)
        scores = class_scores(objectness, classes.reshape(cells, self.classes)[cell], thresh)
        kept = scores.any(axis=1)
        return Candidates(found[kept], objectness[kept], scores[kept])
