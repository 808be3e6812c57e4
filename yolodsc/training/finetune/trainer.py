"""The loop: batch, forward, loss, backward, step; checkpoints on the way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from yolodsc.arrays import Array
from yolodsc.errors import OptionError, YolodscError
from yolodsc.files import folder as made
from yolodsc.images import Geometry
from yolodsc.network import Network
from yolodsc.training.data.image_cache import Batch, Batches, ImageCache
from yolodsc.training.finetune.history import History
from yolodsc.training.finetune.objective import Loss, Objective
from yolodsc.training.finetune.settings import FinetuneSettings
from yolodsc.training.finetune.teacher import Teacher
from yolodsc.training.model.model import Statistics, TrainingModel
from yolodsc.training.model.reestimate import reestimate
from yolodsc.training.optimization.average import WeightAverage
from yolodsc.training.optimization.checkpoint import CHECKPOINT_FILE, Checkpoint, Stored, digest_of
from yolodsc.training.optimization.optimizer import clip, optimizer_named
from yolodsc.training.optimization.schedule import Schedule

CHECKPOINT_EVERY = 300.0
"""Seconds between checkpoints within an epoch."""

REESTIMATED = 512
"""Images from which batch norm's statistics are taken anew where they were live."""

TrainingProgress = Callable[[int, Loss], None]
"""Called after every step with the number of steps done and its loss."""


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """The trained network, of the student's own image size, and what happened."""

    network: Network
    history: History


