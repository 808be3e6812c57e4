"""The loss of a student on a batch, by part, with its gradients."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from yolodsc.arrays import Array
from yolodsc.errors import OptionError
from yolodsc.network import Network
from yolodsc.training.data.batches import Batch
from yolodsc.training.finetune.settings import FinetuneSettings
from yolodsc.training.finetune.teacher import Teacher
from yolodsc.training.loss.distillation import head_loss, hint_loss
from yolodsc.training.loss.grid import grids
from yolodsc.training.loss.region import region_loss
from yolodsc.training.loss.targets import TargetBoxes
from yolodsc.training.loss.yolo import yolo_loss


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """Values by part (``heads``, ``features``, ``labels``), already weighted, and gradients by layer index."""

    parts: dict[str, float]
    gradients: dict[int, Array]

    @property
    def total(self) -> float:
        """The sum of all parts."""
        return sum(self.parts.values())


class Objective:
    """The weighted sum of the losses against teacher and labels.

    Attributes
    ----------
    outputs
        Indices of the student's layers whose outputs the losses read: heads (raw) and feature maps.
    """

    def __init__(self, student: Network, teacher: Teacher | None, settings: FinetuneSettings, *, threads: int = 1) -> None:
        self._grids = grids(student)
        self._teacher, self._settings = teacher, settings
        self._copied = teacher.heads if teacher and settings.heads else ()
        self._features = teacher.features if teacher and settings.features else ()
        self._boxes = teacher is not None and not teacher.heads
        self._label_weight = settings.labels or (1.0 if self._boxes else 0.0)
        if not self.parts:
            raise OptionError("nothing to learn from: expected heads, features or labels above 0")
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="loss")
        self.outputs = [*(grid.index for grid in self._grids), *(pair.student for pair in self._features)]

    @property
    def parts(self) -> tuple[str, ...]:
        """Descriptions of the parts."""
        boxes = ("the teacher's boxes",) if self._boxes else ()
        named = ((self._copied, "the teacher's heads"), (self._features, f"{len(self._features)} of its feature maps"))
        labels = ("labels",) if self._settings.labels else ()
        return (*(text for present, text in named if present), *boxes, *labels)

    def __call__(self, batch: Batch, outputs: dict[int, Array]) -> Loss:
        """Return the loss of the student's outputs by layer index on the batch."""
        loss = Loss({}, {index: np.zeros_like(out) for index, out in outputs.items()})
        terms = list(self._terms(batch, outputs))
        found = self._pool.map(lambda term: term.loss(), terms)  # results keep the order of the terms, so the sum does too
        for term, (value, gradient) in zip(terms, found, strict=True):
            loss.parts[term.part] = loss.parts.get(term.part, 0.0) + term.weight * value
            loss.gradients[term.index] += np.float32(term.weight) * gradient
        return loss

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _terms(self, batch: Batch, outputs: dict[int, Array]) -> Iterator["_Term"]:
        labels: Sequence[Array] = batch.labels
        if self._teacher:
            hints = self._teacher(batch.images)
            for grid, raw in self._copied:
                loss = partial(head_loss, grid, outputs[grid.index], hints[raw])
                yield _Term("heads", grid.index, self._settings.heads, loss)
            for pair in self._features:
                loss = partial(hint_loss, outputs[pair.student], hints[pair.teacher])
                yield _Term("features", pair.student, self._settings.features / len(self._features), loss)
            if self._boxes:
                labels = self._teacher.boxes(hints, labels)
        if self._label_weight:
            targets = TargetBoxes.joined(labels)
            for grid in self._grids:
                loss = partial(region_loss if grid.softmax else yolo_loss, grid, outputs[grid.index], targets)
                yield _Term("labels", grid.index, self._label_weight, loss)


@dataclass(frozen=True, slots=True)
class _Term:
    """One term of the sum: its part, the layer whose output it reads, its weight, and its loss."""

    part: str
    index: int
    weight: float
    loss: Callable[[], tuple[float, Array]]
