"""``yolodsc decompose``."""

from pathlib import Path
from time import perf_counter
from typing import Annotated, cast

import typer

from yolodsc.arrays import Array
from yolodsc.cli import options
from yolodsc.cli.calibration import calibration_images
from yolodsc.cli.cluster import ClusterOptions
from yolodsc.cli.network_files import class_list, model_files
from yolodsc.cli.outputs import ensure_directory_possible, ensure_writable, save_network
from yolodsc.cli.progress import fitting_progress
from yolodsc.cli.signals import advice_on_interrupt
from yolodsc.cli.tables.decomposition import decomposition_lines
from yolodsc.cli.terminal import note, say
from yolodsc.decompose import (
    DecomposeSettings,
    Decomposition,
    ProgressCallback,
    compare_networks,
    with_network,
    write_report,
)
from yolodsc.decompose import decompose as decompose_network
from yolodsc.detection import read_network
from yolodsc.errors import OptionError
from yolodsc.evaluation import require_matplotlib
from yolodsc.network import Network
from yolodsc.precision import Precision
from yolodsc.values import Value


class MethodOptions(Value, kw_only=True):
    """How convolutions are decomposed."""

    method: Annotated[
        str,
        typer.Option(
            help="Method: auto, pdp, tucker, squeeze, channel, als, bs, weights or paper-plain, -compensated, -multilayer."
        ),
    ] = "auto"
    rank: Annotated[
        float, typer.Option(metavar="R", help="Filters for each channel; pdp and channel use as many components as cost the same.")
    ] = 1.0
    budget: Annotated[float, typer.Option(metavar="SHARE", help="Share of the multiplications that method auto may keep.")] = 0.25
    budget_ms: Annotated[
        float | None,
        typer.Option(
            metavar="MS",
            help="Milliseconds for each image, on one thread or --threads N, as budget of method auto.",
        ),
    ] = None
    precision: Annotated[str, typer.Option(metavar="P", help="Precision in which --budget-ms counts: f32, bf16 or int8.")] = "f32"
    keep: Annotated[str, typer.Option(metavar="0,12", help="Indices of layers to leave unchanged.")] = ""
    refine: Annotated[
        float,
        typer.Option(min=0, metavar="X", help="Passes over the images in which all layers together learn the original's outputs."),
    ] = 0.0
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampled positions.")] = 0

    def settings(self, threads: int) -> DecomposeSettings:
        """The settings of the library."""
        return DecomposeSettings(
            method=self.method,
            rank=self.rank,
            budget=self.budget,
            budget_ms=self.budget_ms,
            precision=cast(Precision, self.precision),
            keep=_numbers(self.keep),
            seed=self.seed,
            threads=threads,
        )


def decompose(
    *,
    images: Annotated[str, typer.Option(metavar="DIR|LIST", help="Directory or list of unlabelled images to calibrate on.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for the new .cfg and .weights files.")],
    network: options.NetworkOptions,
    names: options.NamesFile = None,
    count: Annotated[int, typer.Option(min=2, metavar="N", help="Number of images to use.")] = 300,
    size: options.Size = None,
    name: Annotated[str | None, typer.Option(help="Stem of the new files.", show_default="CFG-separable")] = None,
    how: MethodOptions,
    report_to: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Write tables, JSON and a plot to this directory.")
    ] = None,
    profile: options.ProfileName = "alexeyab",
    allow_nonfinite: options.AllowNonfinite = False,
    threads: options.WorkThreads = None,
    cluster: ClusterOptions,
    quiet: options.Quiet = False,
) -> int:
    """Make the regular convolutions of a trained network separable."""
    files = model_files(network, options.ClassOptions(names=names))
    alone = threads is None and how.budget_ms is not None  # a budget in time is that of one thread, unless --threads says otherwise
    cluster.check()
    threads, _ = options.cores(1 if alone else threads, quiet=quiet)
    settings = how.settings(threads)
    stem = name or f"{files.cfg.stem}-separable"
    ensure_writable(out, stem)
    if report_to is not None:
        require_matplotlib()
        ensure_directory_possible(report_to)
    original = read_network(files, profile=profile, allow_nonfinite=allow_nonfinite, size=size)
    class_list(files.names, original)
    if how.refine:
        _ensure_refinable(original)
    with cluster.reading(quiet=quiet) as read:
        paths, calibration = calibration_images(original, images, count=count, seed=how.seed, read=read, quiet=quiet)
    with advice_on_interrupt(lambda: "nothing was written", quiet=quiet), fitting_progress(quiet) as report:
        result = decompose_network(original, calibration, settings, progress=report)
        if how.refine:
            result = _refined(result, original, paths, calibration, epochs=how.refine, report=report)
    save_network(result.network, out, stem, files.names)
    held_back = calibration[-max(len(calibration) // 10, 1) :]
    comparison = compare_networks(original, result.network, held_back, threads=threads)
    if report_to is not None:
        write_report(report_to, result, comparison)
    if not quiet:
        say(*decomposition_lines(result, comparison))
        reported = f", report to {report_to}/" if report_to is not None else ""
        note(f"wrote {out / stem}.cfg and .weights{' and .names' if files.names else ''}{reported}")
    return 0


def _ensure_refinable(original: Network) -> None:
    from yolodsc.training import ensure_refinable

    ensure_refinable(original)


def _refined(
    result: Decomposition, original: Network, paths: list[str], images: Array, *, epochs: float, report: ProgressCallback
) -> Decomposition:
    """Refine all layers together on the images that the decomposition was fitted to."""
    from yolodsc.training import refine

    begin, settings = perf_counter(), result.settings
    fitted = paths[: settings.calibration_count(len(paths))]
    network = refine(result.network, original, fitted, epochs=epochs, seed=settings.seed, threads=settings.threads, progress=report)
    return with_network(result, original, network, images, seconds=perf_counter() - begin)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part)
    except ValueError:
        raise OptionError(f"--keep {text}: expected layer numbers with commas, such as 0,12") from None
