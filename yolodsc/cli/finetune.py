"""``yolodsc finetune``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from yolodsc.cli import options
from yolodsc.cli.signals import gently
from yolodsc.cli.terminal import log, say
from yolodsc.darknet import profile_named
from yolodsc.detection import default_geometry, names_beside, reported_classes
from yolodsc.errors import OptionError
from yolodsc.evaluation import InputReport, read_voc
from yolodsc.files import exists
from yolodsc.network import Network
from yolodsc.training import (
    CHECKPOINT_FILE,
    Augmentation,
    FinetuneSettings,
    Loss,
    Trainer,
    TrainingProgress,
    Validation,
    initialize_weights,
    read_labels,
    training_images,
)

Pair = tuple[Path, Path]


def finetune(
    student: Annotated[Pair, typer.Option(metavar="CFG WEIGHTS", help="The network that learns.")],
    images: Annotated[str, typer.Option(metavar="DIR|LIST", help="Images to learn from.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the pair, checkpoints and curves go.")],
    teacher: Annotated[Pair | None, typer.Option(metavar="CFG WEIGHTS", help="The network to learn from.")] = None,
    labels: Annotated[bool, typer.Option("--labels", help="Learn from Darknet label files too.")] = False,
    epochs: Annotated[float, typer.Option(help="Passes over the images.")] = 10,
    lr: Annotated[float, typer.Option(help="Highest learning rate.")] = 1e-4,
    batch: Annotated[int, typer.Option(min=1, help="Images a step.")] = 32,
    size: Annotated[int | None, typer.Option(min=32, help="Side of the images; the student's input unless given.")] = None,
    name: Annotated[str | None, typer.Option(help="Stem of the new files.")] = None,
    names: options.NamesFile = None,
    val: Annotated[str | None, typer.Option(metavar="VOC:SET", help="Score on this image set after every epoch.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the training in --out was interrupted.")] = False,
    scratch: Annotated[bool, typer.Option("--scratch", help="Begin with random weights; WEIGHTS is not read.")] = False,
    optimizer: Annotated[str, typer.Option(help="adam or sgd.")] = "adam",
    momentum: Annotated[float, typer.Option(help="Of sgd; adam's beta1.")] = 0.9,
    decay: Annotated[float, typer.Option(help="Weight decay of kernels.")] = 5e-4,
    schedule: Annotated[str, typer.Option(help="cosine or steps.")] = "cosine",
    warmup: Annotated[float, typer.Option(min=0, help="Epochs in which the rate rises.")] = 0.25,
    average: Annotated[float, typer.Option(help="Decay of the average of weights that is saved; 0 saves the last ones.")] = 0.998,
    clip: Annotated[float, typer.Option(min=0, help="Greatest norm of all gradients; 0: any.")] = 10.0,
    heads: Annotated[float, typer.Option(min=0, help="Weight of the teacher's heads.")] = 1.0,
    features: Annotated[float, typer.Option(min=0, help="Weight of the teacher's maps.")] = 1.0,
    label_weight: Annotated[float, typer.Option(min=0, help="Weight of the labels.")] = 0.1,
    statistics: Annotated[str, typer.Option(help="Of batch norm: frozen or live.")] = "frozen",
    flip: Annotated[bool, typer.Option(help="Mirror half of the images.")] = True,
    jitter: Annotated[float, typer.Option(min=0, max=0.45, help="Share by which sides move.")] = 0.2,
    hue: Annotated[float, typer.Option(min=0, max=0.5, help="Greatest turn of the hue.")] = 0.1,
    saturation: Annotated[float, typer.Option(min=1, help="Greatest factor of the saturation.")] = 1.5,
    exposure: Annotated[float, typer.Option(min=1, help="Greatest factor of the value.")] = 1.5,
    sharpen: Annotated[float, typer.Option(min=0, help="Greatest sharpening; 1.2 for images that were shrunk with smoothing.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of order, augmentation, initial weights.")] = 0,
    profile: options.ProfileName = "alexeyab",
    threads: options.Threads = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> int:
    """Train a network further, from a teacher, from labels, or both."""
    for option, pair in (("--student", student), ("--teacher", teacher)):
        if pair is not None and str(pair[1]).startswith("--"):
            raise OptionError(f"{option} {pair[0]}: wanted CFG WEIGHTS, found {pair[1]} for the weights")
    if teacher is None and not labels:
        raise OptionError("nothing to learn from; wanted --teacher CFG WEIGHTS, --labels, or both")
    settings = FinetuneSettings(
        epochs=epochs, batch=batch, rate=lr, size=size, optimizer=optimizer, momentum=momentum, decay=decay, schedule=schedule,
        warmup=warmup, average=average, clip=clip, heads=heads, features=features, labels=label_weight if labels else 0.0,
        statistics=statistics, augmentation=Augmentation(flip, jitter, hue, saturation, exposure, sharpen), seed=seed,
    )  # fmt: skip
    threads, _ = options.cores(threads, quiet=quiet)
    stem = name or f"{student[0].stem}-finetuned"
    _free(out, stem, resume=resume)
    learner = _learner(student, profile, scratch=scratch, seed=seed)
    known = names or names_beside(*student) or (names_beside(*teacher) if teacher else None)
    validation = _validation(val, options.classes(known, learner), threads=threads)
    paths = training_images(images)
    objects, missing = read_labels(paths, classes=reported_classes(learner)) if labels else ([], 0)
    if missing and not quiet:
        log(f"{missing} of {len(paths)} images have no label file: taken to hold no object")
    trainer = Trainer(
        learner,
        settings,
        paths=paths,
        labels=objects,
        teacher=Network.load(*teacher, profile=profile_named(profile)) if teacher else None,
        geometry=default_geometry(learner),
        folder=out,
        threads=threads,
        resume=resume,
    )
    try:
        with _progress(trainer, quiet) as tell, gently(trainer.stop):
            result = trainer.run(progress=tell, validate=validation, about={"command": " ".join(sys.argv[1:])})
    finally:
        trainer.close()
    options.save(result.network, out, stem, known)
    if not quiet:
        say(f"{out / stem}.cfg .weights: {_said(result.history.epochs[-1])}")
    return 0


def _learner(files: Pair, profile: str, *, scratch: bool, seed: int) -> Network:
    from yolodsc.darknet import read_cfg

    if scratch:
        return initialize_weights(Network.build(read_cfg(files[0]), profile=profile_named(profile)), seed=seed)
    return Network.load(*files, profile=profile_named(profile))


def _free(out: Path, stem: str, *, resume: bool) -> None:
    """Neither a pair nor another training is overwritten."""
    options.free(out, stem)
    if not resume and exists(out / CHECKPOINT_FILE):
        raise OptionError(f"{out / CHECKPOINT_FILE}: of another training; wanted --resume or another --out")


def _validation(val: str | None, classes: tuple[str, ...], *, threads: int) -> Validation | None:
    """What ``--val TREE:SET`` names, in the order of the network's classes."""
    if val is None:
        return None
    tree, _, chosen = val.rpartition(":")
    if not tree:
        raise OptionError(f"--val {val}: wanted TREE:SET, such as VOCdevkit/VOC2007:test")
    report = InputReport()
    if not classes:
        raise OptionError("--val: the classes have no names; wanted --names F")
    return Validation(read_voc(Path(tree), chosen, report, names=classes), classes, threads)


