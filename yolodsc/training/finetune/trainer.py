"""The training loop: batch, forward, loss, backward, step, and checkpoints."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from yolodsc.arrays import Array
from yolodsc.errors import OptionError, YolodscError
from yolodsc.files import folder as make_folder
from yolodsc.images import Geometry
from yolodsc.network import Network
from yolodsc.precision import Quantization
from yolodsc.training.data.batches import Batch, Batches
from yolodsc.training.data.image_cache import ImageCache
from yolodsc.training.finetune.digest import training_digest
from yolodsc.training.finetune.history import History
from yolodsc.training.finetune.objective import Loss
from yolodsc.training.finetune.objectives import Objectives
from yolodsc.training.finetune.settings import FinetuneSettings
from yolodsc.training.model.model import Statistics, TrainingModel
from yolodsc.training.model.reestimate import reestimate
from yolodsc.training.optimization.average import WeightAverage
from yolodsc.training.optimization.checkpoint import CHECKPOINT_FILE, Checkpoint, StoredCheckpoint
from yolodsc.training.optimization.optimizer import clip, optimizer_named
from yolodsc.training.optimization.schedule import Schedule
from yolodsc.training.quantization.learned import LearnedQuantization, calibrated_start, learned_arrays, restore_learned

CHECKPOINT_EVERY = 300.0
"""Seconds between checkpoints within an epoch."""

REESTIMATED = 512
"""Number of images for the final statistics of batch norm, if statistics are live."""

TrainingProgress = Callable[[int, Loss], None]
"""Called after every step with the number of completed steps and the loss."""

Score = Callable[[Network, Quantization | None], float]
"""Function from a network and its quantization to its mean AP."""


@dataclass(frozen=True, slots=True, eq=False)
class FinetuneResult:
    """The trained network, with the input size of the student, the history, and the quantization if it was trained in int8."""

    network: Network
    history: History
    quantization: Quantization | None = None


class Trainer:
    """A student network, and everything that it is trained with.

    Parameters
    ----------
    paths, labels
        Images, and the objects (M, 5) of each: class, centre, size. Empty without labels.
    geometry
        How images are fitted to the input.
    folder
        Folder for checkpoints and curves.
    resume
        Whether to continue from the checkpoint in the folder.
    quantization
        Of the student, if it is trained in int8: layers, zero points, and the scales and integers that training starts from.

    Raises
    ------
    YolodscError
        The networks do not match, a layer has no backward pass, or the checkpoint is missing or of another training.
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
        quantization: Quantization | None = None,
    ) -> None:
        self.settings, self._student, self._folder, self._threads = settings, student, folder, threads
        self._learned = _learned(settings, student, quantization)
        networks = (student, teacher) if teacher else (student,)
        self._digest = training_digest(settings, networks, paths, labels, geometry, quantization)
        stored = StoredCheckpoint.open(folder / CHECKPOINT_FILE, digest=self._digest) if resume else None
        side = (settings.size, settings.size) if settings.size else student.input_shape[1:]
        *arrays, scales = self._arrays(stored, quantization)
        learner = student.with_weights(arrays).resized(*side)
        self._objective = Objectives(learner, teacher, settings, threads=threads)
        statistics = Statistics(settings.statistics)
        self._model = TrainingModel(
            learner, outputs=self._objective.outputs, threads=threads, statistics=statistics, quantization=self._learned
        )
        parameters = self._model.parameters
        restore_learned(parameters, scales)
        self._optimizer = optimizer_named(settings.optimizer, parameters, decay=settings.decay, momentum=settings.momentum)
        self._average = WeightAverage(parameters, settings.average)
        cache = ImageCache(paths, learner.input_shape.channels, student.profile.exif)
        drawn = learner.input_shape, geometry, settings.augmentation, min(settings.batch, len(paths)), settings.seed
        self._batches = Batches(cache, labels, *drawn, threads, settings.multiscale)
        self.steps = max(round(settings.epochs * self._batches.per_epoch), 1)
        self._schedule = Schedule(settings.schedule, settings.rate, self.steps, round(settings.warmup * self._batches.per_epoch))
        self.step, self.history, self._stopping = 0, History(), False
        if stored:
            self._restore(stored)

    @property
    def parts(self) -> tuple[str, ...]:
        """Descriptions of what the student learns from."""
        return self._objective.parts

    @property
    def per_epoch(self) -> int:
        """Number of steps of an epoch."""
        return self._batches.per_epoch

    def run(
        self,
        *,
        progress: TrainingProgress | None = None,
        validate: Score | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> FinetuneResult:
        """Train to the end; write a checkpoint after every epoch and every few minutes.

        Parameters
        ----------
        validate
            Called after every epoch.
        about
            Further entries of ``history.json``.
        """
        make_folder(self._folder, error=OptionError)
        saved = monotonic()
        for loss in self._remaining():
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
        network = self.network()
        return FinetuneResult(network, self.history, self.quantization(network))

    def stop(self) -> None:
        """Request the end of the training: after the present step, `run` writes a checkpoint and raises KeyboardInterrupt."""
        self._stopping = True

    def network(self) -> Network:
        """Return the student with averaged weights, if weights are averaged, and with their statistics, if statistics are live."""
        network = self._model.network()
        if self.settings.average:
            network = self._average.network(network)
        if self.settings.statistics == "live":
            plain = replace(self._batches, multiscale=False, augmentation=replace(self.settings.augmentation, mosaic=0.0))
            with closing(plain.between(0, min(REESTIMATED // self.settings.batch + 1, self.steps))) as batches:
                network = reestimate(network, (batch.images for batch in batches), threads=self._threads)
        return self._student.with_weights(network.weights)

    def quantization(self, network: Network) -> Quantization | None:
        """Return the quantization of what `network` returns, with averaged scales if weights are averaged."""
        if self._learned is None:
            return None
        parameters = self._model.parameters
        values = self._average.values() if self.settings.average else {(p.layer, p.name): p.value for p in parameters}
        about = {"method": "quantization-aware fine-tuning", "steps": str(self.step), "seed": str(self.settings.seed)}
        return self._learned.quantization(network, values, about)

    def checkpoint(self) -> None:
        """Write the state of the training to disk."""
        weights = [dict(arrays) for arrays in self._model.network().weights] + [learned_arrays(self._model.parameters)]
        state = Checkpoint(self._digest, self.step, weights, self._optimizer.state(), self._average.state(), self.history.state())
        state.write(self._folder / CHECKPOINT_FILE)

    def close(self) -> None:
        """End threads and release memory."""
        self._model.close()
        self._objective.close()

    def _arrays(self, stored: StoredCheckpoint | None, quantization: Quantization | None) -> list[dict[str, Array]]:
        """Arrays of every layer at the first step of this run, then the learned scales."""
        student = calibrated_start(self._student, quantization) if quantization else self._student
        start = [*map(dict, student.weights), self._learned.initial() if self._learned else {}]
        return stored.weights(start) if stored else start

    def _restore(self, stored: StoredCheckpoint) -> None:
        stored.check(steps=self.steps, per_epoch=self.per_epoch)
        self.step, self.history = stored.step, History(stored.history)
        self._optimizer.restore(stored.group("optimizer", self._optimizer.state()))
        self._average.restore(stored.group("average", self._average.state()))

    def _remaining(self) -> Iterator[Loss]:
        """Run the remaining steps and yield their losses; between two steps the state is consistent."""
        with closing(self._batches.between(self.step, self.steps)) as batches:
            start = monotonic()
            for batch in batches:
                loss = self._step(batch)
                self.history.add(loss.parts, seconds=monotonic() - start, images=len(batch.images))
                self.step += 1
                yield loss
                start = monotonic()  # the time of the caller does not count

    def _step(self, batch: Batch) -> Loss:
        with np.errstate(over="ignore", invalid="ignore"):  # divergence is detected from the loss
            loss, norm = self._update(batch)
        if not (np.isfinite(loss.total) and np.isfinite(norm)):
            raise YolodscError(f"step {batch.step}: the loss is not finite; expected a lower rate than {self.settings.rate:g}")
        return loss

    def _update(self, batch: Batch) -> tuple[Loss, float]:
        outputs = self._model.forward(batch.images)
        loss = self._objective(batch, outputs)
        self._model.backward(loss.gradients)
        norm = clip(self._model.parameters, max_norm=self.settings.clip)
        self._optimizer.step(rate=self._schedule.at(batch.step))
        self._average.update()
        return loss, norm

    def _end_epoch(self, validate: Score | None, about: Mapping[str, Any]) -> None:
        entry = self.history.close(step=self.step, rate=self._schedule.at(self.step - 1))
        if validate:
            network = self.network()
            entry["map"] = validate(network, self.quantization(network))
        self.history.write(self._folder, {"settings": asdict(self.settings), **about})


def _learned(settings: FinetuneSettings, student: Network, quantization: Quantization | None) -> LearnedQuantization | None:
    if (settings.precision == "int8") != (quantization is not None):
        expected = "a quantization with precision=int8, and none otherwise"
        raise OptionError(f"precision={settings.precision}: expected {expected}", parameter="precision")
    return LearnedQuantization(student, quantization) if quantization else None
