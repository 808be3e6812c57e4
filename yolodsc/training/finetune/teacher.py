"""What the teacher has to say: logits and maps to copy where both networks agree, boxes where they don't.

The teacher never learns, so that it runs on the engine, an image at a time.
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
"""Least score of a teacher's box that serves as a label."""
SAME_OBJECT = 0.5
"""Overlap beyond which a teacher's box of the same class says nothing new."""
_LANDMARKS = frozenset({"maxpool", "shortcut", "avgpool", "reorg", "scale_channels", "upsample"})
"""Layers that decomposition leaves as they are; convolutions between them may be one or three."""


@dataclass(frozen=True, slots=True)
class HintPair:
    """Indices of two layers that should put out the same: heads by their raw layers, or maps."""

    student: int
    teacher: int


class Teacher:
    """A trained network beside a student, both for images of one size.

    Attributes
    ----------
    heads
        (the student's grid, raw layer of the teacher), empty where their heads differ: then boxes must do.
    features
        Maps of equal shape at landmarks of equal order.

    Raises
    ------
    OptionError
        The networks know different numbers of classes.
    """

    def __init__(self, network: Network, student: Network, *, threads: int) -> None:
        ours, theirs = reported_classes(student), reported_classes(network)
        if ours != theirs:
            raise OptionError(f"--teacher: knows {theirs} classes; wanted the student's {ours}")
        if network.input_shape != student.input_shape:
            raise OptionError(f"--teacher: reads images of {network.input_shape}, the student of {student.input_shape}")
        self.network = network
        self.heads = _matched(grids(student), network)
        self.features = features(student, network)
        wanted = [raw for _, raw in self.heads] or [head.index for head in network.heads]
        self._runner = engine.compile(network, threads=threads, outputs=[*wanted, *(pair.teacher for pair in self.features)])

    def __call__(self, images: Array) -> dict[int, Array]:
        """Outputs by layer index, (N, C, H, W) each, of (N, C, H, W)."""
        return self._runner(images)

    def boxes(self, outputs: dict[int, Array], labels: Sequence[Array]) -> list[Array]:
        """Labels (M, 5) of every image with the teacher's boxes beside them, but for those of objects that are labelled."""
        return [
            _added(own, self._boxes({head.index: outputs[head.index][n] for head in self.network.heads}))
            for n, own in enumerate(labels)
        ]

    def close(self) -> None:
        """Give the runner's memory back."""
        self._runner.close()

    def _boxes(self, outputs: dict[int, Array]) -> Array:
        """(M, 5): class, centre, size of what the teacher finds in one image."""
        heads, image = self.network.heads, self.network.input_shape
        found = concatenated([head.decode(outputs[head.index], input_shape=image, thresh=BOX_SCORE) for head in heads])
        found = nms(found, kind="default", thresh=self.network.profile.nms_thresh, beta=0.6)
        n, kind = np.nonzero(found.probabilities > BOX_SCORE)
        return within(np.concatenate([kind[:, None], found.boxes_xywh[n]], axis=1).astype(np.float32))


def features(student: Network, teacher: Network) -> tuple[HintPair, ...]:
    """Pairs of landmarks; none where their order, kind or shape differ."""
    ours, theirs = _landmarks(student), _landmarks(teacher)
    if [(a.type, a.shape) for a in ours] != [(b.type, b.shape) for b in theirs]:
        return ()
    return tuple(HintPair(a.index, b.index) for a, b in zip(ours, theirs, strict=True))


def _landmarks(network: Network) -> list[Layer]:
    return [layer for layer in network.layers if layer.type in _LANDMARKS]


def _matched(own: Sequence[Grid], teacher: Network) -> tuple[tuple[Grid, int], ...]:
    """The student's grids with the teacher's raw layers, in order; all of them, or none."""
    try:
        others = grids(teacher)
    except CfgError:  # heads that are not trained here can still tell boxes
        return ()
    if len(own) != len(others) or not all(a.agrees(b) for a, b in zip(own, others, strict=True)):
        return ()
    return tuple((a, b.raw) for a, b in zip(own, others, strict=True))


def _added(labels: Array, found: Array) -> Array:
    new = [box for box in found if not _known(labels[labels[:, 0] == box[0]], box)]
    return np.concatenate([labels, *(box[None] for box in new)]) if new else labels


def _known(labels: Array, box: Array) -> bool:
    return bool(len(labels)) and float(iou(box[1:], labels[:, 1:]).max()) > SAME_OBJECT