@contextmanager
def _progress(trainer: Trainer, quiet: bool) -> Iterator[TrainingProgress | None]:
    """A bar on a terminal, a line an epoch elsewhere."""
    if quiet:
        yield None
        return
    log(f"learning from {', '.join(trainer.parts)}; {trainer.steps} steps")
    if not sys.stderr.isatty():
        yield lambda step, loss: _line(trainer)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=trainer.steps, completed=trainer.step)

        def tell(step: int, loss: Loss) -> None:
            bar.update(task, completed=step, description=f"loss {loss.total:.3f}")
            _line(trainer)

        yield tell


def _line(trainer: Trainer) -> None:
    """Printed when an epoch ends, but for the last, whose line comes with the files."""
    if trainer.step % trainer.per_epoch == 0 and trainer.step < trainer.steps:
        log(_said(trainer.history.epochs[-1]))


def _said(entry: dict[str, Any]) -> str:
    parts = ", ".join(f"{name} {entry[name]:.4f}" for name in ("heads", "features", "labels") if name in entry)
    scored = f", mAP {100 * entry['map']:.2f}" if "map" in entry else ""
    return f"epoch {entry['epoch']:g}: loss {entry['total']:.4f} ({parts}){scored}, {entry['images_per_second']:.1f} images/s"
