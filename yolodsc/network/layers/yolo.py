"""``[yolo]``: the head of YOLOv3, v4 and v7 (``yolo_layer.c``)."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self, cast

import numpy as np

from yolodsc.arrays import Array, Ints, Shape
from yolodsc.darknet import Section
from yolodsc.network.boxes import Candidates, NmsKind
from yolodsc.network.layer import Head, Preceding, Weights
from yolodsc.network.reference.activations import logistic

TRAINING = frozenset(
    "jitter resize random truth_thresh ignore_thresh iou_thresh iou_normalizer obj_normalizer cls_normalizer delta_normalizer "
    "iou_loss iou_thresh_kind max_delta label_smooth_eps objectness_smooth focal_loss counters_per_class max total show_details "
    "equidistant_point uc_normalizer beta1 embedding_layer track_history_size sim_thresh dets_for_show dets_for_track "
    "track_ciou_norm badlabels_rejection_percentage badlabels_reject_threshold map".split()
)
"""Keys of [yolo] and [Gaussian_yolo] that only training uses."""

_NMS_KINDS = {kind: kind for kind in ("greedynms", "diounms", "cornersnms")}


class AnchorHead(Head, kw_only=True):
    """Common base of ``[yolo]`` and ``[Gaussian_yolo]``.

    Attributes
    ----------
    anchors : ((width, height), …)
        Anchors of the mask of this head, in pixels of the network's input.
    scale_x_y
        Scale of the cell offset about its middle.
    """

    anchors: tuple[tuple[float, float], ...]
    scale_x_y: float

    def entries(self, output: Array) -> Array:
        """The output as (anchors, entries, H, W)."""
        return output.reshape(len(self.anchors), -1, *self.shape[1:])

    def stretched(self, offsets: Array) -> Array:
        """Cell offsets in 0..1 scaled by ``scale_x_y``."""
        return offsets * np.float32(self.scale_x_y) - np.float32((self.scale_x_y - 1) / 2)

    def anchor_sizes(self, anchors: Ints, input_shape: Shape) -> Array:
        """(N, 2) relative width and height of the anchors with these indices."""
        sizes: Array = (np.array(self.anchors) / np.array([input_shape.width, input_shape.height])).astype(np.float32)
        return sizes[anchors]


def confident(entries: Array, objectness: Array, thresh: float) -> tuple[Array, Ints, Ints, Ints]:
    """Rows (N, entries) whose objectness exceeds ``thresh``, with anchor, row and column, in Darknet's order.

    Cell by cell, anchor by anchor: ``yolo_layer.c: get_yolo_detections``. NaN never exceeds ``thresh``.
    """
    rows, columns, anchors = np.nonzero((objectness > thresh).transpose(1, 2, 0))
    return entries[anchors, :, rows, columns], anchors, rows, columns


def centres(offsets: Array, rows: Ints, columns: Ints, shape: Shape) -> Array:
    """(N, 2) relative centres of boxes whose offsets in their cells are given."""
    cells = np.stack([columns, rows], axis=1).astype(np.float32)
    return ((cells + offsets) / np.array([shape.width, shape.height], np.float32)).astype(np.float32, copy=False)


def class_scores(objectness: Array, classes: Array, thresh: float) -> Array:
    """(N, K) objectness times class scores, 0 at or under ``thresh``."""
    scores = objectness[:, None] * classes
    return np.where(scores > thresh, scores, np.float32(0))


def anchor_pairs(listed: Sequence[float], numbers: Iterable[int]) -> tuple[tuple[float, float], ...]:
    """Widths and heights of the anchors with these indices; 0.5 if the list is too short, which is Darknet's initial value."""
    return tuple((_item(listed, 2 * number), _item(listed, 2 * number + 1)) for number in numbers)


def _item(listed: Sequence[float], index: int) -> float:
    return listed[index] if index < len(listed) else 0.5


def anchor_options(section: Section, preceding: Preceding, *, entries: int) -> dict[str, Any]:
    """Options of both anchor heads, as keyword arguments (``parser.c: parse_yolo, parse_yolo_mask``).

    ``entries`` is the number of entries of a box without its classes. A `CfgError` is raised if the channels do not match.
    """
    classes = section.integer("classes", 20, minimum=1)
    total = section.integer("num", 1, minimum=1)
    mask = section.integers("mask") or tuple(range(min(total, preceding.input.channels)))
    listed = section.numbers("anchors")
    known = max(total, len(listed) // 2)  # a shipped cfg says num=16 and lists and uses 20
    if not all(0 <= number < known for number in mask):
        raise section.error(f"mask={','.join(map(str, mask))} of {known} anchors; expected 0 to {known - 1}", key="mask")
    expected = len(mask) * (classes + entries)
    if preceding.input.channels != expected:
        found = f"{preceding.input.channels} input channels for {len(mask)} anchors and classes={classes}"
        raise section.error(f"{found}; expected {expected}: filters={expected} in the layer before", key="classes")
    return {
        **preceding.fields(section, preceding.input),
        "classes": classes,
        "anchors": anchor_pairs(listed, mask),
        "scale_x_y": section.number("scale_x_y", 1.0),
        "nms_kind": cast(NmsKind, _NMS_KINDS.get(section.text("nms_kind") or "", "default")),
        "beta_nms": section.number("beta_nms", 0.6),
    }


class YoloLayer(AnchorHead, kw_only=True):
    """Per anchor: x, y, w, h, objectness, classes.

    Attributes
    ----------
    new_coords
        The convolution before has applied logistic to everything; sizes are (2 v)² instead of e^v anchors.
    """

    type: ClassVar[str] = "yolo"
    training: ClassVar[frozenset[str]] = TRAINING

    new_coords: bool

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_yolo``."""
        options = anchor_options(section, preceding, entries=5)
        return cls(**options, new_coords=section.flag("new_coords"))

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_yolo_layer``: logistic of all entries but the sizes, then the scaling of x and y."""
        return self.activated(self.entries(inputs[0])).reshape(self.shape)

    def activated(self, entries: Array) -> Array:
        """The activations of boxes (anchors, 5 + classes, ...)."""
        out = entries.copy()
        if not self.new_coords:
            out[:, :2], out[:, 4:] = logistic(out[:, :2]), logistic(out[:, 4:])
        out[:, :2] = self.stretched(out[:, :2])
        return out

    def decode(self, output: Array, *, input_shape: Shape, thresh: float) -> Candidates:
        """Darknet: ``get_yolo_box``, ``get_yolo_detections``."""
        entries = self.entries(output)
        found, anchors, rows, columns = confident(entries, entries[:, 4], thresh)
        with np.errstate(over="ignore"):
            factors = 4 * found[:, 2:4] ** 2 if self.new_coords else np.exp(found[:, 2:4])
        boxes = np.empty((len(found), 4), np.float32)
        boxes[:, :2] = centres(found[:, :2], rows, columns, self.shape)
        boxes[:, 2:] = factors * self.anchor_sizes(anchors, input_shape)
        return Candidates(boxes, found[:, 4], class_scores(found[:, 4], found[:, 5:], thresh))
