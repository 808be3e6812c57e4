"""``yolodsc finetune``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from yolodsc.cli import options
from yolodsc.cli.ground_truth import tree_and_set
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
from yolodsc.precision import write_quantization
from yolodsc.training import (
    CHECKPOINT_FILE,
    FinetuneSettings,
    Loss,
    Trainer,
    TrainingProgress,
    Validation,
    initialize_weights,
    read_labels,
    starting_quantization,
    training_images,
)
from yolodsc.values import Value

Reader = partial[Network]
"""Reads the network of some files, with the options of the command."""

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
    precision: Annotated[
        str, typer.Option(metavar="P", help="Precision to train for: f32, or int8 with learned scales (by default from itself).")
    ] = "f32"

    def ensure_consistent(self) -> None:
        """Raise an `OptionError` if a network has more than two words, or if there is nothing to learn from."""
        for option, words in (("--student", self.student), ("--teacher", self.teacher or [])):
            if len(words) > 2:
                raise OptionError(f"{option} {' '.join(words)}: expected one network, as NETWORK or CFG WEIGHTS")
        if self.precision == "int8" and self.scratch:
            raise OptionError("--precision int8 --scratch: expected a trained network")
        if self.teachers is None and not self.labels:
            raise OptionError("nothing to learn from; expected --teacher NETWORK, --labels, or both")

    @property
    def student_files(self) -> ModelFiles:
        """Files of the student; with ``--scratch`` the .cfg file needs no weights."""
        alone = self.scratch and len(self.student) == 1 and self.student[0].lower().endswith(".cfg")
        return _files([*self.student, *self.student] if alone else self.student, parameter="student")

    @property
    def teachers(self) -> NetworkWords | None:
        """Words that name the teacher: in int8 the student itself, unless there is another source to learn from."""
        return self.student if self.precision == "int8" and not self.teacher and not self.labels else self.teacher

    @property
    def teacher_files(self) -> ModelFiles | None:
        """Files of the teacher."""
        return _files(self.teachers, parameter="teacher") if self.teachers else None

    @property
    def endings(self) -> tuple[str, ...]:
        """Endings of the files that are written besides the network."""
        return ("quant.npz",) if self.precision == "int8" else ()


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
    allow_nonfinite: options.AllowNonfinite = False,
    threads: options.WorkThreads = None,
    quiet: options.Quiet = False,
) -> int:
    """Train a network further, from a teacher, from labels, or both."""
    start.ensure_consistent()
    threads, _ = options.cores(threads, quiet=quiet)
    student, teacher = start.student_files, start.teacher_files
    stem = name or f"{student.cfg.stem}-finetuned"
    _ensure_startable(start, stem)
    read = partial(read_network, profile=profile, allow_nonfinite=allow_nonfinite)
    learner = _learner(student, read, scratch=start.scratch, seed=training.seed)
    settings = training_settings(training, loss, changes, learner, size=size, labels=start.labels, precision=start.precision)
    known = names or student.names or (teacher.names if teacher else None)
    validation = _validation(val, class_list(known, learner), threads=threads)
    trainer = _trainer(start, learner, settings, read=read, threads=threads, quiet=quiet)
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
    if result.quantization:
        write_quantization(start.out / f"{stem}.quant.npz", result.network, result.quantization)
    if not quiet:
        say(_epoch_line(result.history.epochs[-1]))
        files = ", ".join([".weights", *([".names"] if known else []), *(f".{ending}" for ending in start.endings)])
        note(f"wrote {start.out / stem}.cfg, {files}, checkpoint and history to {start.out}/")
    return 0


def _trainer(
    start: StartOptions, learner: Network, settings: FinetuneSettings, *, read: Reader, threads: int, quiet: bool
) -> Trainer:
    """The trainer, with images and labels read."""
    paths = training_images(start.images)
    objects, missing = read_labels(paths, classes=reported_classes(learner)) if start.labels else ([], 0)
    if missing and not quiet:
        log(f"{missing} of {len(paths)} images have no label file: taken to hold no object")
    quantization = None
    if settings.precision == "int8":
        if not quiet and not start.resume:
            log("the start in int8: the quantization beside the student, or calibration")
        where = start.student_files.paths, paths, start.out
        quantization = starting_quantization(learner, *where, threads=threads, seed=settings.seed, resume=start.resume)
    return Trainer(
        learner,
        settings,
        paths=paths,
        labels=objects,
        teacher=read(start.teacher_files) if start.teacher_files else None,
        geometry=default_geometry(learner),
        folder=start.out,
        threads=threads,
        resume=start.resume,
        quantization=quantization,
    )


def _files(words: NetworkWords, *, parameter: str) -> ModelFiles:
    """The files of a network that one word names, or two."""
    try:
        return resolve_model(*words)
    except OptionError as error:
        raise OptionError(str(error).replace("model=", f"--{parameter} ", 1)) from None


def _learner(files: ModelFiles, read: Reader, *, scratch: bool, seed: int) -> Network:
    from yolodsc.darknet import read_cfg

    if not scratch:
        return read(files)
    built = read(files) if files.archive else Network.build(read_cfg(files.cfg), profile=profile_named(read.keywords["profile"]))
    return initialize_weights(built, seed=seed)


def _ensure_startable(start: StartOptions, stem: str) -> None:
    """Raise an `OptionError` if the run would overwrite a network or another training."""
    ensure_writable(start.out, stem, *start.endings)
    checkpoint = start.out / CHECKPOINT_FILE
    if not start.resume and exists(checkpoint):
        raise OptionError(f"{checkpoint}: of another training; expected --resume or another --out")


def _validation(val: str | None, classes: tuple[str, ...], *, threads: int) -> Validation | None:
    """The image set of ``--val TREE:SET``, with classes in the network's order."""
    if val is None:
        return None
    tree, image_set = tree_and_set(val)
    report = InputReport()
    if not classes:
        raise OptionError("--val: the classes have no names; expected --names F")
    return Validation(read_voc(tree, image_set, report, names=classes), classes, threads)


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
