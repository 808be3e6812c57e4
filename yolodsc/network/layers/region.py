"""``[region]``: the head of YOLOv2 and YOLO9000 (``region_layer.c``)."""

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Profile, Section
from yolodsc.errors import CfgError
from yolodsc.files import is_file, read_bytes
from yolodsc.network.boxes import Candidates
from yolodsc.network.class_tree import ClassTree, softmax, tree_of
from yolodsc.network.layer import Head, Preceding, Weights
from yolodsc.network.layers.yolo import anchor_pairs, centres, class_scores, confident
from yolodsc.network.reference.activations import logistic

TREE_THRESH = 0.5
"""Minimum probability of a reported class of a tree (``network.c: custom_get_region_detections``)."""


class RegionLayer(Head, kw_only=True):
    """Per anchor: x, y, w, h, objectness, classes; planar, unlike the buffer of AlexeyAB's program, which is ordered by cell.

    AlexeyAB's program reads these at fixed entries: it ignores ``background``, and with ``coords`` other than 4 it reads the
    boxes as if each had 5 + classes numbers. The profile ``alexeyab`` does the same; the others follow both options.

    Attributes
    ----------
    anchors : ((width, height), …)
        In grid cells.
    softmax
        Class scores go through a softmax; without it and without a tree the profile determines them.
    classfix
        -1: AlexeyAB's program drops boxes whose objectness is below 0.5.
    tree, map
        The hierarchy of YOLO9000, and its classes that are reported as 0, 1, 2, …
    """

    type: ClassVar[str] = "region"
    training: ClassVar[frozenset[str]] = frozenset(
        "jitter rescore thresh absolute random bias_match coord_scale object_scale noobject_scale mask_scale "
        "class_scale log max focal_loss".split()
    )

    coords: int
    anchors: tuple[tuple[float, float], ...]
    softmax: bool
    background: bool
    classfix: int
    tree: ClassTree | None
    map: tuple[int, ...]
    profile: Profile

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_region``."""
        num = section.integer("num", 1, minimum=1)
        classes = section.integer("classes", 20, minimum=1)
        coords = section.integer("coords", 4, minimum=4)
        expected = num * (classes + coords + 1)
        if preceding.input.channels != expected:
            found = f"{preceding.input.channels} input channels for num={num}, classes={classes}, coords={coords}"
            raise section.error(f"{found}; expected {expected}: filters={expected} in the layer before", key="classes")
        pairs = anchor_pairs(section.numbers("anchors"), range(num))
        return cls(
            **preceding.fields(section, preceding.input),
            classes=classes,
            coords=coords,
            anchors=pairs,
            softmax=section.flag("softmax"),
            background=section.flag("background") and preceding.profile.region == "cfg",
            classfix=section.integer("classfix", 0),
            tree=tree_of(section, classes=classes),
            map=_read_map(section, classes),
            profile=preceding.profile,
        )

    @property
    def reported(self) -> int:
        """The mapped classes, or all."""
        return len(self.map) or self.classes

    @property
    def objectness(self) -> int:
        """Index of the entry of the objectness; the classes follow it."""
        return 4 if self.profile.region == "fixed" else self.coords

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_region_layer`` of AlexeyAB: x and y stay raw until they are decoded."""
        return self.activated(inputs[0].reshape(len(self.anchors), -1, *self.shape[1:])).reshape(self.shape)

    def activated(self, entries: Array) -> Array:
        """The activations of boxes (anchors, coords + 1 + classes, ...), without those of x and y."""
        out = entries.copy()
        first, last = self.objectness + 1, self.objectness + 1 + self.classes
        if not self.background:
            out[:, first - 1] = logistic(out[:, first - 1])
        for anchor in out:  # (coords + 1 + classes, ...)
            if self.tree:
                anchor[first:last] = self.tree.softmax(anchor[first:last])
            elif self.softmax:
                start = first - 1 if self.background else first
                anchor[start:last] = softmax(anchor[start:last])
            elif self.profile.region_scores == "logistic":
                anchor[first:last] = logistic(anchor[first:last])
        return out

    def decode(self, output: Array, *, input_shape: Shape, thresh: float) -> Candidates:
        """Darknet: ``get_region_box``, ``custom_get_region_detections``."""
        entries = self._entries(output)
        found, anchors, rows, columns = confident(entries, self._confidence(entries), thresh)
        grid = np.array([self.shape.width, self.shape.height], np.float32)
        boxes = np.empty((len(found), 4), np.float32)
        boxes[:, :2] = centres(logistic(found[:, :2]), rows, columns, self.shape)
        with np.errstate(over="ignore"):
            boxes[:, 2:] = np.exp(found[:, 2:4]) * np.array(self.anchors, np.float32)[anchors] / grid
        objectness, classes = found[:, self.objectness], found[:, self.objectness + 1 :]
        if self.tree:
            return Candidates(boxes, objectness, self._tree_scores(self.tree, objectness, classes, thresh))
        return Candidates(boxes, objectness, class_scores(objectness, classes, thresh))

    def _entries(self, output: Array) -> Array:
        """(anchors, entries, H, W) from which boxes are read: a copy if ``classfix`` or the fixed entries change values."""
        entries = output.reshape(len(self.anchors), -1, *self.shape[1:])
        if self.profile.region != "fixed":
            return entries
        if self.coords != 4:  # the cell-major buffer in rows that are too short
            rows = (*self.shape[1:], len(self.anchors), 5 + self.classes)
            entries = entries.transpose(2, 3, 0, 1).reshape(-1)[: prod(rows)].reshape(rows).transpose(2, 3, 0, 1)
        if self.classfix == -1:
            entries = entries.copy()
            entries[:, 4] = np.where(entries[:, 4] < np.float32(0.5), np.float32(0), entries[:, 4])
        return entries

    def _confidence(self, entries: Array) -> Array:
        """The value compared with the threshold: the best class score if scores can exceed the objectness, else the objectness."""
        objectness = entries[:, self.objectness]
        misread = self.profile.region == "fixed" and self.coords != 4
        if not misread and (self.softmax or self.tree or self.profile.region_scores == "logistic"):
            return objectness
        return (objectness[:, None] * entries[:, self.objectness + 1 :]).max(axis=1)

    def _tree_scores(self, tree: ClassTree, objectness: Array, conditional: Array, thresh: float) -> Array:
        """Scores of a hierarchy: of the mapped classes, or of the deepest class above `TREE_THRESH`."""
        probabilities = tree.probabilities(conditional.T).T  # (N, classes)
        if self.map:
            return class_scores(objectness, probabilities[:, list(self.map)], thresh)
        probable = probabilities > TREE_THRESH
        deepest = probabilities.shape[1] - 1 - probable[:, ::-1].argmax(axis=1)
        rows = np.flatnonzero(probable.any(axis=1) & (objectness > thresh))
        scores = np.zeros_like(probabilities)
        scores[rows, deepest[rows]] = probabilities[rows, deepest[rows]]
        return scores


def _read_map(section: Section, classes: int) -> tuple[int, ...]:
    """The classes that a ``map=`` file lists; Darknet always reads 200 classes, here all are read."""
    name = section.text("map")
    if name is None:
        return ()
    candidates = [Path(name), Path(section.file).parent / name, Path(section.file).parent.parent / name]
    path = next((path for path in candidates if is_file(path)), None)
    if path is None:
        raise section.error(f"map={name}: no such file", key="map")
    words = read_bytes(path, error=CfgError).decode(errors="surrogateescape").split()
    if not words or not all(word.isdecimal() and int(word) < classes for word in words):
        raise section.error(f"{path}: expected class numbers under {classes}", key="map")
    return tuple(map(int, words))
