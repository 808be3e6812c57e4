"""``yolodsc finetune``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from yolodsc.cli import options
from yolodsc.cli.network_files import class_list
from yolodsc.cli.outputs import ensure_writable, save_network
from yolodsc.cli.signals import advice_on_interrupt, stop_gracefully
from yolodsc.cli.terminal import log, note, say
from yolodsc.cli.training_options import AugmentationOptions, LossOptions, OptimizerOptions, training_settings
from yolodsc.darknet import profile_named
from yolodsc.detection import ModelFiles, default_geometry, read_network, reported_classes, resolve_model
from yolodsc.errors import OptionError
from yolodsc.evaluation import InputReport, read_voc
from yolodsc.files import exists
from yolodsc.network import Network
from yolodsc.training import (
    CHECKPOINT_FILE,
    FinetuneSettings,
    Loss,
    Trainer,
    TrainingProgress,
    Validation,
    initialize_weights,
    read_labels,
    training_images,
)
from yolodsc.values import Value

NetworkWords = list[str]
"""One word that names a network, or a .cfg and a .weights file."""


class StartOptions(Value, kw_only=True):
    """The networks and images, and where training starts and its results go."""

    student: Annotated[
        NetworkWords, typer.Option(metavar="NETWORK", help="Network to train: a name, directory or file, or CFG WEIGHTS.")
    ]
    images: Annotated[str, typer.Option(metavar="DIR|LIST", help="Directory or list of images to train on.")]
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for the trained network, checkpoints and curves.")]
    teacher: Annotated[
        NetworkWords | None, typer.Option(metavar="NETWORK", help="Network to learn from, named as the student.")
    ] = None
    labels: Annotated[bool, typer.Option("--labels", help="Learn from Darknet label files too.")] = False
    resume: Annotated[bool, typer.Option("--resume", help="Continue the interrupted training in --out.")] = False
    scratch: Annotated[bool, typer.Option("--scratch", help="Start from random weights; the student's are not read.")] = False

    def ensure_consistent(self) -> None:
        """Raise an `OptionError` if a network has more than two words, or if there is nothing to learn from."""
        for option, words in (("--student", self.student), ("--teacher", self.teacher or [])):
            if len(words) > 2:
                raise OptionError(f"{option} {' '.join(words)}: expected one network, as NETWORK or CFG WEIGHTS")
        if not self.teacher and not self.labels:
            raise OptionError("nothing to learn from; expected --teacher NETWORK, --labels, or both")

    @property
    def student_files(self) -> ModelFiles:
        """Files of the student; with ``--scratch`` the .cfg file needs no weights."""
        alone = self.scratch and len(self.student) == 1 and self.student[0].lower().endswith(".cfg")
        return _files([*self.student, *self.student] if alone else self.student, parameter="student")

    @property
    def teacher_files(self) -> ModelFiles | None:
        """Files of the teacher."""
        return _files(self.teacher, parameter="teacher") if self.teacher else None


def finetune(
    *,
    start: StartOptions,
    training: OptimizerOptions,
    size: Annotated[
        int | None, typer.Option(min=32, help="Side of the square images that are trained on.", show_default="the student's input")
    ] = None,
    loss: LossOptions,
    changes: AugmentationOptions,
    name: Annotated[str | None, typer.Option(help="Stem of the new files.", show_default="STUDENT-finetuned")] = None,
    names: options.NamesFile = None,
    val: Annotated[str | None, typer.Option(metavar="VOC:SET", help="Image set to score after every epoch.")] = None,
    profile: options.ProfileName = "alexeyab",
    threads: options.WorkThreads = None,
    quiet: options.Quiet = False,
) -> int:
    """Train a network further, from a teacher, from labels, or both."""
    start.ensure_consistent()
    threads, _ = options.cores(threads, quiet=quiet)
    student, teacher = start.student_files, start.teacher_files
    stem = name or f"{student.cfg.stem}-finetuned"
    _ensure_startable(start.out, stem, resume=start.resume)
    learner = _learner(student, profile, scratch=start.scratch, seed=training.seed)
    settings = training_settings(training, loss, changes, student=learner, size=size, labels=start.labels)
    known = names or student.names or (teacher.names if teacher else None)
    validation = _validation(val, class_list(known, learner), threads=threads)
    trainer = _trainer(start, learner, settings, profile=profile, threads=threads, quiet=quiet)
    try:
        kept = f"step {{}} of {trainer.steps} is saved in {start.out}/; the same command with --resume continues"
        with (
            advice_on_interrupt(lambda: kept.format(trainer.step), quiet=quiet),
            _progress(trainer, quiet) as report,
            stop_gracefully(trainer.stop),
        ):
            result = trainer.run(progress=report, validate=validation, about={"command": " ".join(sys.argv[1:])})
    finally:
        trainer.close()
    save_network(result.network, start.out, stem, known)
    if not quiet:
        say(_epoch_line(result.history.epochs[-1]))
        note(f"wrote {start.out / stem}.cfg and .weights{' and .names' if known else ''}, checkpoint and history to {start.out}/")
    return 0


def _trainer(
    start: StartOptions, learner: Network, settings: FinetuneSettings, *, profile: str, threads: int, quiet: bool
) -> Trainer:
    """The trainer, with images and labels read."""
    paths = training_images(start.images)
    objects, missing = read_labels(paths, classes=reported_classes(learner)) if start.labels else ([], 0)
    if missing and not quiet:
        log(f"{missing} of {len(paths)} images have no label file: taken to hold no object")
    return Trainer(
        learner,
        settings,
        paths=paths,
        labels=objects,
        teacher=read_network(start.teacher_files, profile=profile) if start.teacher_files else None,
        geometry=default_geometry(learner),
        folder=start.out,
        threads=threads,
        resume=start.resume,
    )


def _files(words: NetworkWords, *, parameter: str) -> ModelFiles:
    """The files of a network that one word names, or two."""
    try:
        return resolve_model(*words)
    except OptionError as error:
        raise OptionError(str(error).replace("model=", f"--{parameter} ", 1)) from None


def _learner(files: ModelFiles, profile: str, *, scratch: bool, seed: int) -> Network:
    from yolodsc.darknet import read_cfg

    if not scratch:
        return read_network(files, profile=profile)
    built = (
        read_network(files, profile=profile)
        if files.archive
        else Network.build(read_cfg(files.cfg), profile=profile_named(profile))
    )
    return initialize_weights(built, seed=seed)


def _ensure_startable(out: Path, stem: str, *, resume: bool) -> None:
    """Raise an `OptionError` if the run would overwrite a network or another training."""
    ensure_writable(out, stem)
    if not resume and exists(out / CHECKPOINT_FILE):
        raise OptionError(f"{out / CHECKPOINT_FILE}: of another training; expected --resume or another --out")


def _validation(val: str | None, classes: tuple[str, ...], *, threads: int) -> Validation | None:
    """The image set of ``--val TREE:SET``, with classes in the network's order."""
    if val is None:
        return None
    tree, _, image_set = val.rpartition(":")
    if not tree:
        raise OptionError(f"--val {val}: expected TREE:SET, such as VOCdevkit/VOC2007:test")
    report = InputReport()
    if not classes:
        raise OptionError("--val: the classes have no names; expected --names F")
    return Validation(read_voc(Path(tree), image_set, report, names=classes), classes, threads)


