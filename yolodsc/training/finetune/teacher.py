"""The teacher of a distillation: its logits where both networks have equal heads, its boxes otherwise, and its feature maps.

The teacher is not trained, so it runs on the engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.detection import reported_classes
from yolodsc.errors import CfgError, OptionError
from yolodsc.network import Layer, Network, concatenated, iou, nms
from yolodsc.training.data.labels import within
from yolodsc.training.loss.grid import Grid, grids

BOX_SCORE = 0.4
"""Smallest score of a teacher's box that becomes a label."""
SAME_OBJECT = 0.5
"""IoU with a label of the same class above which a teacher's box is dropped."""
_HINT_TYPES = frozenset({"maxpool", "shortcut", "avgpool", "reorg", "scale_channels", "upsample"})
"""Types of hint layers (Romero et al. 2015): decomposition keeps them, and replaces one convolution between them by several."""


@dataclass(frozen=True, slots=True)
class HintPair:
    """Indices of a layer of the student and of its hint layer, whose feature maps should be equal."""

    student: int
    teacher: int


class Teacher:
    """A trained network beside a student, both for images of one size.

    Attributes
    ----------
    heads
        Pairs of a grid of the student and a raw layer of the teacher; empty if their heads differ, and boxes are used.
    features
        Pairs of hint layers, in order, with feature maps of equal shapes.

    Raises
    ------
    OptionError
        The networks have different numbers of classes, or input shapes.
    """

    def __init__(self, network: Network, student: Network, *, threads: int) -> None:
        ours, theirs = reported_classes(student), reported_classes(network)
        if ours != theirs:
            raise OptionError(f"teacher: {theirs} classes; expected {ours}, as the student has")
        if network.input_shape != student.input_shape:
            raise OptionError(f"teacher: input of {network.input_shape}; expected {student.input_shape}, as the student has")
        self.network = network
        self.heads = _matched(grids(student), network)
        self.features = features(student, network)
        raw_layers = [raw for _, raw in self.heads] or [head.index for head in network.heads]
        self._runner = engine.compile(network, threads=threads, outputs=[*raw_layers, *(pair.teacher for pair in self.features)])

    def __call__(self, images: Array) -> dict[int, Array]:
        """Return the outputs by layer index, (N, C, H, W) each, of images (N, C, H, W)."""
        return self._runner(images)

    def boxes(self, outputs: dict[int, Array], labels: Sequence[Array]) -> list[Array]:
        """Return labels (M, 5) of every image with the teacher's boxes added, except those of labelled objects."""
        return [
            _added(objects, self._boxes({head.index: outputs[head.index][n] for head in self.network.heads}))
            for n, objects in enumerate(labels)
        ]

    def close(self) -> None:
        """Release the memory of the runner."""
        self._runner.close()

    def _boxes(self, outputs: dict[int, Array]) -> Array:
        """Return the teacher's detections (M, 5) in one image: class, centre, size."""
        heads, image = self.network.heads, self.network.input_shape
        found = concatenated([head.decode(outputs[head.index], input_shape=image, thresh=BOX_SCORE) for head in heads])
        found = nms(found, kind="default", thresh=self.network.profile.nms_thresh, beta=0.6)
        n, kind = np.nonzero(found.probabilities > BOX_SCORE)
        return within(np.concatenate([kind[:, None], found.boxes_xywh[n]], axis=1).astype(np.float32))


def features(student: Network, teacher: Network) -> tuple[HintPair, ...]:
    """Return the pairs of hint layers; none if order, type or size differ, and none for layers whose channels were pruned."""
    ours, theirs = _hint_layers(student), _hint_layers(teacher)
    if [(a.type, a.shape[1:]) for a in ours] != [(b.type, b.shape[1:]) for b in theirs]:
        return ()
    return tuple(HintPair(a.index, b.index) for a, b in zip(ours, theirs, strict=True) if a.shape == b.shape)


def _hint_layers(network: Network) -> list[Layer]:
    return [layer for layer in network.layers if layer.type in _HINT_TYPES]


def _matched(student: Sequence[Grid], teacher: Network) -> tuple[tuple[Grid, int], ...]:
    """Return the student's grids with the teacher's raw layers, in order; none if any pair differs."""
    try:
        others = grids(teacher)
    except CfgError:  # heads that cannot be trained still give boxes
        return ()
    if len(student) != len(others) or not all(a.agrees(b) for a, b in zip(student, others, strict=True)):
        return ()
    return tuple((a, b.raw) for a, b in zip(student, others, strict=True))


def _added(labels: Array, found: Array) -> Array:
    new = [box for box in found if not _known(labels[labels[:, 0] == box[0]], box)]
    return np.concatenate([labels, *(box[None] for box in new)]) if new else labels


def _known(labels: Array, box: Array) -> bool:
    return bool(len(labels)) and float(iou(box[1:], labels[:, 1:]).max()) > SAME_OBJECT