class Trainer:
    """A student with everything that it learns from.

    Parameters
    ----------
    paths, labels
        Images, and (M, 5) objects of each (class, centre, size); no labels at all where none are used.
    geometry
        How images are fitted.
    folder
        For checkpoints and curves.
    resume
        Go on from the folder's checkpoint.

    Raises
    ------
    YolodscError
        Networks that don't fit each other, a layer without backward pass, a missing or foreign checkpoint.
    """

    def __init__(
        self,
        student: Network,
        settings: FinetuneSettings,
        *,
        paths: Sequence[str],
        folder: Path,
        labels: Sequence[Array] = (),
        teacher: Network | None = None,
        geometry: Geometry = "stretch",
        threads: int = 1,
        resume: bool = False,
    ) -> None:
        self.settings, self._student, self._folder, self._threads = settings, student, folder, threads
        side = (settings.size, settings.size) if settings.size else student.input_shape[1:]
        networks = (student, teacher) if teacher else (student,)
        decisive = asdict(settings) | {
            "labels": [own.tolist() for own in labels],
            "geometry": geometry,
            "profile": student.profile.name,
        }
        self._digest = digest_of(decisive, networks, list(paths))
        known = Stored.open(folder / CHECKPOINT_FILE, digest=self._digest) if resume else None
        small = (student.with_weights(known.weights(student.weights)) if known else student).resized(*side)
        self._teacher = Teacher(teacher.resized(*side), small, threads=threads) if teacher else None
        self._objective = Objective(small, self._teacher, settings, threads=threads)
        self._model = TrainingModel(
            small, outputs=self._objective.outputs, threads=threads, statistics=Statistics(settings.statistics)
        )
        self._optimizer = optimizer_named(
            settings.optimizer, self._model.parameters, decay=settings.decay, momentum=settings.momentum
        )
        self._average = WeightAverage(self._model.parameters, settings.average)
        shelf = ImageCache(paths, small.input_shape.channels, student.profile.exif)
        self._batches = Batches(
            shelf,
            labels,
            small.input_shape,
            geometry,
            settings.augmentation,
            min(settings.batch, len(paths)),
            settings.seed,
            threads,
        )
        self.steps = max(round(settings.epochs * self._batches.per_epoch), 1)
        self._schedule = Schedule(settings.schedule, settings.rate, self.steps, round(settings.warmup * self._batches.per_epoch))
        self.step, self.history, self._stopping = 0, History(), False
        if known:
            known.check(steps=self.steps, per_epoch=self.per_epoch)
            self.step, self.history = known.step, History(known.history)
            self._optimizer.restore(known.group("optimizer", self._optimizer.state()))
            self._average.restore(known.group("average", self._average.state()))

    @property
    def parts(self) -> tuple[str, ...]:
        """What the student learns from, in words."""
        return self._objective.parts

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch."""
        return self._batches.per_epoch

    def run(
        self,
        *,
        progress: TrainingProgress | None = None,
        validate: Callable[[Network], float] | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> Training:
        """Train to the end, with a checkpoint after every epoch and every few minutes.

        Parameters
        ----------
        validate
            From the network to its mean AP, called after every epoch.
        about
            What ``history.json`` says besides.
        """
        made(self._folder, error=OptionError)
        saved = monotonic()
        for loss in self._walk():
            ends = self.step % self.per_epoch == 0 or self.step == self.steps
            if ends:
                self._end_epoch(validate, about or {})
            if progress:
                progress(self.step, loss)
            if ends or self._stopping or monotonic() - saved > CHECKPOINT_EVERY:
                self.checkpoint()
                saved = monotonic()
            if self._stopping:
                raise KeyboardInterrupt
        return Training(self.network(), self.history)

    def stop(self) -> None:
        """Ask for an end after the present step: `run` then leaves a checkpoint and raises KeyboardInterrupt."""
        self._stopping = True

    def network(self) -> Network:
        """The student with averaged weights, where an average is kept, and live statistics as those weights make them."""
        present = self._model.network()
        if self.settings.average:
            present = self._average.network(present)
        if self.settings.statistics == "live":
            with closing(self._batches.between(0, min(REESTIMATED // self.settings.batch + 1, self.steps))) as batches:
                present = reestimate(present, (batch.images for batch in batches), threads=self._threads)
        return self._student.with_weights(present.weights)

    def checkpoint(self) -> None:
        """Put the state of the training on disk."""
        weights = [dict(own) for own in self._model.network().weights]
        state = Checkpoint(self._digest, self.step, weights, self._optimizer.state(), self._average.state(), self.history.state())
        state.write(self._folder / CHECKPOINT_FILE)

    def close(self) -> None:
        """End threads, give memory back."""
        self._model.close()
        self._objective.close()
        if self._teacher:
            self._teacher.close()

    def _walk(self) -> Iterator[Loss]:
        """Steps from where the training stands; state changes between two of them only."""
        with closing(self._batches.between(self.step, self.steps)) as batches:
            start = monotonic()
            for batch in batches:
                loss = self._step(batch)
                self.history.add(loss.parts, seconds=monotonic() - start, images=len(batch.images))
                self.step += 1
                yield loss
                start = monotonic()  # what others did meanwhile is not training

    def _step(self, batch: Batch) -> Loss:
        with np.errstate(over="ignore", invalid="ignore"):  # what explodes is told from the loss
            loss, norm = self._descend(batch)
        if not (np.isfinite(loss.total) and np.isfinite(norm)):
            raise YolodscError(f"step {batch.step}: the loss is no longer a number; wanted a lower --lr")
        return loss

    def _descend(self, batch: Batch) -> tuple[Loss, float]:
        outputs = self._model.forward(batch.images)
        loss = self._objective(batch, outputs)
        self._model.backward(loss.gradients)
        norm = clip(self._model.parameters, most=self.settings.clip)
        self._optimizer.step(rate=self._schedule.at(batch.step))
        self._average.update()
        return loss, norm

    def _end_epoch(self, validate: Callable[[Network], float] | None, about: Mapping[str, Any]) -> None:
        entry = self.history.close(step=self.step, rate=self._schedule.at(self.step - 1))
        if validate:
            entry["map"] = validate(self.network())
        self.history.write(self._folder, {"settings": asdict(self.settings), **about})