@contextmanager
def _progress(trainer: Trainer, quiet: bool) -> Iterator[TrainingProgress | None]:
    """A progress bar on a terminal, a line for each epoch elsewhere."""
    if quiet:
        yield None
        return
    log(f"learning from {', '.join(trainer.parts)}; {trainer.steps} steps")
    if not sys.stderr.isatty():
        yield lambda step, loss: _log_epoch(trainer)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=trainer.steps, completed=trainer.step)

        def report(step: int, loss: Loss) -> None:
            bar.update(task, completed=step, description=f"loss {loss.total:.3f}")
            _log_epoch(trainer)

        yield report


def _log_epoch(trainer: Trainer) -> None:
    """Log a line at the end of each epoch but the last, which is reported with the files."""
    if trainer.step % trainer.per_epoch == 0 and trainer.step < trainer.steps:
        log(_epoch_line(trainer.history.epochs[-1]))


def _epoch_line(entry: dict[str, Any]) -> str:
    parts = ", ".join(f"{name} {entry[name]:.4f}" for name in ("heads", "features", "labels") if name in entry)
    scored = f", mAP {100 * entry['map']:.2f}" if "map" in entry else ""
    return f"epoch {entry['epoch']:g}: loss {entry['total']:.4f} ({parts}){scored}, {entry['pictures_per_second']:.1f} images/s"
