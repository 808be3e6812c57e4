"""``yolodsc optimize``."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Annotated, cast

import typer

from yolodsc.cli import options
from yolodsc.cli.ground_truth import GroundTruthOptions, tree_and_set
from yolodsc.cli.network_files import class_list, model_files
from yolodsc.cli.outputs import ensure_directory_possible, save_network
from yolodsc.cli.progress import fitting_progress
from yolodsc.cli.signals import advice_on_interrupt
from yolodsc.cli.tables.optimization import optimization_lines
from yolodsc.cli.terminal import log, note, say
from yolodsc.detection import image_paths, listed_names, read_network
from yolodsc.errors import OptionError
from yolodsc.evaluation import Dataset, InputReport, require_matplotlib, with_network_classes
from yolodsc.files import exists
from yolodsc.optimize import (
    JOURNAL_NAME,
    KINDS,
    LabelledImages,
    Measurement,
    Optimization,
    OptimizeSettings,
    PrecisionKind,
    peer_milliseconds,
    write_optimization_report,
)
from yolodsc.optimize import optimize as optimize_network
from yolodsc.precision import write_quantization
from yolodsc.values import Value

RUN_FOLDER = "run"
"""Directory within --out of the journal and of the networks that are made on the way."""


class GoalOptions(Value, kw_only=True):
    """What the network must reach, and how it is searched."""

    budget_ms: Annotated[
        float | None, typer.Option(metavar="MS", help="Milliseconds for each image: the best network within them is chosen.")
    ] = None
    keep: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Share of the quality to keep: the fastest such network is chosen.", show_default=".99"),
    ] = None
    precisions: Annotated[
        str, typer.Option(metavar="P,P", help="Precisions to search: f32, bf16, mixed (int8 and bf16), int8.")
    ] = "f32,bf16,mixed,int8"
    finetune: Annotated[
        float, typer.Option("--finetune", metavar="EPOCHS", help="Fine-tune with the original as teacher, for so many epochs.")
    ] = 0.0
    minutes: Annotated[float, typer.Option(help="Time limit of the search without fine-tuning.")] = 18.0
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampled images and positions.")] = 0

    def settings(self, *, threads: int, workers: int) -> OptimizeSettings:
        """The settings of the library."""
        precisions = tuple(part for part in self.precisions.split(",") if part)
        unknown = [part for part in precisions if part not in KINDS]
        if unknown or not precisions:
            raise OptionError(f"--precisions {self.precisions}: expected some of {','.join(KINDS)}")
        return OptimizeSettings(
            budget_ms=self.budget_ms,
            keep=0.99 if self.keep is None and self.budget_ms is None else self.keep,
            precisions=cast("tuple[PrecisionKind, ...]", precisions),
            epochs=self.finetune,
            minutes=self.minutes,
            seed=self.seed,
            threads=threads,
            workers=workers,
        )


class LabelOptions(Value, kw_only=True):
    """Labelled images, on which the mean AP is the quality."""

    val: Annotated[
        str | None, typer.Option(metavar="TREE:SET", help="Image set of a VOC tree, such as VOCdevkit/VOC2007:test.")
    ] = None
    data: Annotated[
        Path | None, typer.Option(metavar="F|DIR", help="Dataset: .data, YAML or COCO's JSON file, or a directory.")
    ] = None
    rule: Annotated[str, typer.Option(metavar="R", help="Rule of the mean AP, as in `yolodsc evaluate`.")] = "voc10"

    def read(self, names: tuple[str, ...]) -> LabelledImages | None:
        """The images; None if no option names some."""
        if self.val is None and self.data is None:
            return None
        if self.val is not None and self.data is not None:
            raise OptionError("--val and --data name two sets of labelled images; expected one")
        if not names:
            raise OptionError("the classes have no names, which labels need; expected --names F")
        tree, image_set = (None, None) if self.val is None else tree_and_set(self.val)
        source = GroundTruthOptions(voc=tree, image_set=image_set, data=self.data)
        source.ensure_present()
        report = InputReport()
        dataset: Dataset = with_network_classes(source.read(report, network_names=names), names, report)
        for text in report.notes:
            note(text)
        return LabelledImages(dataset, names, self.rule)


def optimize(
    *,
    network: options.NetworkOptions,
    names: options.NamesFile = None,
    images: Annotated[str, typer.Option(metavar="DIR|LIST", help="Directory or list of unlabelled images like those to come.")],
    labels: LabelOptions,
    goal: GoalOptions,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for the network, the report and the search's journal.")],
    name: Annotated[str | None, typer.Option(help="Stem of the new files.", show_default="CFG-optimized")] = None,
    count: Annotated[int, typer.Option(min=10, metavar="N", help="Number of images for fits and agreement.")] = 300,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the search in --out, perhaps with another goal.")] = False,
    profile: options.ProfileName = "alexeyab",
    threads: options.Threads = 1,
    quiet: options.Quiet = False,
) -> int:
    """Search the fastest network of a given quality: input size, form and rank of every layer, precision."""
    settings = goal.settings(threads=options.cores(threads, quiet=quiet)[0], workers=options.cores(None)[0])
    files = model_files(network, options.ClassOptions(names=names))
    stem = name or f"{files.cfg.stem}-optimized"
    require_matplotlib()
    _ensure_startable(out, stem, resume=resume)
    original = read_network(files, profile=profile)
    class_list(files.names, original)
    labelled = labels.read(listed_names(original, files.names, data=None))
    kept = f"what was measured is kept in {out / RUN_FOLDER}/; the same command with --resume continues"
    with advice_on_interrupt(lambda: kept, quiet=quiet), _progress(quiet) as report:
        result = optimize_network(
            original, image_paths([images]), settings, out / RUN_FOLDER, count=count, labelled=labelled, progress=report
        )
    _write(result, out, stem, files.names, quiet=quiet)
    return 0


def _write(result: Optimization, out: Path, stem: str, names: Path | None, *, quiet: bool) -> None:
    """The network, its quantization and the report."""
    save_network(result.network, out, stem, names)
    if result.quantization is not None:
        write_quantization(out / f"{stem}.quant.npz", result.network, result.quantization)
    precisions = tuple(p for p in ("f32", "bf16", "int8") if p in {*result.settings.precisions, "f32"})
    others = peer_milliseconds(result.network, result.quantization, precisions=precisions, threads=result.settings.threads)
    write_optimization_report(out, result, others)
    if quiet:
        return
    say(*optimization_lines(result, others))
    quantized = " and .quant.npz" if result.quantization is not None else ""
    note(
        f"wrote {out / stem}.cfg and .weights{' and .names' if names else ''}{quantized}, and report.md, .json and .png beside them"
    )


def _ensure_startable(out: Path, stem: str, *, resume: bool) -> None:
    """Raise an `OptionError` if the run would overwrite a network or another search."""
    ensure_directory_possible(out)
    journal = out / RUN_FOLDER / JOURNAL_NAME
    if resume:
        return
    for path in (journal, *(out / f"{stem}.{ending}" for ending in ("cfg", "weights", "names", "quant.npz"))):
        if exists(path):
            raise OptionError(f"{path}: exists; expected --resume to continue that search, or another --out")


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str, float, Measurement | None], None] | None]:
    """A progress bar with the remaining time on a terminal, a line for each candidate elsewhere."""
    if quiet:
        yield None
        return
    if not sys.stderr.isatty():
        yield _Lines()
        return
    with fitting_progress(quiet) as report:
        yield lambda what, share, found: report(what, share)


class _Lines:
    """One line for each measured candidate, with the remaining time at the speed so far."""

    def __init__(self) -> None:
        self._begin = monotonic()
        self._seen: set[str] = set()

    def __call__(self, what: str, share: float, found: Measurement | None) -> None:
        if found is None or what in self._seen:
            return
        self._seen.add(what)
        elapsed = monotonic() - self._begin
        left = elapsed / share * (1 - share) if share else 0.0
        scored = f", mAP {100 * found.mean_ap:.2f}" if found.mean_ap is not None else ""
        times = f"{elapsed / 60:.0f} min, about {left / 60:.0f} left"
        log(f"{what}: {found.milliseconds:.2f} ms, F1 {found.agreement:.3f}{scored} ({times})")
